#pragma once

/*
 * A bench for common/upstream.h: a server of one thread on the loopback interface that does
 * what a test wants, and a caller that holds each call to its time.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "common/upstream.h"

/* --- the server's side */

enum { SERVER_REQUEST_MAX = 4 << 20 };

typedef struct Server Server;

/* What is done with a connection, its number from 0; they are served one after the other. */
typedef void (*Serve)(Server *server, int fd, int nth);

struct Server {
	int listener, port;
	Serve serve;
	pthread_t thread;
	atomic_int accepted;
	atomic_bool over;
	char request[SERVER_REQUEST_MAX]; /* the last one, head and body */
	size_t n;
};

Server *server_start(Serve serve);
void server_stop(Server *server);

/* A listener, and its port. */
int listen_on_loopback(int backlog, int *port);

/* Bytes of a connection; none when it has closed or the test is over. */
size_t bytes_read(Server *server, int fd, char *out, size_t room);

/* One request, head and body by its Content-Length; false when the peer has closed. */
bool request_read(Server *server, int fd);

/* Is this in the last request? */
bool server_saw(const Server *server, const char *text);

void send_text(int fd, const char *text);

#define HELLO "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

/* A Serve: HELLO to each request. */
void serve_hello(Server *server, int fd, int nth);

void pause_ms(int ms);

/* --- the caller's side */

typedef struct Bench {
	Ctx ctx;
	UpstreamCall call;
	UpstreamAnswer answer;
} Bench;

/* cmocka's set-up and tear-down of each test, whose state is a Bench. */
int upstream_bench_open(void **state);
int upstream_bench_close(void **state);

/* Call a path of the server; checks that the call kept to its time. */
UpstreamError call_within(Bench *bench, int port, const char *path, int ms);
