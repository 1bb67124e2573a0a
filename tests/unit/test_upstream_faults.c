#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/upstream_bench.h"

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
	/* none was tried again */
	assert_int_equal(atomic_load(&server->accepted), COUNT(rows));
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

/*
 * Stands before the C library's, for libcurl too: a name service that hangs for this one name.
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

#define UPSTREAM_TEST(test)                                                                    \
	cmocka_unit_test_setup_teardown(test, upstream_bench_open, upstream_bench_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UPSTREAM_TEST(nobody_there_is_refused_and_nothing_was_sent),
		UPSTREAM_TEST(a_server_that_does_not_accept_is_refused_after_connect_ms),
		UPSTREAM_TEST(a_silent_server_costs_the_deadline_and_no_more),
		UPSTREAM_TEST(a_slow_drip_of_bytes_costs_the_deadline_and_no_more),
		UPSTREAM_TEST(no_time_left_means_no_call),
		UPSTREAM_TEST(an_answer_is_given_up_when_it_passes_its_bound),
		UPSTREAM_TEST(a_connection_that_ends_early_is_a_reset),
		UPSTREAM_TEST(a_kept_connection_that_died_is_replaced_once),
		UPSTREAM_TEST(a_name_service_that_hangs_does_not_pass_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
