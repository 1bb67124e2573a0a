#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/upstream_bench.h"

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
		send_text(fd, "HTTP/1.1 200 OK\r\nX-Odd: a\tb\x01\x7f c \r\n"
		              "Content-Length: 0\r\n\r\n");
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

#define UPSTREAM_TEST(test)                                                                    \
	cmocka_unit_test_setup_teardown(test, upstream_bench_open, upstream_bench_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UPSTREAM_TEST(an_answer_comes_with_its_status_type_and_body),
		UPSTREAM_TEST(the_next_call_goes_out_on_the_kept_connection),
		UPSTREAM_TEST(a_request_carries_what_it_was_given_and_nothing_else),
		UPSTREAM_TEST(a_redirect_is_an_answer_and_is_not_followed),
		UPSTREAM_TEST(proxies_of_the_environment_are_not_used),
		UPSTREAM_TEST(other_schemes_are_no_calls),
		UPSTREAM_TEST(what_is_not_http_is_told_from_what_is),
		UPSTREAM_TEST(headers_of_an_answer_have_no_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
