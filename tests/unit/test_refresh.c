#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "fcgi/refresh.h"

typedef struct Bench {
	Arena *arena;
	Hmac *hmac;
	Uuid id;
} Bench;

static Bench bench;

static int
bench_open(void **state)
{
	(void)state;
	bench.arena = arena_open(MIB(8));
	bench.hmac = hmac_open(S("a secret of thirty-two characters"));
	return uuid_read(S("01937b2e-0000-7000-8000-0000000000ff"), &bench.id) ? 0 : -1;
}

static int
bench_close(void **state)
{
	(void)state;
	hmac_close(bench.hmac);
	arena_close(bench.arena);
	return 0;
}

static void
a_token_has_the_documented_form(void **state)
{
	Str token = refresh_make(bench.arena, bench.hmac, bench.id, 258);

	(void)state;
	assert_int_equal(token.n, REFRESH_TEXT_BYTES);
	/* id, then the generation 0x0102, whose last bits share a character with the code */
	assert_true(str_starts(token, S("v1.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAEC")));
}

static void
a_token_tells_its_session_and_generation(void **state)
{
	static const int64_t gens[] = { 1, 2, 258, INT64_MAX };
	RefreshToken token;

	(void)state;
	for (size_t i = 0; i < COUNT(gens); i++) {
		Str text = refresh_make(bench.arena, bench.hmac, bench.id, gens[i]);

		assert_true(refresh_read(bench.arena, text, &token));
		assert_true(uuid_eq(token.session_id, bench.id));
		assert_int_equal(token.gen, gens[i]);
		assert_true(refresh_signed(bench.hmac, &token));
	}
}

static void
a_token_of_another_secret_is_not_signed(void **state)
{
	Hmac *other = hmac_open(S("another secret of as many characters"));
	RefreshToken token;

	(void)state;
	assert_true(
	    refresh_read(bench.arena, refresh_make(bench.arena, other, bench.id, 1), &token));
	assert_false(refresh_signed(bench.hmac, &token));
	hmac_close(other);
}

static void
every_character_of_a_token_counts(void **state)
{
	Str text = refresh_make(bench.arena, bench.hmac, bench.id, 7);
	RefreshToken token;

	(void)state;
	for (size_t i = 0; i < text.n; i++) {
		char *p = str_text(bench.arena, text);

		p[i] = p[i] == 'A' ? 'B' : 'A';
		assert_false(refresh_read(bench.arena, (Str){ p, text.n }, &token) &&
		             refresh_signed(bench.hmac, &token));
		assert_false(refresh_read(bench.arena, str_sub(text, 0, i), &token));
	}
}

static void
what_has_another_form_is_no_token(void **state)
{
	/* clang-format off */
	static const char *const rows[] = {
		"", "v1.", "v2.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAEC",
		/* generation 0, and 2^63 */
		"v1.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"v1.AZN7LgAAcACAAAAAAAAA_4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		/* another version, padding, a character of no alphabet, bits left over */
		"v2.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"v1.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"v1.AZN7LgAAcACAAAAAAAAA/wAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"v1.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
	};
	/* clang-format on */
	RefreshToken token;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_false(refresh_read(bench.arena, str_of(rows[i]), &token));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_has_the_documented_form),
		cmocka_unit_test(a_token_tells_its_session_and_generation),
		cmocka_unit_test(a_token_of_another_secret_is_not_signed),
		cmocka_unit_test(every_character_of_a_token_counts),
		cmocka_unit_test(what_has_another_form_is_no_token),
	};

	return cmocka_run_group_tests_name("refresh", tests, bench_open, bench_close);
}
