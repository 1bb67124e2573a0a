#include "tests/lib/upstream_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLACK_MS = 100 };

void
pause_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

static void *
server_run(void *to)
{
	Server *server = to;

	for (;;) {
		int fd = accept(server->listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		/* a kept connection is open until the test is over: look up at times */
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 10000 },
		           sizeof(struct timeval));
		server->serve(server, fd, atomic_fetch_add(&server->accepted, 1));
		close(fd);
	}
}

int
listen_on_loopback(int backlog, int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

Server *
server_start(Serve serve)
{
	Server *server = calloc(1, sizeof *server);

	assert_non_null(server);
	server->listener = listen_on_loopback(16, &server->port);
	server->serve = serve;
	assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
	return server;
}

void
server_stop(Server *server)
{
	atomic_store(&server->over, true);
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	free(server);
}

size_t
bytes_read(Server *server, int fd, char *out, size_t room)
{
	for (;;) {
		ssize_t n = recv(fd, out, room, 0);

		if (n > 0)
			return (size_t)n;
		if (n == 0 || errno != EAGAIN || atomic_load(&server->over))
			return 0;
	}
}

bool
request_read(Server *server, int fd)
{
	size_t want = 0, had = 0; /* the one before stays readable until the next has come */

	for (;;) {
		size_t room = sizeof server->request - 1 - had;
		size_t n = bytes_read(server, fd, server->request + had, room);
		char *end, *length;

		if (n == 0)
			return false;
		had += n;
		server->n = had;
		server->request[server->n] = '\0';
		end = strstr(server->request, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strcasestr(server->request, "\r\ncontent-length: ");
		want = (size_t)(end + 4 - server->request);
		if (length != NULL && length < end)
			want += strtoul(length + 18, NULL, 10);
		if (server->n >= want)
			return true;
	}
}

bool
server_saw(const Server *server, const char *text)
{
	return strstr(server->request, text) != NULL;
}

void
send_text(int fd, const char *text)
{
	size_t n = strlen(text);

	if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		return; /* the client may be gone: it tells what it saw */
}

void
serve_hello(Server *server, int fd, int nth)
{
	(void)nth;
	while (request_read(server, fd))
		send_text(fd, HELLO);
}

/* --- the caller's side */

int
upstream_bench_open(void **state)
{
	Bench *bench = calloc(1, sizeof *bench);

	assert_non_null(bench);
	bench->ctx.arena = arena_open(MIB(16));
	bench->ctx.upstream = upstream_open();
	bench->call.method = "GET";
	bench->call.connect_ms = 500;
	bench->call.answer_max = KIB(64);
	*state = bench;
	return 0;
}

int
upstream_bench_close(void **state)
{
	Bench *bench = *state;

	upstream_close(bench->ctx.upstream);
	arena_close(bench->ctx.arena);
	free(bench);
	return 0;
}

UpstreamError
call_within(Bench *bench, int port, const char *path, int ms)
{
	int64_t start_us = clock_mono_us();
	UpstreamError error;

	bench->ctx.deadline = deadline_in_ms(ms);
	bench->call.url = str_print(bench->ctx.arena, "http://127.0.0.1:%d%s", port, path);
	error = upstream_call(&bench->ctx, &bench->call, &bench->answer);
	assert_true(clock_mono_us() - start_us < (ms + SLACK_MS) * INT64_C(1000));
	assert_int_equal(error, bench->answer.error);
	assert_true((error == UPSTREAM_OK) == (bench->answer.words[0] == '\0'));
	return error;
}
