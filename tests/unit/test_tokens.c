#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fcgi/tokens.h"
#include "tests/lib/board_bench.h"

enum { EPOCH = 9, OTHER = 10, HOUR_S = 3600 };

static Arena *arena;
static Str two_permissions[] = { { "products:write", 14 }, { "ops:read", 8 } };

static int
group_open(void **state)
{
	arena = arena_open(MIB(1));
	return board_bench_open(state);
}

static int
group_close(void **state)
{
	arena_close(arena);
	return board_bench_close(state);
}

static int
wiped(void **state)
{
	(void)state;
	tokens_wipe();
	return 0;
}

/* A token that is good for an hour. */
static Token
made(void)
{
	int64_t now_s = clock_now().us / 1000000;
	Token token = {
		.nbf_s = now_s - 1,
		.exp_s = now_s + HOUR_S,
		.until_us = clock_mono_us() + HOUR_S * INT64_C(1000000),
		.epochs = { EPOCH },
		.n_epochs = 1,
		.caller = {
			.known = true,
			.user_id = { { 1 } },
			.session_id = { { 2 } },
			.permissions = { two_permissions, 2 },
			.rights = UINT64_C(0x60),
		},
	};

	token.sum = board_epochs_sum(board, token.epochs, token.n_epochs);
	return token;
}

/* The digest of the i-th token, in this set of the table. */
static void
digest_make(uint8_t digest[SHA256_BYTES], int set, int i)
{
	memset(digest, 0, SHA256_BYTES);
	digest[0] = (uint8_t)set;
	memcpy(digest + 8, &i, sizeof i);
}

static bool
found(int set, int i, Caller *out)
{
	uint8_t digest[SHA256_BYTES];

	digest_make(digest, set, i);
	return tokens_find(digest, board, arena, out);
}

static void
keep(int set, int i, const Token *token)
{
	uint8_t digest[SHA256_BYTES];

	digest_make(digest, set, i);
	tokens_keep(digest, token);
}

static void
what_is_kept_comes_back_whole_and_borrows_nothing(void **state)
{
	Token token = made();
	char text[] = "models:infer";
	Str permissions[] = { { "", 0 }, { text, 12 } };
	Caller caller = { 0 };

	(void)state;
	assert_false(found(1, 1, &caller));
	token.caller.permissions = (StrList){ permissions, 2 };
	keep(1, 1, &token);
	memset(text, 'x', sizeof text - 1);
	assert_true(found(1, 1, &caller));
	assert_true(caller.known);
	assert_int_equal(caller.user_id.b[0], 1);
	assert_int_equal(caller.session_id.b[0], 2);
	assert_true(caller.rights == UINT64_C(0x60));
	assert_int_equal(caller.permissions.n, 2);
	assert_int_equal(caller.permissions.v[0].n, 0);
	assert_true(str_eq(caller.permissions.v[1], S("models:infer")));
	assert_false(found(1, 2, &caller));
	token.caller.permissions.n = 0;
	keep(1, 1, &token);
	assert_true(found(1, 1, &caller));
	assert_int_equal(caller.permissions.n, 0);
}

static void
it_is_good_until_its_time_or_its_sessions_is_over(void **state)
{
	int64_t now_s = clock_now().us / 1000000;
	const struct {
		int64_t nbf_s, exp_s, left_us;
		bool want;
	} rows[] = {
		{ now_s - 5, now_s + 60, 60000000, true },
		{ now_s - 5, now_s - 1, 60000000, false },
		{ now_s - 5, now_s, 60000000, false },
		{ now_s + 60, now_s + 120, 60000000, false },
		{ now_s - 5, now_s + 60, 0, false },
		{ now_s - 5, now_s + 60, -1, false },
	};
	Caller caller;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Token token = made();

		token.nbf_s = rows[i].nbf_s;
		token.exp_s = rows[i].exp_s;
		token.until_us = clock_mono_us() + rows[i].left_us;
		keep(2, (int)i, &token);
		assert_int_equal(found(2, (int)i, &caller), rows[i].want);
	}
}

static void
a_raised_epoch_makes_it_unknown_until_it_is_kept_anew(void **state)
{
	Token token = made();
	Caller caller;

	(void)state;
	keep(3, 1, &token);
	board_epoch_raise(board, OTHER);
	assert_true(found(3, 1, &caller));
	board_epoch_raise(board, EPOCH);
	assert_false(found(3, 1, &caller));
	token = made();
	keep(3, 1, &token);
	assert_true(found(3, 1, &caller));
	board_epochs_raise(board);
	assert_false(found(3, 1, &caller));
}

static void
a_full_set_puts_out_the_one_used_longest_ago(void **state)
{
	Token token = made();
	Caller caller;

	(void)state;
	for (int i = 0; i < 4; i++)
		keep(4, i, &token);
	assert_true(found(4, 0, &caller)); /* so 1 is the oldest */
	keep(4, 4, &token);
	assert_false(found(4, 1, &caller));
	for (int i = 0; i < 5; i++)
		assert_int_equal(found(4, i, &caller), i != 1);
	keep(5, 0, &token); /* another set: nobody goes */
	assert_true(found(4, 0, &caller));
}

static void
any_number_of_tokens_takes_no_more_room_and_none_is_mistaken(void **state)
{
	Caller caller;
	size_t kept = 0;

	(void)state;
	for (int i = 0; i < 10 * TOKENS_PLACES; i++) {
		Token token = made();

		memcpy(token.caller.user_id.b, &i, sizeof i);
		keep(i % 256, i, &token);
	}
	for (int i = 0; i < 10 * TOKENS_PLACES; i++) {
		if (!found(i % 256, i, &caller))
			continue;
		kept++;
		assert_memory_equal(caller.user_id.b, &i, sizeof i);
	}
	assert_int_equal(kept, TOKENS_PLACES);
}

static void
what_is_too_large_is_not_kept(void **state)
{
	static char text[TOKENS_TEXT_BYTES];
	Token token = made();
	Str permission = { text, sizeof text - 1 };
	Caller caller;

	(void)state;
	memset(text, 'p', sizeof text);
	token.caller.permissions = (StrList){ &permission, 1 };
	keep(6, 1, &token);
	assert_true(found(6, 1, &caller));
	assert_true(str_eq(caller.permissions.v[0], permission));
	permission.n++;
	keep(6, 2, &token);
	assert_false(found(6, 2, &caller));
	token = made();
	token.n_epochs = TOKENS_EPOCHS + 1;
	keep(6, 3, &token);
	assert_false(found(6, 3, &caller));
}

static void
after_the_wipe_nothing_is_known(void **state)
{
	Token token = made();
	Caller caller;

	(void)state;
	keep(7, 1, &token);
	tokens_wipe();
	assert_false(found(7, 1, &caller));
}

#define TOKENS_TEST(name) cmocka_unit_test_setup(name, wiped)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TOKENS_TEST(what_is_kept_comes_back_whole_and_borrows_nothing),
		TOKENS_TEST(it_is_good_until_its_time_or_its_sessions_is_over),
		TOKENS_TEST(a_raised_epoch_makes_it_unknown_until_it_is_kept_anew),
		TOKENS_TEST(a_full_set_puts_out_the_one_used_longest_ago),
		TOKENS_TEST(any_number_of_tokens_takes_no_more_room_and_none_is_mistaken),
		TOKENS_TEST(what_is_too_large_is_not_kept),
		TOKENS_TEST(after_the_wipe_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, group_open, group_close);
}
