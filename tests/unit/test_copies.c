#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fcgi/copies.h"

static const int64_t STAMP_MS = INT64_C(1795251600000), AT_MS = INT64_C(1795251600120);

static Ctx ctx;
static Hmac *hmac;

static int
bench_open(void **state)
{
	(void)state;
	ctx.arena = arena_open(MIB(16));
	hmac = hmac_open(S("a secret of thirty-two characters"));
	return 0;
}

static int
bench_close(void **state)
{
	(void)state;
	hmac_close(hmac);
	arena_close(ctx.arena);
	return 0;
}

static CopyAsked
moment(int64_t stamp_ms, int64_t at_ms)
{
	return (CopyAsked){ S("rights:one"), STAMP_MS + stamp_ms, AT_MS + at_ms };
}

static SessionRights
rights(void)
{
	static Str permissions[] = { { "products:write", 14 },
		                     { "\xe0\xb8\x81 \"x\"\n", 8 },
		                     { "", 0 } };

	return (SessionRights){
		.user_id = { { 1, 2, 3 } },
		.status = USER_UNVERIFIED,
		.left_ms = 60000,
		.gen = 7,
		.acked = true,
		.permissions = { permissions, COUNT(permissions) },
	};
}

static Str
sealed(void)
{
	CopyAsked asked = moment(0, 0);
	SessionRights row = rights();

	return copy_seal(ctx.arena, hmac, &asked, &row);
}

static bool
opens(Str copy, CopyAsked now)
{
	SessionRights row, untouched;
	bool opened;

	memset(&row, 0x55, sizeof row);
	untouched = row;
	opened = copy_open(&ctx, hmac, &now, copy, &row);
	assert_true(opened || memcmp(&row, &untouched, sizeof row) == 0);
	return opened;
}

static void
what_is_sealed_comes_back_whole_with_less_time_left(void **state)
{
	CopyAsked now = moment(1500, 1400);
	SessionRights row, want = rights();

	(void)state;
	assert_true(copy_open(&ctx, hmac, &now, sealed(), &row));
	assert_true(uuid_eq(row.user_id, want.user_id));
	assert_int_equal(row.status, want.status);
	assert_false(row.ended);
	assert_int_equal(row.left_ms, want.left_ms - 1500);
	assert_int_equal(row.gen, want.gen);
	assert_true(row.acked);
	assert_int_equal(row.permissions.n, want.permissions.n);
	for (size_t i = 0; i < want.permissions.n; i++)
		assert_true(str_eq(row.permissions.v[i], want.permissions.v[i]));
}

static void
it_is_young_by_redis_and_by_the_hosts_or_it_is_none(void **state)
{
	static const struct {
		int64_t stamp_ms, at_ms; /* later than it was sealed, by either clock */
		bool want;
	} rows[] = {
		{ 0, 0, true },
		{ COPIES_MS - 1, COPIES_MS - 1, true },
		{ COPIES_MS, COPIES_MS, false },
		{ COPIES_MS, 0, false },
		{ -1, 0, false }, /* Redis' clock was turned back */
		{ -3600000, 0, false },
		{ 3600000, 0, false },
		{ 0, COPIES_MS + COPIES_CLOCKS_MS - 1, true }, /* clocks of hosts differ */
		{ 0, COPIES_MS + COPIES_CLOCKS_MS, false },
		{ 0, -COPIES_CLOCKS_MS, true },
		{ 0, -COPIES_CLOCKS_MS - 1, false },
		{ 0, 3600000, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (opens(sealed(), moment(rows[i].stamp_ms, rows[i].at_ms)) != rows[i].want)
			fail_msg("row %zu", i);
}

static void
a_stamp_that_cannot_be_does_no_harm(void **state)
{
	static const int64_t stamps[] = { INT64_MIN, -1, 0, INT64_MAX };
	SessionRights row = rights();

	(void)state;
	for (size_t i = 0; i < COUNT(stamps); i++) {
		CopyAsked there = { S("rights:one"), stamps[i], stamps[i] };

		assert_false(opens(copy_seal(ctx.arena, hmac, &there, &row), moment(0, 0)));
		assert_false(opens(sealed(), there));
	}
}

static void
a_session_that_ends_meanwhile_has_no_copy(void **state)
{
	CopyAsked asked = moment(0, 0);
	SessionRights row = rights();
	Str copy;

	(void)state;
	row.left_ms = 1000;
	copy = copy_seal(ctx.arena, hmac, &asked, &row);
	assert_true(opens(copy, moment(999, 999)));
	assert_false(opens(copy, moment(1000, 1000)));
	assert_false(opens(copy, moment(1001, 1001)));
}

static void
what_was_sealed_for_another_or_by_another_is_none(void **state)
{
	Str copy = sealed();
	CopyAsked now = moment(1, 1);
	Hmac *ours = hmac;

	(void)state;
	assert_true(opens(copy, now));
	now.key = S("rights:two");
	assert_false(opens(copy, now));
	now.key = S("rights:one\n");
	assert_false(opens(copy, now));
	now = moment(1, 1);
	hmac = hmac_open(S("another secret of the same length"));
	assert_false(opens(copy, now));
	hmac_close(hmac);
	hmac = ours;
}

static void
no_byte_of_it_can_be_changed_or_cut_or_added(void **state)
{
	Str copy = sealed();
	char *bytes = str_text(ctx.arena, copy);

	(void)state;
	for (size_t i = 0; i < copy.n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] = (char)(bytes[i] ^ 1 << bit);
			assert_false(opens((Str){ bytes, copy.n }, moment(1, 1)));
			bytes[i] = (char)(bytes[i] ^ 1 << bit);
		}
	for (size_t n = 0; n < copy.n; n++)
		assert_false(opens(str_sub(copy, 0, n), moment(1, 1)));
	for (size_t n = 1; n < copy.n; n++)
		assert_false(opens(str_sub(copy, n, copy.n), moment(1, 1)));
	assert_false(opens(str_print(ctx.arena, "%.*s ", STR_ARG(copy)), moment(1, 1)));
	assert_false(opens(STR_NONE, moment(1, 1)));
	assert_true(opens((Str){ bytes, copy.n }, moment(1, 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_comes_back_whole_with_less_time_left),
		cmocka_unit_test(it_is_young_by_redis_and_by_the_hosts_or_it_is_none),
		cmocka_unit_test(a_stamp_that_cannot_be_does_no_harm),
		cmocka_unit_test(a_session_that_ends_meanwhile_has_no_copy),
		cmocka_unit_test(what_was_sealed_for_another_or_by_another_is_none),
		cmocka_unit_test(no_byte_of_it_can_be_changed_or_cut_or_added),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
