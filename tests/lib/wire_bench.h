#pragma once

/*
 * A bench for what reads the socket: one Wire under test, and clients that send records by
 * hand.
 *
 * Its state is the program's: one test at a time.
 */

#include <signal.h>
#include <sys/un.h>

#include "fcgi/wire.h"

/* Types of records; the deadline of heads; places for clients. */
enum { BEGIN = 1, PARAMS = 4, STDIN = 5, HEAD_MS = 200, CLIENTS = 300 };

extern char directory[32]; /* of the socket */
extern struct sockaddr_un address;
extern int listener;
extern Wire *wire; /* without gathering */
extern Arena *arena;
extern Ctx ctx;              /* 5 s from the start of the test */
extern int clients[CLIENTS]; /* -1: closed */
extern volatile sig_atomic_t signals;

void on_signal(int number);

/* cmocka's set-up and tear-down of the group and of each test. */
int wire_bench_begin(void **state);
int wire_bench_end(void **state);
int wire_bench_open(void **state);
int wire_bench_close(void **state);

/* Connect. */
int client(size_t i);

void put_record(Buf *to, int type, Str content);

/* BEGIN and PARAMS of a request; length: CONTENT_LENGTH, or NULL. */
Buf head_of(Str uri, const char *length);

/* The same with a body and its end. */
Str request(Str uri, const char *length, Str body);

void say(int fd, Str bytes);

/* All that comes until the other side closes. */
Str hear(int fd);

bool holds(Str text, const char *part);

/* Is it closed, without a byte? */
bool is_closed(int fd);

/* A signal after this time, so that wire_next comes back. */
void signal_in_ms(int ms);

/* Answer the request in hand with "hello". */
bool answer_ok(void);
