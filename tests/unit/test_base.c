#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/encode.h"
#include "common/uuid.h"

static void
check_str(Str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p == NULL ? "" : got.p, want, got.n);
}

/* ---------------------------------------------------------------- arena */

static void
pieces_are_zeroed_aligned_and_apart(void **state)
{
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (int round = 0; round < 2; round++) {
		char *last = NULL;

		for (size_t n = 1; n < 3000; n += 7) {
			char *piece = arena_take(arena, n, 1, 1);
			int64_t *number = arena_new(arena, int64_t, 1);

			assert_int_equal((uintptr_t)number % _Alignof(int64_t), 0);
			assert_int_equal(*number, 0);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(piece[i], 0);
			memset(piece, 0xAA, n);
			assert_ptr_not_equal(piece, last);
			last = piece;
			*number = -1;
			if (arena_used(arena) > KIB(900))
				arena_reset(arena);
		}
		arena_reset(arena);
		assert_int_equal(arena_used(arena), 0);
	}
	arena_close(arena);
}

static int undone[3], undone_n;

static void
undo(void *thing)
{
	undone[undone_n++] = *(int *)thing;
}

static void
what_is_owned_goes_newest_first_and_once(void **state)
{
	static int things[3] = { 1, 2, 3 };
	Arena *arena = arena_open(MIB(1));
	ArenaMark mark;

	(void)state;
	undone_n = 0;
	arena_own(arena, &things[0], undo);
	mark = arena_mark(arena);
	arena_own(arena, &things[1], undo);
	arena_own(arena, &things[2], undo);
	arena_back(arena, mark);
	assert_int_equal(undone_n, 2);
	assert_int_equal(undone[0], 3);
	assert_int_equal(undone[1], 2);
	arena_close(arena);
	assert_int_equal(undone_n, 3);
	assert_int_equal(undone[2], 1);
}

static void
going_back_to_a_mark_keeps_a_long_loop_small(void **state)
{
	Arena *arena = arena_open(MIB(1));
	char *kept = arena_print(arena, "kept %d", 1);
	ArenaMark mark = arena_mark(arena);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		memset(arena_take(arena, 40000, 1, 1), 1, 40000);
		memset(arena_take(arena, 100, 1, 1), 1, 100);
		arena_back(arena, mark);
	}
	assert_string_equal(kept, "kept 1");
	assert_true(arena_used(arena) < 100);
	arena_close(arena);
}

/* ---------------------------------------------------------------- text */

static void
numbers_are_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t want;
	} rows[] = {
		{ "0", true, 0 },
		{ "-1", true, -1 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "18446744073709551623", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ "+7", false, 0 },
		{ " 7", false, 0 },
		{ "7 ", false, 0 },
		{ "0x7", false, 0 },
		{ "--7", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t got = 77;

		assert_int_equal(str_i64(str_of(rows[i].text), &got), rows[i].good);
		assert_int_equal(got, rows[i].good ? rows[i].want : 77);
	}
}

static void
parts_between_separators_include_empty_ones(void **state)
{
	static const char *const want[] = { "a", "", "b", "" };
	Str rest = S("a,,b,"), part;

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(str_next(&rest, ',', &part));
		check_str(part, want[i]);
	}
	assert_false(str_next(&rest, ',', &part));
}

static void
only_well_formed_utf8_is_text(void **state)
{
	static const struct {
		const char *text;
		bool good;
		size_t points;
	} rows[] = {
		{ "", true, 0 },
		{ "abc", true, 3 },
		{ "โคมไฟ", true, 5 },
		{ "\xF0\x9F\x8F\xAE", true, 1 },
		{ "\xC0\xAF", false, 0 }, /* overlong '/' */
		{ "\xE0\x80\xAF", false, 0 },
		{ "\xF0\x80\x80\xAF", false, 0 },
		{ "\xED\xA0\x80", false, 0 },     /* surrogate */
		{ "\xF4\x90\x80\x80", false, 0 }, /* above U+10FFFF */
		{ "\xE0\xB8", false, 0 },         /* cut */
		{ "\x80", false, 0 },
		{ "\xFF", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(str_is_utf8(str_of(rows[i].text)), rows[i].good);
		if (rows[i].good)
			assert_int_equal(str_points(str_of(rows[i].text)), rows[i].points);
	}
	check_str(str_points_cut(S("โคมไฟ"), 2), "โค");
	check_str(str_points_cut(S("ab"), 5), "ab");
}

static void
a_buffer_grows_and_keeps_what_it_has(void **state)
{
	Arena *arena = arena_open(MIB(1));
	Buf buf = { .arena = arena };

	(void)state;
	check_str(buf_str(&buf), "");
	for (int i = 0; i < 1000; i++)
		buf_print(&buf, "%d,", i);
	assert_int_equal(buf.n, 10 * 2 + 90 * 3 + 900 * 4);
	check_str(str_sub(buf_str(&buf), 0, 6), "0,1,2,");
	buf.n = 0;
	buf_i64(&buf, INT64_MIN);
	buf_byte(&buf, ' ');
	buf_i64(&buf, 0);
	check_str(buf_str(&buf), "-9223372036854775808 0");
	arena_close(arena);
}

/* ---------------------------------------------------------------- encodings */

static void
what_is_printed_may_be_of_any_length(void **state)
{
	Arena *arena = arena_open(MIB(1));

	(void)state;
	for (int n = 0; n < 600; n++) {
		Buf buf = { .arena = arena };
		Str said;

		buf_puts(&buf, "<");
		buf_print(&buf, "%*s|", n, "x");
		said = buf_str(&buf);
		assert_int_equal(said.n, MAX(n, 1) + 2);
		assert_true(str_ends(said, S("x|")));
		assert_true(str_starts(said, n > 1 ? S("< ") : S("<x")));
	}
	arena_close(arena);
}

static void
base64url_is_canonical_both_ways(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{ "", "" },        { "f", "Zg" },         { "fo", "Zm8" },
		{ "foo", "Zm9v" }, { "\xFB\xFF", "-_8" },
	};
	static const char *const bad[] = { "Z", "Zh", "Zm9", "Zg==", "Zm+v", "Zm9v\n", "Z m8" };
	Arena *arena = arena_open(MIB(1));
	uint8_t *bytes;
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str text =
		    base64url(arena, (const uint8_t *)rows[i].bytes, strlen(rows[i].bytes));

		check_str(text, rows[i].text);
		assert_true(base64url_read(arena, text, &bytes, &n));
		check_str((Str){ (const char *)bytes, n }, rows[i].bytes);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(base64url_read(arena, str_of(bad[i]), &bytes, &n));
	arena_close(arena);
}

static void
percent_encoding_is_undone_by_decoding(void **state)
{
	Arena *arena = arena_open(MIB(1));
	Str text = S("a b+c/ไ?&=%~-._");
	Str back;

	(void)state;
	check_str(percent(arena, S("a b/~")), "a%20b%2F~");
	assert_true(percent_read(arena, percent(arena, text), &back));
	assert_true(str_eq(back, text));
	assert_true(percent_read(arena, S("a+b%20c"), &back));
	check_str(back, "a b c");
	assert_false(percent_read(arena, S("%"), &back));
	assert_false(percent_read(arena, S("%4"), &back));
	assert_false(percent_read(arena, S("%zz"), &back));
	arena_close(arena);
}

/* ---------------------------------------------------------------- time and ids */

static void
instants_read_back_what_they_write(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "2026-11-21T09:00:00.123456Z", "2026-11-21T09:00:00.123456Z" },
		{ "2026-11-21T09:00:00Z", "2026-11-21T09:00:00.000000Z" },
		{ "2026-11-21t16:00:00.1234567+07:00", "2026-11-21T09:00:00.123456Z" },
		{ "2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000000Z" },
		{ "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z" },
		{ "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z" },
		{ "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
	};
	static const char *const bad[] = {
		"",
		"2026-11-21",
		"2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-00-10T00:00:00Z",
		"2026-11-21T24:00:00Z",
		"2026-11-21T09:60:00Z",
		"2026-11-21T09:00:61Z",
		"2026-11-21T09:00:00",
		"2026-11-21T09:00:00.Z",
		"2026-11-21T09:00:00+24:00",
		"2026-11-21T09:00:00+0700",
		"2026-11-21T09:00:00Z ",
		"0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+01:00",
		"9999-12-31T23:59:59-01:00",
		"+026-11-21T09:00:00Z",
	};
	Arena *arena = arena_open(MIB(1));
	Instant instant;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(instant_read(str_of(rows[i].text), &instant));
		check_str(instant_text(arena, instant), rows[i].want);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(instant_read(str_of(bad[i]), &instant));
	arena_close(arena);
}

static void
a_deadline_that_passed_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(deadline_left_ms(deadline_in_ms(-5)), 0);
	assert_true(deadline_passed(deadline_in_ms(0)));
	assert_in_range(deadline_left_ms(deadline_in_ms(5000)), 4900, 5000);
	assert_int_equal(deadline_left_ms((Deadline){ INT64_MAX / 2 }), INT32_MAX);
}

static void
uuids_are_version_seven_ordered_by_time_and_read_back(void **state)
{
	static const char *const bad[] = {
		"",
		"0193a8c0-0000-7000-8000-00000000000",
		"0193a8c0-0000-7000-8000-0000000000000",
		"0193a8c000007000800000000000000000000",
		"0193a8c0-0000-7000-8000-00000000000g",
		"{193a8c0-0000-7000-8000-000000000000",
	};
	Arena *arena = arena_open(MIB(1));
	Uuid before = uuid7_make(), id, back;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		id = uuid7_make();
		assert_int_equal(id.b[6] >> 4, 7);
		assert_int_equal(id.b[8] >> 6, 2);
		assert_true(memcmp(before.b, id.b, 6) <= 0);
		assert_false(uuid_eq(before, id));
		assert_true(uuid_read(uuid_str(arena, id), &back));
		assert_true(uuid_eq(id, back));
		before = id;
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(uuid_read(str_of(bad[i]), &back));
	arena_close(arena);
}

static void
backoff_doubles_up_to_the_cap(void **state)
{
	static const struct {
		uint32_t tries, random, want_ms;
	} rows[] = {
		{ 1, 0, 0 },
		{ 1, UINT32_MAX, 100 },
		{ 3, UINT32_MAX, 400 },
		{ 40, UINT32_MAX, 5000 },
		{ 2, UINT32_MAX / 2, 99 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(backoff_ms(rows[i].tries, 100, 5000, rows[i].random),
		                 rows[i].want_ms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(what_is_owned_goes_newest_first_and_once),
		cmocka_unit_test(going_back_to_a_mark_keeps_a_long_loop_small),
		cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
		cmocka_unit_test(parts_between_separators_include_empty_ones),
		cmocka_unit_test(only_well_formed_utf8_is_text),
		cmocka_unit_test(a_buffer_grows_and_keeps_what_it_has),
		cmocka_unit_test(what_is_printed_may_be_of_any_length),
		cmocka_unit_test(base64url_is_canonical_both_ways),
		cmocka_unit_test(percent_encoding_is_undone_by_decoding),
		cmocka_unit_test(instants_read_back_what_they_write),
		cmocka_unit_test(a_deadline_that_passed_leaves_nothing),
		cmocka_unit_test(uuids_are_version_seven_ordered_by_time_and_read_back),
		cmocka_unit_test(backoff_doubles_up_to_the_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
