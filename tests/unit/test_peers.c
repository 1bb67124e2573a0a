#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/wire_bench.h"

/* --- who waits */

static void
a_crowd_of_silent_peers_delays_nobody(void **state)
{
	int64_t start_us;

	(void)state;
	for (size_t i = 0; i < CLIENTS - 1; i++)
		client(i);
	say(client(CLIENTS - 1), request(S("/"), NULL, S("")));
	start_us = clock_mono_us();
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(clock_mono_us() - start_us < 150000);
	assert_true(answer_ok());
	assert_int_equal(wire_waiting(wire), CLIENTS - 1);
}

static void
a_head_that_comes_slowly_is_served_before_newer_ones(void **state)
{
	Str bytes = request(S("/slow"), NULL, S(""));
	int slow = client(0);

	(void)state;
	say(slow, str_sub(bytes, 0, 30));
	say(client(1), request(S("/first"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/first")));
	say(slow, str_sub(bytes, 30, bytes.n));
	say(client(2), request(S("/second"), NULL, S("")));
	assert_true(answer_ok());
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/slow")));
	assert_true(answer_ok());
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/second")));
	assert_true(answer_ok());
}

static void
a_head_has_its_deadline(void **state)
{
	Buf head = head_of(S("/"), NULL);
	int silent = client(0), half = client(1);

	(void)state;
	say(half, str_sub(buf_str(&head), 0, head.n - 1));
	signal_in_ms(HEAD_MS / 2);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_false(is_closed(half));
	signal_in_ms(HEAD_MS);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_true(is_closed(silent));
	assert_true(is_closed(half));
	assert_int_equal(wire_counts(wire).timed_out, 2);
}

static void
one_who_goes_in_his_head_is_counted(void **state)
{
	(void)state;
	client(0);
	closep(&clients[0]); /* a probe: no harm in that */
	say(client(1), S("\1\1\0\1"));
	closep(&clients[1]);
	signal_in_ms(50);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(wire_counts(wire).closed, 1);
	assert_int_equal(wire_waiting(wire), 0);
}

static void
a_full_set_loses_its_oldest_silent_peer(void **state)
{
	struct rlimit limit, few;
	WireConfig config = { .listen_fd = listener, .head_ms = 60000 };
	Buf head = head_of(S("/"), NULL);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ 40, limit.rlim_max };
	wire_close(wire);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	wire = wire_open(&config); /* half of 40 places */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	say(client(0), str_sub(buf_str(&head), 0, 30));
	for (size_t i = 1; i < 23; i++)
		client(i);
	signal_in_ms(200);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(wire_waiting(wire), 20);
	assert_int_equal(wire_counts(wire).evicted, 3);
	assert_false(is_closed(clients[0]));
	for (size_t i = 1; i < 23; i++)
		assert_int_equal(is_closed(clients[i]), i <= 3);
}

static void
a_lack_of_descriptors_is_waited_for(void **state)
{
	const char *preload = getenv("LD_PRELOAD");
	struct rlimit limit, few;
	int fd = client(0);

	(void)state;
	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		skip(); /* valgrind's accept takes the connection and closes it */
	say(fd, request(S("/"), NULL, S("")));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ (rlim_t)fd + 1, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	signal_in_ms(120);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(answer_ok());
}

/* --- signals and stopping */

static void
signals_are_open_only_while_waiting(void **state)
{
	sigset_t alarm_only;

	(void)state;
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_only, NULL);
	raise(SIGALRM);
	say(client(0), request(S("/"), NULL, S(""))); /* work does not keep it out */
	assert_int_equal(signals, 0);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(signals, 1);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(answer_ok());
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
}

static void
the_library_takes_no_signal(void **state)
{
	struct sigaction mine = { .sa_handler = on_signal }, now;
	WireConfig config = { .listen_fd = listener, .head_ms = HEAD_MS };
	static const int taken[] = { SIGTERM, SIGUSR1 };

	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++)
		sigaction(taken[i], &mine, NULL);
	signal(SIGPIPE, SIG_DFL);
	wire_close(wire);
	wire = wire_open(&config);
	for (size_t i = 0; i < COUNT(taken); i++) {
		sigaction(taken[i], NULL, &now);
		assert_true(now.sa_handler == on_signal);
		signal(taken[i], SIG_DFL);
	}
	sigaction(SIGPIPE, NULL, &now);
	assert_true(now.sa_handler == SIG_IGN);
}

static void
stopping_takes_nobody_new_and_leaves_nobody_alone(void **state)
{
	Buf head = head_of(S("/begun"), NULL);
	int begun = client(0);
	int64_t start_us;
	pid_t child;

	(void)state;
	client(1); /* silent */
	say(begun, str_sub(buf_str(&head), 0, 30));
	signal_in_ms(20);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	say(client(2), request(S("/new"), NULL, S("")));
	child = fork();
	if (child == 0) {
		usleep(80000);
		say(begun, str_sub(buf_str(&head), 30, head.n));
		_exit(0);
	}
	assert_int_equal(wire_next(wire, WIRE_SHUT), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/begun")));
	waitpid(child, NULL, 0);
	say(begun, S("\1\5\0\1\0\0\0\0"));
	assert_true(answer_ok());
	start_us = clock_mono_us();
	assert_int_equal(wire_next(wire, WIRE_SHUT), WIRE_SIGNAL);
	assert_true(clock_mono_us() - start_us < 50000);
	assert_int_equal(poll(&(struct pollfd){ .fd = listener, .events = POLLIN }, 1, 0), 1);
}

static void
who_waits_on_the_socket_is_served_before_the_end(void **state)
{
	(void)state;
	say(client(0), request(S("/0"), NULL, S("")));
	client(1); /* silent */
	say(client(2), request(S("/2"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_WAITING), WIRE_REQUEST);
	assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/0")));
	say(client(3), request(S("/3"), NULL, S("")));
	assert_true(answer_ok());
	for (int i = 2; i <= 3; i++) {
		assert_int_equal(wire_next(wire, WIRE_WAITING), WIRE_REQUEST);
		assert_true(answer_ok());
		assert_true(holds(hear(clients[i]), "hello"));
	}
	assert_int_equal(wire_next(wire, WIRE_WAITING), WIRE_SIGNAL);
}

/* --- bodies that are gathered */

enum { GATHER = 100000, BODY_MS = 300 };

static void
gathering(void)
{
	wire_close(wire);
	wire = wire_open(&(WireConfig){ .listen_fd = listener,
	                                .head_ms = HEAD_MS,
	                                .body_ms = BODY_MS,
	                                .gather_max = GATHER });
	assert_non_null(wire);
}

/* Say a request in two halves, the second of them in a child, after a while. */
static pid_t
say_slowly(int fd, Str whole, int ms)
{
	pid_t child;

	say(fd, str_sub(whole, 0, whole.n / 2));
	child = fork();
	if (child == 0) {
		usleep((useconds_t)ms * 1000);
		say(fd, str_sub(whole, whole.n / 2, whole.n));
		_exit(0);
	}
	return child;
}

static void
a_small_body_is_whole_before_its_request_is_handed_out(void **state)
{
	static const size_t rows[] = { 1, 7, 1000, 65535, 65536, GATHER };
	Str body;

	(void)state;
	gathering();
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str sent = { arena_take(arena, rows[i], 1, 1), rows[i] };
		char length[32];
		int64_t begun_us = clock_mono_us();
		pid_t child;

		snprintf(length, sizeof length, "%zu", rows[i]);
		child = say_slowly(client(i), request(S("/slow"), length, sent), 60);
		say(client(COUNT(rows)), request(S("/quick"), NULL, S("")));
		assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
		assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/quick")));
		assert_true(answer_ok());
		assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
		assert_true(str_eq(wire_param(wire, "REQUEST_URI"), S("/slow")));
		assert_true(wire_first_byte_us(wire) >= begun_us + 60000);
		ctx.deadline = deadline_in_ms(0); /* nothing is left to wait for */
		assert_null(wire_body(wire, &ctx, GATHER, &body));
		assert_true(str_eq(body, sent));
		ctx.deadline = deadline_in_ms(5000);
		assert_true(answer_ok());
		waitpid(child, NULL, 0);
		assert_true(holds(hear(clients[i]), "hello"));
		close(clients[COUNT(rows)]);
		clients[COUNT(rows)] = -1;
	}
}

static void
a_body_that_is_too_large_to_gather_is_read_by_who_serves_it(void **state)
{
	Str sent = { arena_take(arena, 2 * GATHER, 1, 1), 2 * GATHER };
	Str body, chunked = request(S("/"), NULL, sent);
	pid_t child;

	(void)state;
	gathering();
	child = say_slowly(client(0), request(S("/"), "200000", sent), 60);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST); /* at once */
	assert_true(ctx.deadline.at_us - clock_mono_us() > 4950000);
	assert_null(wire_body(wire, &ctx, sent.n, &body));
	assert_true(str_eq(body, sent));
	assert_true(answer_ok());
	waitpid(child, NULL, 0);
	child = say_slowly(client(1), chunked, 0); /* of no length: not awaited either */
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_null(wire_body(wire, &ctx, sent.n, &body));
	assert_int_equal(body.n, sent.n);
	assert_true(answer_ok());
	waitpid(child, NULL, 0);
}

static void
a_gathered_body_of_another_length_is_refused(void **state)
{
	static const struct {
		const char *declared;
		bool good;
	} rows[] = { { "4", false }, { "5", true }, { "6", false } };

	(void)state;
	gathering();
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str body;

		say(client(i), request(S("/"), rows[i].declared, S("world")));
		assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
		if (rows[i].good)
			assert_null(wire_body(wire, &ctx, 100, &body));
		else
			assert_int_equal(wire_body(wire, &ctx, 100, &body)->code,
			                 P_bad_request);
		assert_true(answer_ok());
	}
}

static void
a_gathered_body_above_the_routes_limit_is_too_large(void **state)
{
	Str body;

	(void)state;
	gathering();
	say(client(0), request(S("/"), "5", S("world")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_int_equal(wire_body(wire, &ctx, 4, &body)->code, P_body_too_large);
	assert_true(answer_ok());
	assert_true(holds(hear(clients[0]), "hello"));
}

static void
a_body_that_is_late_is_handed_out_and_waited_for_no_more(void **state)
{
	int64_t begun_us = clock_mono_us();
	Str body, whole = request(S("/"), "5", S("world"));

	(void)state;
	gathering();
	say(client(0), str_sub(whole, 0, whole.n - 10));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_in_range(clock_mono_us() - begun_us, BODY_MS * 1000, BODY_MS * 1000 + 1000000);
	begun_us = clock_mono_us();
	assert_int_equal(wire_body(wire, &ctx, 100, &body)->code, P_deadline_exceeded);
	assert_true(clock_mono_us() - begun_us < 100000);
	assert_true(answer_ok());
	assert_true(holds(hear(clients[0]), "hello"));
}

static void
who_leaves_in_the_middle_of_a_body_is_counted_and_forgotten(void **state)
{
	Str whole = request(S("/"), "5", S("world"));

	(void)state;
	gathering();
	say(client(0), str_sub(whole, 0, whole.n - 10));
	closep(&clients[0]);
	clients[0] = -1;
	signal_in_ms(50);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(wire_counts(wire).closed, 1);
}

static void
stopping_waits_for_bodies_that_have_begun(void **state)
{
	Str body;
	pid_t child;

	(void)state;
	gathering();
	child = say_slowly(client(0), request(S("/"), "5", S("world")), 100);
	signal_in_ms(20);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_SIGNAL);
	assert_int_equal(wire_next(wire, WIRE_SHUT), WIRE_REQUEST);
	assert_null(wire_body(wire, &ctx, 100, &body));
	assert_true(answer_ok());
	waitpid(child, NULL, 0);
	assert_int_equal(wire_next(wire, WIRE_SHUT), WIRE_SIGNAL);
}

/* A board of its own for the wire, whose file the caller removes with board_drop(). */
static Board *
board_take(void)
{
	Board *board = board_open(directory);

	assert_non_null(board);
	board_queue_open(board);
	wire_close(wire);
	wire = wire_open(
	    &(WireConfig){ .listen_fd = listener, .head_ms = HEAD_MS, .board = board });
	assert_non_null(wire);
	return board;
}

static void
board_drop(Board *board)
{
	char path[64];

	board_close(board);
	snprintf(path, sizeof path, "%s/board", directory);
	assert_int_equal(unlink(path), 0);
}

static void
who_comes_after_the_queue_was_closed_is_left_to_others(void **state)
{
	Board *board = board_take();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		say(client(i), request(S("/"), NULL, S("")));
	board_queue_close(board, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(wire_next(wire, WIRE_WAITING), WIRE_REQUEST);
		assert_true(answer_ok());
		assert_true(holds(hear(clients[i]), "hello"));
	}
	assert_int_equal(wire_next(wire, WIRE_WAITING), WIRE_SIGNAL);
	assert_int_equal(poll(&(struct pollfd){ .fd = listener, .events = POLLIN }, 1, 0), 1);
	board_drop(board);
}

static void
the_wait_to_be_accepted_is_counted_in(void **state)
{
	Board *board = board_take();
	int64_t seen_us = clock_mono_us() - 700000;

	(void)state;
	say(client(0), request(S("/0"), NULL, S("")));
	client(1); /* silent, and later not */
	say(client(2), request(S("/2"), NULL, S("")));
	board_queue_set(board, 2, seen_us, 100000);
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_in_range(wire_first_byte_us(wire) - seen_us, 0, 650000);
	assert_true(answer_ok());
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(wire_first_byte_us(wire) > seen_us + 700000);
	assert_true(answer_ok());
	say(clients[1], request(S("/1"), NULL, S("")));
	assert_int_equal(wire_next(wire, WIRE_OPEN), WIRE_REQUEST);
	assert_true(wire_first_byte_us(wire) > seen_us + 700000);
	assert_true(answer_ok());
	board_drop(board);
}

#define WIRE_TEST(test) cmocka_unit_test_setup_teardown(test, wire_bench_open, wire_bench_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WIRE_TEST(a_crowd_of_silent_peers_delays_nobody),
		WIRE_TEST(a_head_that_comes_slowly_is_served_before_newer_ones),
		WIRE_TEST(a_head_has_its_deadline),
		WIRE_TEST(one_who_goes_in_his_head_is_counted),
		WIRE_TEST(a_full_set_loses_its_oldest_silent_peer),
		WIRE_TEST(a_lack_of_descriptors_is_waited_for),
		WIRE_TEST(signals_are_open_only_while_waiting),
		WIRE_TEST(the_library_takes_no_signal),
		WIRE_TEST(stopping_takes_nobody_new_and_leaves_nobody_alone),
		WIRE_TEST(a_small_body_is_whole_before_its_request_is_handed_out),
		WIRE_TEST(a_body_that_is_too_large_to_gather_is_read_by_who_serves_it),
		WIRE_TEST(a_gathered_body_of_another_length_is_refused),
		WIRE_TEST(a_gathered_body_above_the_routes_limit_is_too_large),
		WIRE_TEST(a_body_that_is_late_is_handed_out_and_waited_for_no_more),
		WIRE_TEST(who_leaves_in_the_middle_of_a_body_is_counted_and_forgotten),
		WIRE_TEST(stopping_waits_for_bodies_that_have_begun),
		WIRE_TEST(who_waits_on_the_socket_is_served_before_the_end),
		WIRE_TEST(who_comes_after_the_queue_was_closed_is_left_to_others),
		WIRE_TEST(the_wait_to_be_accepted_is_counted_in),
	};

	return cmocka_run_group_tests(tests, wire_bench_begin, wire_bench_end);
}
