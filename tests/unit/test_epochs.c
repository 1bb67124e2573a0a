#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/settings.h"
#include "fcgi/revoke.h"
#include "tests/lib/board_bench.h"

enum { CHILDREN = 4, RAISES = 20000 };

static Str
bytes_of(const Uuid *id)
{
	return (Str){ (const char *)id->b, sizeof id->b };
}

/* A sum may go round. */
static bool
rose(uint64_t before, uint64_t sum)
{
	return (int64_t)(sum - before) > 0;
}

static void
a_sum_changes_when_one_of_its_counters_rises_and_not_for_others(void **state)
{
	const uint16_t mine[] = { 3, 65535, 3 };
	uint64_t before = board_epochs_sum(board, mine, COUNT(mine));

	(void)state;
	board_epoch_raise(board, 4);
	assert_true(board_epochs_sum(board, mine, COUNT(mine)) == before);
	for (int i = 0; i < 4 * 100; i++) { /* the clock stands still between some of them */
		uint64_t sum;

		if (i % 4 == 3)
			board_epochs_void(board);
		else if (i % 4 == 2)
			board_epochs_raise(board);
		else
			board_epoch_raise(board, mine[i % 4]);
		sum = board_epochs_sum(board, mine, COUNT(mine));
		assert_true(rose(before, sum));
		before = sum;
	}
	assert_true(board_epochs_sum(board, NULL, 0) != board_epochs_sum(board, mine, 1));
}

static void
the_last_raise_is_known_by_its_moment(void **state)
{
	const uint16_t ids[] = { 11, 12 }, stranger = 13;
	int64_t start_us, first_us, all_us;

	board_bench_close(state);
	assert_int_equal(board_bench_open(state), 0);
	start_us = clock_mono_us();
	board_epoch_raise(board, 11);
	first_us = board_epochs_raised_us(board, ids, COUNT(ids));
	assert_in_range(first_us, start_us, clock_mono_us());
	assert_true(board_epochs_raised_us(board, &ids[1], 1) <= start_us);
	board_epoch_raise(board, 11);
	assert_true(board_epochs_raised_us(board, ids, COUNT(ids)) > first_us);
	assert_true(board_epochs_raised_us(board, &stranger, 1) <= start_us);
	all_us = clock_mono_us();
	board_epochs_raise(board);
	assert_true(board_epochs_raised_us(board, &stranger, 1) >= all_us);
	all_us = board_epochs_raised_us(board, ids, COUNT(ids));
	board_epochs_void(board); /* nothing has changed that is known */
	assert_true(board_epochs_raised_us(board, ids, COUNT(ids)) == all_us);
}

static void
ids_have_counters_of_their_own_by_kind_and_spread_over_all(void **state)
{
	static uint8_t seen[BOARD_EPOCHS];
	size_t used = 0;

	(void)state;
	assert_int_not_equal(board_epoch_of(EPOCH_ROLE, S("admin")),
	                     board_epoch_of(EPOCH_KEY, S("admin")));
	assert_int_not_equal(board_epoch_of(EPOCH_ROLE, S("admin")),
	                     board_epoch_of(EPOCH_ROLE, S("editor")));
	for (int i = 0; i < BOARD_EPOCHS; i++) {
		Uuid id = uuid7_make();
		uint16_t at = board_epoch_of(EPOCH_SESSION, bytes_of(&id));

		used += seen[at] == 0;
		seen[at] = 1;
	}
	/* 1 - 1/e of them, when each has the same chance */
	assert_in_range(used, BOARD_EPOCHS * 62 / 100, BOARD_EPOCHS * 65 / 100);
}

static void
nothing_is_lost_when_many_raise_at_once(void **state)
{
	const uint16_t one = 77;
	uint64_t before;

	(void)state;
	board_epoch_raise(board, one); /* to this moment; then they are faster than the clock */
	before = board_epochs_sum(board, &one, 1);
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0) {
			for (int k = 0; k < RAISES; k++)
				board_epoch_raise(board, one);
			_exit(0);
		}
	for (int i = 0; i < CHILDREN; i++)
		wait(NULL);
	assert_true(rose(before + CHILDREN * RAISES - 1, board_epochs_sum(board, &one, 1)));
}

static void
a_new_board_begins_anywhere(void **state)
{
	uint64_t before = board_epochs_sum(board, NULL, 0);
	int64_t start_us = clock_mono_us();
	const uint16_t any = 1;
	void *none;

	(void)state;
	board_bench_close(&none);
	assert_int_equal(board_bench_open(&none), 0);
	assert_true(board_epochs_sum(board, NULL, 0) != before);
	/* what was raised before is not known, so that all was */
	assert_in_range(board_epochs_raised_us(board, &any, 1), start_us, clock_mono_us());
}

static void
a_tool_takes_part_in_the_board_that_there_is(void **state)
{
	const uint16_t one = 5;
	uint64_t before = board_epochs_sum(board, &one, 1);
	Board *ours = board_join(board_dir);

	(void)state;
	assert_non_null(ours);
	board_epoch_raise(ours, one);
	board_close(ours);
	assert_true(rose(before, board_epochs_sum(board, &one, 1)));
	assert_null(board_join("/nonexistent"));
}

/* --- what is heard */

static void
a_moment_is_known_for_its_own_source_alone(void **state)
{
	(void)state;
	assert_true(board_heard_us(board, 7) == 0);
	board_heard_set(board, 7, INT64_C(123456789));
	assert_true(board_heard_us(board, 7) == INT64_C(123456000));
	assert_true(board_heard_us(board, 8) == 0);
	/* 30 years after boot */
	board_heard_set(board, 8, INT64_C(30) * 365 * 86400 * 1000000);
	assert_true(board_heard_us(board, 8) == INT64_C(30) * 365 * 86400 * 1000000);
	assert_true(board_heard_us(board, 7) == 0);
}

static void
trust_ends_with_its_time_and_is_not_given_to_the_future(void **state)
{
	static const struct {
		int64_t age_ms;
		bool want;
	} rows[] = {
		{ 0, true },
		{ REVOKE_TRUST_MS - 200, true },
		{ REVOKE_TRUST_MS + 1, false },
		{ 60000, false },
		{ -10000, false }, /* a board of before a reboot */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		board_heard_set(board, revoke_source(),
		                clock_mono_us() - rows[i].age_ms * 1000);
		assert_int_equal(revoke_hears(board), rows[i].want);
	}
	board_heard_set(board, revoke_source() + 1, clock_mono_us());
	assert_false(revoke_hears(board));
}

static void
a_message_raises_what_it_names_and_everything_when_it_is_not_understood(void **state)
{
	static const char id[] = "0190b6e0-0000-7000-8000-000000000001";
	static const char *const others[] = {
		"", "s", "s:", "s:x", "u:0190b6e0", "t:admin", "admin", ":", "\xff\xff",
	};
	Uuid uuid;
	const struct {
		const char *words;
		uint16_t epoch;
	} rows[] = {
		{ "s:0190b6e0-0000-7000-8000-000000000001", 0 },
		{ "u:0190b6e0-0000-7000-8000-000000000001", 0 },
		{ "r:admin", board_epoch_of(EPOCH_ROLE, S("admin")) },
		{ "r:", board_epoch_of(EPOCH_ROLE, S("")) },
		{ "k:anything", revoke_keys_epoch() },
	};
	uint64_t all;

	(void)state;
	assert_true(uuid_read(str_of(id), &uuid));
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint16_t epoch = i == 0   ? revoke_uuid_epoch(EPOCH_SESSION, uuid)
		                 : i == 1 ? revoke_uuid_epoch(EPOCH_USER, uuid)
		                          : rows[i].epoch;
		uint64_t before = board_epochs_sum(board, &epoch, 1);

		all = board_epochs_sum(board, NULL, 0);
		revoke_heard(board, str_of(rows[i].words));
		assert_true(rose(before, board_epochs_sum(board, &epoch, 1)));
		assert_true(board_epochs_sum(board, NULL, 0) == all);
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		all = board_epochs_sum(board, NULL, 0);
		revoke_heard(board, str_of(others[i]));
		assert_true(rose(all, board_epochs_sum(board, NULL, 0)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_sum_changes_when_one_of_its_counters_rises_and_not_for_others),
		cmocka_unit_test(the_last_raise_is_known_by_its_moment),
		cmocka_unit_test(ids_have_counters_of_their_own_by_kind_and_spread_over_all),
		cmocka_unit_test(nothing_is_lost_when_many_raise_at_once),
		cmocka_unit_test(a_new_board_begins_anywhere),
		cmocka_unit_test(a_tool_takes_part_in_the_board_that_there_is),
		cmocka_unit_test(a_moment_is_known_for_its_own_source_alone),
		cmocka_unit_test(trust_ends_with_its_time_and_is_not_given_to_the_future),
		cmocka_unit_test(
		    a_message_raises_what_it_names_and_everything_when_it_is_not_understood),
	};
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(16));
	Settings *settings;
	Str faults;
	int failed;

	settings = settings_read(NULL, NULL, 0, arena, &faults);
	CHECK(settings != NULL);
	conf = settings;
	failed = cmocka_run_group_tests(tests, board_bench_open, board_bench_close);
	settings_free(settings);
	return failed;
}
