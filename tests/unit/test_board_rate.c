#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/board_bench.h"

enum { PROCESSES = 8, TRIES = 200000, LIMIT = 1000000, KILLS = 300, MINUTE_MS = 60000 };

static const int64_t second_us = 1000000, minute_us = 60 * second_us;
static const RateRule hundred = { 100, MINUTE_MS };

/* The id of the n-th caller. */
static const uint8_t *
caller(uint64_t n)
{
	static uint8_t id[16];

	memcpy(id, &n, sizeof n);
	return id;
}

/* How many of n requests pass. */
static int
taken(uint64_t who, const RateRule *rule, int64_t now_us, int n)
{
	RateState seen;
	int passed = 0;

	for (int i = 0; i < n; i++)
		passed += board_rate_take(board, 0, caller(who), rule, now_us, &seen);
	return passed;
}

static void
a_window_begins_with_the_first_request_and_counts_exactly(void **state)
{
	static const struct {
		const char *what;
		int64_t at_us;
		int asked, passed;
		int64_t left, reset_ms;
	} rows[] = {
		{ "the first", 5000000, 1, 1, 99, 60000 },
		{ "half a second on", 5500000, 49, 49, 50, 59500 },
		{ "more than are left", 35000000, 60, 50, 0, 30000 },
		{ "none is left until the end", 64999000, 3, 0, 0, 1 },
		{ "a new window", 65000000, 1, 1, 99, 60000 },
		{ "a clock that is read a little late", 64990000, 1, 1, 98, 60000 },
		{ "all at once", 65000000, 1000, 98, 0, 60000 },
		{ "long after", 999000000, 1000, 100, 0, 60000 },
		{ "a clock that began anew", 7000000, 1000, 100, 0, 60000 },
	};
	RateState seen;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int passed = 0;

		for (int k = 0; k < rows[i].asked; k++)
			passed += board_rate_take(board, 0, caller(1), &hundred, rows[i].at_us,
			                          &seen);
		if (passed != rows[i].passed || seen.left != rows[i].left ||
		    seen.reset_ms != rows[i].reset_ms)
			fail_msg("%s: %d passed, %lld left, reset %lld", rows[i].what, passed,
			         (long long)seen.left, (long long)seen.reset_ms);
	}
}

static void
callers_and_kinds_are_counted_apart(void **state)
{
	RateState seen;

	(void)state;
	assert_int_equal(taken(1, &hundred, second_us, 200), 100);
	assert_int_equal(taken(2, &hundred, second_us, 200), 100);
	assert_true(board_rate_take(board, 1, caller(1), &hundred, second_us, &seen));
	assert_int_equal(seen.left, 99);
}

static void
another_quota_holds_at_once(void **state)
{
	const RateRule more = { 150, MINUTE_MS }, less = { 10, MINUTE_MS };

	(void)state;
	assert_int_equal(taken(1, &hundred, second_us, 200), 100);
	assert_int_equal(taken(1, &more, second_us, 200), 50);
	assert_int_equal(taken(1, &less, second_us, 200), 0);
}

static void
what_was_counted_stays_when_the_board_is_opened_again(void **state)
{
	(void)state;
	assert_int_equal(taken(1, &hundred, second_us, 200), 100);
	board_close(board);
	board = board_open(board_dir);
	assert_non_null(board);
	assert_int_equal(taken(1, &hundred, second_us, 200), 0);
}

static void
a_full_table_forgets_those_that_took_least(void **state)
{
	enum { HEAVY = 50 };

	(void)state;
	for (uint64_t who = 0; who < HEAVY; who++)
		assert_int_equal(taken(who, &hundred, second_us, 90), 90);
	for (uint64_t who = 0; who < UINT64_C(4) * BOARD_RATES; who++)
		assert_int_equal(taken(1000 + who, &hundred, 2 * second_us, 1), 1);
	/* but for those that meet in one set by chance */
	for (uint64_t who = 0; who < HEAVY; who++)
		assert_int_equal(taken(who, &hundred, 3 * second_us, 200), 10);
}

static void
places_of_windows_that_are_over_are_taken_first(void **state)
{
	enum { LATER = 1000 }; /* too few to be five in one set */

	(void)state;
	for (uint64_t who = 0; who < UINT64_C(4) * BOARD_RATES; who++)
		assert_int_equal(taken(who, &hundred, second_us, 2), 2);
	for (uint64_t who = 0; who < LATER; who++)
		assert_int_equal(taken(1000000 + who, &hundred, 2 * minute_us, 1), 1);
	for (uint64_t who = 0; who < LATER; who++)
		assert_int_equal(taken(1000000 + who, &hundred, 2 * minute_us, 100), 99);
}

/*
 * A process that asks from then on, `tries` times, and writes how many passed; 0: for ever, for
 * 64 callers.
 */
static int
hammer(uint64_t who, const RateRule *rule, int tries, Deadline start, int passed_fd)
{
	int pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int passed = 0;

		while (!deadline_passed(start))
			;
		for (int i = 0; i < tries || tries == 0; i++)
			passed += taken(tries == 0 ? who + (uint64_t)i % 64 : who, rule,
			                clock_mono_us(), 1);
		_exit(write(passed_fd, &passed, sizeof passed) != sizeof passed);
	}
	return pid;
}

static void
many_processes_at_once_pass_what_one_would(void **state)
{
	const RateRule rule = { LIMIT, MINUTE_MS };
	int ends[2], all = 0, passed, status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	/* a first request is where places are claimed */
	for (uint64_t who = 0; who < 5; who++) {
		Deadline start = deadline_in_ms(30);

		all = 0;
		for (int i = 0; i < PROCESSES; i++)
			hammer(who, &rule, TRIES, start, ends[1]);
		for (int i = 0; i < PROCESSES; i++) {
			assert_int_equal(read(ends[0], &passed, sizeof passed), sizeof passed);
			all += passed;
		}
		while (wait(&status) > 0)
			assert_int_equal(status, 0);
		assert_in_range(all, LIMIT - LIMIT / 100, LIMIT + LIMIT / 100);
	}
	close(ends[0]);
	close(ends[1]);
}

static void
killed_at_any_instruction_the_table_goes_on_counting(void **state)
{
	const RateRule endless = { 10000000, MINUTE_MS };
	int pids[3];

	(void)state;
	srand(1);
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = hammer(i * 32, &endless, 0, (Deadline){ 0 }, -1);
	for (int kills = 0; kills < KILLS; kills++) {
		size_t i = (size_t)rand() % COUNT(pids);
		struct timespec pause = { .tv_nsec = rand() % 200000 };

		nanosleep(&pause, NULL);
		kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
		assert_int_equal(
		    taken(500000 + (uint64_t)kills, &hundred, clock_mono_us(), 200), 100);
		pids[i] =
		    hammer(i * 32 + (uint64_t)kills * 7, &endless, 0, (Deadline){ 0 }, -1);
	}
	for (size_t i = 0; i < COUNT(pids); i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

static void
a_breaker_opens_at_the_first_fault_and_one_tries_again(void **state)
{
	(void)state;
	assert_true(board_breaker_enter(board, BREAKER_CACHE, 10, 1000));
	assert_false(board_breaker_leave(board, BREAKER_CACHE, true, 10, 1000));
	assert_false(board_breaker_open(board, BREAKER_CACHE));
	assert_true(board_breaker_enter(board, BREAKER_CACHE, 10, 1000));
	assert_true(board_breaker_leave(board, BREAKER_CACHE, false, 20, 1000));
	/* another that was in */
	assert_false(board_breaker_leave(board, BREAKER_CACHE, false, 30, 1000));
	assert_true(board_breaker_open(board, BREAKER_CACHE));
	assert_false(board_breaker_enter(board, BREAKER_CACHE, 1029, 1000));
	/* the probe, which dies */
	assert_true(board_breaker_enter(board, BREAKER_CACHE, 1030, 1000));
	assert_false(board_breaker_enter(board, BREAKER_CACHE, 1030, 1000));
	assert_true(board_breaker_enter(board, BREAKER_CACHE, 2030, 1000)); /* the next */
	assert_true(board_breaker_leave(board, BREAKER_CACHE, true, 2040, 1000));
	assert_true(board_breaker_enter(board, BREAKER_CACHE, 2050, 1000));
}

#define RATE_TEST(name)                                                                        \
	cmocka_unit_test_setup_teardown(name, board_bench_open, board_bench_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RATE_TEST(a_window_begins_with_the_first_request_and_counts_exactly),
		RATE_TEST(callers_and_kinds_are_counted_apart),
		RATE_TEST(another_quota_holds_at_once),
		RATE_TEST(what_was_counted_stays_when_the_board_is_opened_again),
		RATE_TEST(a_full_table_forgets_those_that_took_least),
		RATE_TEST(places_of_windows_that_are_over_are_taken_first),
		RATE_TEST(many_processes_at_once_pass_what_one_would),
		RATE_TEST(killed_at_any_instruction_the_table_goes_on_counting),
		RATE_TEST(a_breaker_opens_at_the_first_fault_and_one_tries_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
