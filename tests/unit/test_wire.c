#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/wire_bench.h"

/* --- requests */

static void
a_request_is_handed_out_and_answered(void **state)
{
	int fd = client(0);
	Str body, name, value, heard;

	(void)state;
	say(fd, request(S("/a?b"), "5", S("world")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/a?b")));
	assert_true(str_eq(wire_param(wire, "HTTP_A"), S("1")));
	assert_null(wire_param(wire, "HTTP_B").p);
	assert_true(wire_pair(wire, 3, &name, &value) && str_eq(value, S("2")));
	assert_null(wire_body(wire, &ctx, 100, &body));
	assert_true(str_eq(body, S("world")));
	assert_true(answer_ok());
	assert_true(str_eq(wire_param(wire, "REQUEST_METHOD"), S("POST"))); /* for the log */
	assert_true(clock_mono_us() - wire_first_byte_us(wire) < 1000000);
	heard = hear(fd);
	assert_true(holds(heard, "Status: 200\r\n\r\nhello"));
	assert_memory_equal(heard.p + heard.n - 16, "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0", 16);
}

/* libfcgi reads 8 KiB at a time: all sizes about such an end, and some in between. */
static size_t
size_after(size_t size)
{
	size_t in_read = size % 8192;

	return size + (in_read > 8000 || in_read < 20 ? 1 : 60);
}

/* Wherever libfcgi's reads end, nothing stays for the next request. */
static void
heads_of_all_sizes_leave_nothing_behind(void **state)
{
	char *uri = arena_new(arena, char, 65280);

	(void)state;
	memset(uri, 'u', 65280);
	for (size_t size = 100; size < 65200; size = size_after(size)) {
		ArenaMark mark = arena_mark(arena);
		int fd = client(0);

		say(fd, request((Str){ uri, size }, NULL, S("")));
		assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
		assert_int_equal(wire_param(wire, "REQUEST_URI").n, size);
		assert_true(answer_ok());
		assert_true(holds(hear(fd), "hello"));
		closep(&clients[0]);
		arena_back(arena, mark);
	}
}

static void
a_malformed_head_is_answered_and_the_next_is_served(void **state)
{
	int bad = client(0), good = client(1);
	Str heard;

	(void)state;
	say(bad, request(S(""), NULL, S("a body nobody wants")));
	say(good, request(S("/good"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/good")));
	heard = hear(bad);
	assert_true(holds(heard, "Status: 400\r\nContent-Type: application/problem+json\r\n"));
	assert_true(holds(heard, "\"code\":\"bad_request\""));
	assert_int_equal(wire_counts(wire).refused, 1);
	assert_true(answer_ok());
}

static void
a_head_that_is_too_large_is_answered_431(void **state)
{
	static char uri[40000];
	int bad = client(0);
	Buf head, more = { .arena = arena };

	(void)state;
	memset(uri, 'u', sizeof uri);
	head = head_of((Str){ uri, sizeof uri }, NULL);
	head.n -= 8; /* the end of PARAMS */
	put_record(&more, PARAMS, (Str){ uri, sizeof uri });
	say(bad, buf_str(&head));
	say(bad, buf_str(&more));
	signal_in_ms(100);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_true(holds(hear(bad), "Status: 431\r\n"));
}

/* --- bodies */

static void
a_body_is_what_was_declared_or_refused(void **state)
{
	static const struct {
		const char *length;
		Str body;
		size_t max;
		int problem; /* -1: none */
	} rows[] = {
		{ "5", S("12345"), 5, -1 },
		{ NULL, S("12345"), 5, -1 },
		{ "", S("12345"), 5, -1 },
		{ "-1", S("12345"), 5, -1 },
		{ "0", S(""), 0, -1 },
		{ "5", S("123456"), 9, P_bad_request },
		{ "5", S("1234"), 9, P_bad_request },
		{ "5", S(""), 9, P_bad_request },
		{ "6", S("123456"), 5, P_body_too_large },
		{ NULL, S("123456"), 5, P_body_too_large },
		{ "18446744073709551615", S("1"), 5, P_body_too_large },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = client(0);
		const Problem *p;
		Str body;

		say(fd, request(S("/"), rows[i].length, rows[i].body));
		assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
		p = wire_body(wire, &ctx, rows[i].max, &body);
		assert_int_equal(p == NULL ? -1 : (int)p->code, rows[i].problem);
		if (p == NULL)
			assert_true(str_eq(body, rows[i].body));
		assert_true(answer_ok());
		shutdown(fd, SHUT_WR);
		assert_true(holds(hear(fd), "hello"));
		closep(&clients[0]);
	}
}

static void
a_body_that_does_not_come_ends_at_the_deadline(void **state)
{
	Buf head = head_of(S("/"), "5");
	int64_t start_us;
	const Problem *p;
	Str body;

	(void)state;
	say(client(0), buf_str(&head));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	ctx.deadline = deadline_in_ms(50);
	start_us = clock_mono_us();
	p = wire_body(wire, &ctx, 100, &body);
	assert_true(p != NULL && p->code == P_deadline_exceeded);
	assert_in_range(clock_mono_us() - start_us, 40000, 1000000);
	assert_true(answer_ok());
}

static void
a_peer_that_goes_or_errs_in_the_body_is_a_bad_request(void **state)
{
	static const Str rows[] = {
		S("\1\5\0\1\0\5\0\0ab"),                    /* gone */
		S("\1\2\0\1\0\0\0\0"),                      /* ABORT_REQUEST */
		S("\1\11\0\0\0\20\0\0\16\0FCGI_MAX_CONNS"), /* management */
		S("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"),     /* BEGIN again */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf head = head_of(S("/"), "5");
		int fd = client(0);
		const Problem *p;
		Str body;

		buf_put(&head, rows[i]);
		say(fd, buf_str(&head));
		shutdown(fd, SHUT_WR);
		assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
		p = wire_body(wire, &ctx, 100, &body);
		assert_true(p != NULL && p->code == P_bad_request);
		wire_answer(wire, S("Status: 400\r\n\r\n"), S(""), ctx.deadline);
		closep(&clients[0]);
	}
}

/* --- answers */

static void
an_answer_nobody_takes_ends_at_the_deadline(void **state)
{
	size_t n = MIB(4);
	int64_t start_us;

	(void)state;
	say(client(0), request(S("/"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	start_us = clock_mono_us();
	assert_false(wire_answer(wire, S("Status: 200\r\n\r\n"),
	                         (Str){ arena_new(arena, char, n), n }, deadline_in_ms(100)));
	assert_in_range(clock_mono_us() - start_us, 90000, 1000000);
}

/* Each part is taken before it would be late, but not all of them together. */
static void
an_answer_taken_in_sips_ends_at_the_deadline(void **state)
{
	size_t n = MIB(4);
	int fd = client(0);
	int64_t start_us;
	pid_t child;

	(void)state;
	say(fd, request(S("/"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	child = fork();
	if (child == 0) {
		char sip[8192];

		while (recv(fd, sip, sizeof sip, 0) > 0)
			usleep(60000);
		_exit(0);
	}
	start_us = clock_mono_us();
	assert_false(wire_answer(wire, S("Status: 200\r\n\r\n"),
	                         (Str){ arena_new(arena, char, n), n }, deadline_in_ms(100)));
	assert_in_range(clock_mono_us() - start_us, 90000, 1000000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void
an_answer_to_one_who_left_is_known(void **state)
{
	(void)state;
	say(client(0), request(S("/"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	closep(&clients[0]);
	assert_false(answer_ok());
}

/* As web servers do: all of the request first, then the answer; a failing write is an error. */
static int
stubborn_client(Str bytes)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char heard[4096];
	size_t n = 0;
	ssize_t more;

	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return 1;
	for (ssize_t sent; bytes.n > 0; bytes = str_sub(bytes, (size_t)sent, bytes.n))
		if ((sent = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL)) <= 0)
			return 2;
	while (n < sizeof heard && (more = recv(fd, heard + n, sizeof heard - n, 0)) > 0)
		n += (size_t)more;
	return holds((Str){ heard, n }, "hello") ? 0 : 3;
}

static void
an_early_answer_reaches_one_who_is_still_sending(void **state)
{
	Str bytes =
	    request(S("/"), "3000000", (Str){ arena_new(arena, char, 3000000), 3000000 });
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(stubborn_client(bytes));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(answer_ok());
	signal_in_ms(500);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
a_connection_can_go_to_another_process(void **state)
{
	int fd = client(0), other;
	unsigned id;

	(void)state;
	say(fd, request(S("/"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	other = dup(wire_descriptor(wire, &id));
	assert_int_equal(id, 1);
	wire_forget(wire);
	say(other, S("from the other"));
	close(other);
	assert_true(str_eq(hear(fd), S("from the other")));
	say(client(1), request(S("/next"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(answer_ok());
}

#define WIRE_TEST(test) cmocka_unit_test_setup_teardown(test, wire_bench_open, wire_bench_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WIRE_TEST(a_request_is_handed_out_and_answered),
		WIRE_TEST(heads_of_all_sizes_leave_nothing_behind),
		WIRE_TEST(a_malformed_head_is_answered_and_the_next_is_served),
		WIRE_TEST(a_head_that_is_too_large_is_answered_431),
		WIRE_TEST(a_body_is_what_was_declared_or_refused),
		WIRE_TEST(a_body_that_does_not_come_ends_at_the_deadline),
		WIRE_TEST(a_peer_that_goes_or_errs_in_the_body_is_a_bad_request),
		WIRE_TEST(an_answer_nobody_takes_ends_at_the_deadline),
		WIRE_TEST(an_answer_taken_in_sips_ends_at_the_deadline),
		WIRE_TEST(an_answer_to_one_who_left_is_known),
		WIRE_TEST(an_early_answer_reaches_one_who_is_still_sending),
		WIRE_TEST(a_connection_can_go_to_another_process),
	};

	return cmocka_run_group_tests(tests, wire_bench_begin, wire_bench_end);
}
