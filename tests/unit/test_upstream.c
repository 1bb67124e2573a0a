#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/upstream.h"

enum { SLACK_MS = 100, REQUEST_MAX = 4 << 20 };

/*
 * A server of one thread on the loopback interface. It serves one connection after the other
 * with the test's own function, which gets the number of the connection, from 0.
 */
typedef struct Server Server;
typedef void (*Serve)(Server *server, int fd, int nth);

struct Server {
	int listener, port;
	Serve serve;
	pthread_t thread;
	atomic_int accepted;
	atomic_bool over;
	char request[REQUEST_MAX]; /* the last one, head and body */
	size_t n;
};

static void
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

static int
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

static Server *
server_start(Serve serve)
{
	Server *server = calloc(1, sizeof *server);

	assert_non_null(server);
	server->listener = listen_on_loopback(16, &server->port);
	server->serve = serve;
	assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
	return server;
}

static void
server_stop(Server *server)
{
	atomic_store(&server->over, true);
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	free(server);
}

/* Bytes of a connection; none when it has closed or the test is over. */
static size_t
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

/* One request, head and body by its Content-Length; false when the peer has closed. */
static bool
request_read(Server *server, int fd)
{
	size_t want = 0, had = 0; /* the one before stays readable until the next has come */

	for (;;) {
		size_t n = bytes_read(server, fd, server->request + had, REQUEST_MAX - 1 - had);
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

static void
send_text(int fd, const char *text)
{
	size_t n = strlen(text);

	if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		return; /* the client may be gone: it tells what it saw */
}

#define HELLO "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

static void
serve_hello(Server *server, int fd, int nth)
{
	(void)nth;
	while (request_read(server, fd))
		send_text(fd, HELLO);
}

/* ------------------------------------------------------------------ the client's side */

typedef struct Bench {
	Ctx ctx;
	UpstreamCall call;
	UpstreamAnswer answer;
} Bench;

static int
bench_open(void **state)
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

static int
bench_close(void **state)
{
	Bench *bench = *state;

	upstream_close(bench->ctx.upstream);
	arena_close(bench->ctx.arena);
	free(bench);
	return 0;
}

/* Call a path of the server; checks that the call kept to its time. */
static UpstreamError
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

static bool
server_saw(const Server *server, const char *text)
{
	return strstr(server->request, text) != NULL;
}

static void
an_answer_comes_with_its_status_type_and_body(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_hello);

	assert_int_equal(call_within(bench, server->port, "/a/b?c=d", 2000), UPSTREAM_OK);
	assert_int_equal(bench->answer.status, 200);
	assert_true(str_eq(bench->answer.body, S("{}")));
	assert_true(str_eq(bench->answer.content_type, S("application/json")));
	assert_true(str_eq(upstream_header(&bench->answer, "content-length"), S("2")));
	assert_null(upstream_header(&bench->answer, "x-absent").p);
	assert_true(bench->answer.sent && bench->answer.began && !bench->answer.reused);
	assert_int_equal(bench->answer.tries, 1);
	assert_true(bench->answer.us > 0);
	assert_true(server_saw(server, "GET /a/b?c=d HTTP/1.1\r\n"));
	server_stop(server);
}

static void
the_next_call_goes_out_on_the_kept_connection(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_hello);

	for (int i = 0; i < 5; i++) {
		assert_int_equal(call_within(bench, server->port, "/", 2000), UPSTREAM_OK);
		assert_int_equal(bench->answer.reused, i > 0);
	}
	assert_int_equal(atomic_load(&server->accepted), 1);
	server_stop(server);
}

static void
a_request_carries_what_it_was_given_and_nothing_else(void **state)
{
	static const UpstreamHeader further = { { "Inference-Header-Content-Length", 31 },
		                                { "12\r\nX-Evil: 1", 13 } };
	Bench *bench = *state;
	Server *server = server_start(serve_hello);
	size_t n = (2 << 20) - 5;
	char *body = arena_new(bench->ctx.arena, char, n);

	memset(body, 'b', n);
	bench->ctx.request_id = S("id-1\r\nX-Evil: 2");
	bench->ctx.traceparent = S("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	bench->call.method = "POST";
	bench->call.content_type = S("application/json");
	bench->call.bearer = S("the secret");
	bench->call.headers = &further;
	bench->call.n_headers = 1;
	bench->call.body = (Str){ body, n };
	assert_int_equal(call_within(bench, server->port, "/", 5000), UPSTREAM_OK);
	assert_true(server_saw(server, "POST / HTTP/1.1\r\n"));
	assert_true(server_saw(server, "X-Request-Id: id-1X-Evil: 2\r\n"));
	assert_true(server_saw(server, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"));
	assert_true(server_saw(server, "Content-Type: application/json\r\n"));
	assert_true(server_saw(server, "Authorization: Bearer the secret\r\n"));
	assert_true(server_saw(server, "Inference-Header-Content-Length: 12X-Evil: 1\r\n"));
	assert_true(server_saw(server, "Content-Length: 2097147\r\n"));
	assert_false(server_saw(server, "Expect"));
	assert_false(server_saw(server, "\nX-Evil"));
	assert_false(server_saw(server, "Accept-Encoding"));
	assert_memory_equal(server->request + server->n - n, body, n);
	server_stop(server);
}

static void
nobody_there_is_refused_and_nothing_was_sent(void **state)
{
	Bench *bench = *state;
	int port, fd = listen_on_loopback(1, &port);

	close(fd);
	assert_int_equal(call_within(bench, port, "/", 2000), UPSTREAM_REFUSED);
	assert_false(bench->answer.sent);
	assert_int_equal(bench->answer.tries, 0);
	assert_int_equal(bench->answer.status, 0);
}

/* The queue of a listener that accepts nobody is filled; the next connect waits in vain. */
static void
a_server_that_does_not_accept_is_refused_after_connect_ms(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	Bench *bench = *state;
	int port, fd = listen_on_loopback(0, &port), fill[4];

	address.sin_port = htons((uint16_t)port);
	for (size_t i = 0; i < COUNT(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fill[i], (struct sockaddr *)&address, sizeof address);
	}
	pause_ms(20);
	bench->call.connect_ms = 150;
	assert_int_equal(call_within(bench, port, "/", 3000), UPSTREAM_REFUSED);
	assert_false(bench->answer.sent);
	assert_in_range(bench->answer.us, 100000, 600000);
	bench->call.connect_ms = 3000;
	assert_int_equal(call_within(bench, port, "/", 200), UPSTREAM_TIMEOUT);
	assert_false(bench->answer.sent);
	for (size_t i = 0; i < COUNT(fill); i++)
		close(fill[i]);
	close(fd);
}

static void
serve_silence(Server *server, int fd, int nth)
{
	(void)nth;
	if (request_read(server, fd))
		bytes_read(server, fd, &(char){ 0 }, 1);
}

static void
a_silent_server_costs_the_deadline_and_no_more(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_silence);

	assert_int_equal(call_within(bench, server->port, "/", 200), UPSTREAM_TIMEOUT);
	assert_true(bench->answer.sent);
	assert_false(bench->answer.began);
	server_stop(server);
}

static void
serve_drip(Server *server, int fd, int nth)
{
	(void)nth;
	if (!request_read(server, fd))
		return;
	send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	for (int i = 0; i < 200 && !atomic_load(&server->over); i++) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
			return;
		pause_ms(10);
	}
}

static void
a_slow_drip_of_bytes_costs_the_deadline_and_no_more(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_drip);

	assert_int_equal(call_within(bench, server->port, "/", 300), UPSTREAM_TIMEOUT);
	assert_true(bench->answer.began);
	assert_int_equal(bench->answer.status, 200);
	assert_true(bench->answer.body.n > 0);
	server_stop(server);
}

static void
no_time_left_means_no_call(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_hello);

	assert_int_equal(call_within(bench, server->port, "/", 0), UPSTREAM_TIMEOUT);
	assert_false(bench->answer.sent);
	assert_int_equal(atomic_load(&server->accepted), 0);
	server_stop(server);
}

/* 1,024 bytes, or 1,025 when asked for; with a length, or in chunks without end. */
static void
serve_sizes(Server *server, int fd, int nth)
{
	char body[1026];

	(void)nth;
	memset(body, 'y', sizeof body);
	body[1025] = '\0';
	if (!request_read(server, fd))
		return;
	if (server_saw(server, "/chunks")) {
		send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (int i = 0; i < 1000; i++)
			send_text(fd, "10\r\n0123456789abcdef\r\n");
	} else if (server_saw(server, "/over")) {
		send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n");
		send_text(fd, body);
	} else if (server_saw(server, "/until-close")) {
		send_text(fd, "HTTP/1.1 200 OK\r\n\r\n");
		send_text(fd, body);
	} else if (server_saw(server, "/headers")) {
		send_text(fd, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 100; i++) {
			send_text(fd, "X-Long: ");
			send_text(fd, body);
			send_text(fd, "\r\n");
		}
	} else {
		body[1024] = '\0';
		send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n");
		send_text(fd, body);
	}
}

static void
an_answer_is_given_up_when_it_passes_its_bound(void **state)
{
	static const struct {
		const char *path;
		UpstreamError want;
	} rows[] = {
		{ "/exact", UPSTREAM_OK },
		{ "/over", UPSTREAM_TOO_LARGE },
		{ "/until-close", UPSTREAM_TOO_LARGE },
		{ "/chunks", UPSTREAM_TOO_LARGE },
		{ "/headers", UPSTREAM_TOO_LARGE },
		{ "/exact", UPSTREAM_OK },
	};
	Bench *bench = *state;
	Server *server = server_start(serve_sizes);

	bench->call.answer_max = 1024;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(call_within(bench, server->port, rows[i].path, 2000),
		                 rows[i].want);
		assert_true(bench->answer.body.n <= 1024);
	}
	assert_int_equal(bench->answer.body.n, 1024);
	server_stop(server);
}

static void
serve_breaks(Server *server, int fd, int nth)
{
	(void)nth;
	if (!request_read(server, fd))
		return;
	if (server_saw(server, "/half"))
		send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	else if (server_saw(server, "/chunk"))
		send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
	else if (server_saw(server, "/reset"))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
		           sizeof(struct linger));
}

static void
a_connection_that_ends_early_is_a_reset(void **state)
{
	static const struct {
		const char *path;
		bool began;
	} rows[] = {
		{ "/half", true },
		{ "/chunk", true },
		{ "/reset", false },
		{ "/empty", false },
	};
	Bench *bench = *state;
	Server *server = server_start(serve_breaks);

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(call_within(bench, server->port, rows[i].path, 2000),
		                 UPSTREAM_RESET);
		assert_int_equal(bench->answer.began, rows[i].began);
		assert_true(bench->answer.sent);
		assert_int_equal(bench->answer.tries, 1);
	}
	assert_int_equal(atomic_load(&server->accepted),
	                 COUNT(rows)); /* none was tried again */
	server_stop(server);
}

/* The first connection answers once and dies on its second request. */
static void
serve_stale(Server *server, int fd, int nth)
{
	while (request_read(server, fd)) {
		if (nth == 0 && server_saw(server, "/second"))
			return;
		send_text(fd, HELLO);
	}
}

static void
a_kept_connection_that_died_is_replaced_once(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_stale);

	assert_int_equal(call_within(bench, server->port, "/first", 2000), UPSTREAM_OK);
	assert_int_equal(call_within(bench, server->port, "/second", 2000), UPSTREAM_OK);
	assert_int_equal(bench->answer.tries, 2);
	assert_false(bench->answer.reused);
	assert_int_equal(atomic_load(&server->accepted), 2);
	server_stop(server);
}

static int trap_port;

static void
serve_redirect(Server *server, int fd, int nth)
{
	char text[200];

	(void)nth;
	snprintf(text, sizeof text,
	         "HTTP/1.1 302 Found\r\nLocation: "
	         "http://127.0.0.1:%d/secret\r\nContent-Length: 0\r\n\r\n",
	         trap_port);
	if (request_read(server, fd))
		send_text(fd, text);
}

static void
a_redirect_is_an_answer_and_is_not_followed(void **state)
{
	Bench *bench = *state;
	Server *trap = server_start(serve_hello), *server;

	trap_port = trap->port;
	server = server_start(serve_redirect);
	assert_int_equal(call_within(bench, server->port, "/", 2000), UPSTREAM_OK);
	assert_int_equal(bench->answer.status, 302);
	assert_int_equal(atomic_load(&trap->accepted), 0);
	server_stop(server);
	server_stop(trap);
}

static void
proxies_of_the_environment_are_not_used(void **state)
{
	static const char *const names[] = { "http_proxy", "HTTP_PROXY", "all_proxy",
		                             "ALL_PROXY" };
	Bench *bench = *state;
	Server *trap = server_start(serve_hello), *server = server_start(serve_hello);
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%d", trap->port);
	for (size_t i = 0; i < COUNT(names); i++)
		setenv(names[i], url, 1);
	assert_int_equal(call_within(bench, server->port, "/", 2000), UPSTREAM_OK);
	for (size_t i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
	assert_int_equal(atomic_load(&trap->accepted), 0);
	server_stop(server);
	server_stop(trap);
}

static void
other_schemes_are_no_calls(void **state)
{
	static const char *const urls[] = {
		"file:///etc/passwd",
		"ftp://127.0.0.1/",
		"gopher://127.0.0.1/",
		"dict://127.0.0.1/",
		"",
		"http://",
		"://",
		"http://127.0.0.1:99999/",
	};
	Bench *bench = *state;

	bench->ctx.deadline = deadline_in_ms(2000);
	for (size_t i = 0; i < COUNT(urls); i++) {
		bench->call.url = str_of(urls[i]);
		assert_int_equal(upstream_call(&bench->ctx, &bench->call, &bench->answer),
		                 UPSTREAM_BAD_CALL);
		assert_int_equal(bench->answer.body.n, 0);
	}
}

static void
serve_oddities(Server *server, int fd, int nth)
{
	(void)nth;
	if (!request_read(server, fd))
		return;
	if (server_saw(server, "/ssh"))
		send_text(fd, "SSH-2.0-OpenSSH_9.2\r\n");
	else if (server_saw(server, "/version"))
		send_text(fd, "HTTP/9.9 200 OK\r\n\r\n");
	else if (server_saw(server, "/continue"))
		send_text(fd, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" HELLO);
	else
		send_text(
		    fd,
		    "HTTP/1.1 200 OK\r\nX-Odd: a\tb\x01\x7f c \r\nContent-Length: 0\r\n\r\n");
}

static void
what_is_not_http_is_told_from_what_is(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_oddities);

	assert_int_equal(call_within(bench, server->port, "/ssh", 2000), UPSTREAM_NO_HTTP);
	assert_int_equal(call_within(bench, server->port, "/version", 2000), UPSTREAM_NO_HTTP);
	assert_int_equal(call_within(bench, server->port, "/continue", 2000), UPSTREAM_OK);
	assert_int_equal(bench->answer.status, 200);
	assert_null(upstream_header(&bench->answer, "x-early").p);
	server_stop(server);
}

static void
headers_of_an_answer_have_no_control_characters(void **state)
{
	Bench *bench = *state;
	Server *server = server_start(serve_oddities);

	assert_int_equal(call_within(bench, server->port, "/odd", 2000), UPSTREAM_OK);
	assert_true(str_eq(upstream_header(&bench->answer, "x-odd"), S("ab c")));
	server_stop(server);
}

/* Stands before the C library's, for libcurl too: a name service that hangs for this one name.
 */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

	memcpy(&next, &symbol, sizeof next);
	if (name != NULL && strcmp(name, "hangs.test") == 0) {
		pause_ms(1500);
		return EAI_AGAIN;
	}
	return next(name, service, hints, out);
}

static void
a_name_service_that_hangs_does_not_pass_the_deadline(void **state)
{
	static const struct {
		int connect_ms, left_ms;
		UpstreamError want;
	} rows[] = {
		{ 100, 1000, UPSTREAM_REFUSED },
		{ 1000, 150, UPSTREAM_TIMEOUT },
	};
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t start_us = clock_mono_us();

		bench->call.url = S("http://hangs.test/");
		bench->call.connect_ms = rows[i].connect_ms;
		bench->ctx.deadline = deadline_in_ms(rows[i].left_ms);
		assert_int_equal(upstream_call(&bench->ctx, &bench->call, &bench->answer),
		                 rows[i].want);
		assert_true(clock_mono_us() - start_us < 400000);
		assert_false(bench->answer.sent);
	}
	pause_ms(1600); /* the threads that were left behind end before the process does */
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, bench_open, bench_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_answer_comes_with_its_status_type_and_body),
		CASE(the_next_call_goes_out_on_the_kept_connection),
		CASE(a_request_carries_what_it_was_given_and_nothing_else),
		CASE(nobody_there_is_refused_and_nothing_was_sent),
		CASE(a_server_that_does_not_accept_is_refused_after_connect_ms),
		CASE(a_silent_server_costs_the_deadline_and_no_more),
		CASE(a_slow_drip_of_bytes_costs_the_deadline_and_no_more),
		CASE(no_time_left_means_no_call),
		CASE(an_answer_is_given_up_when_it_passes_its_bound),
		CASE(a_connection_that_ends_early_is_a_reset),
		CASE(a_kept_connection_that_died_is_replaced_once),
		CASE(a_redirect_is_an_answer_and_is_not_followed),
		CASE(proxies_of_the_environment_are_not_used),
		CASE(other_schemes_are_no_calls),
		CASE(what_is_not_http_is_told_from_what_is),
		CASE(headers_of_an_answer_have_no_control_characters),
		CASE(a_name_service_that_hangs_does_not_pass_the_deadline),
	};

	return cmocka_run_group_tests_name("upstream", tests, NULL, NULL);
}
