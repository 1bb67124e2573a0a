#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/password.h"

enum { CHEAP = 1 };

static int
arena_make(void **state)
{
	*state = arena_open(MIB(8));
	return 0;
}

static int
arena_end(void **state)
{
	arena_close(*state);
	return 0;
}

static Str
repeat(Arena *arena, char c, size_t n)
{
	char *p = arena_new(arena, char, n);

	memset(p, c, n);
	return (Str){ p, n };
}

static void
a_hash_verifies_its_own_password_and_no_other(void **state)
{
	Str password = S("correct horse battery \xe0\xb8\x81"), hash, again;

	assert_true(password_hash(*state, password, CHEAP, &hash));
	assert_true(password_hash(*state, password, CHEAP, &again));
	assert_false(str_eq(hash, again)); /* another salt */
	assert_int_equal(password_verify(password, hash), PASSWORD_RIGHT);
	assert_int_equal(password_verify(password, again), PASSWORD_RIGHT);
	assert_int_equal(password_verify(S("correct horse battery"), hash), PASSWORD_WRONG);
	assert_int_equal(password_verify(S(""), hash), PASSWORD_WRONG);
	assert_int_equal(password_verify(hash, hash), PASSWORD_WRONG);
}

static void
every_byte_of_511_counts_and_512_are_refused(void **state)
{
	Str full = repeat(*state, 'x', PASSWORD_BYTES_MAX), hash;
	Str beyond = repeat(*state, 'x', PASSWORD_BYTES_MAX + 1);

	assert_true(password_hash(*state, full, CHEAP, &hash));
	assert_int_equal(password_verify(full, hash), PASSWORD_RIGHT);
	assert_int_equal(password_verify(str_sub(full, 0, full.n - 1), hash), PASSWORD_WRONG);
	assert_int_equal(password_verify(beyond, hash), PASSWORD_WRONG);
	assert_false(password_hash(*state, beyond, CHEAP, &hash));
}

static void
a_nul_never_cuts_a_password_short(void **state)
{
	Str hash;

	assert_true(password_hash(*state, S("before"), CHEAP, &hash));
	assert_int_equal(password_verify(S("before\0after"), hash), PASSWORD_WRONG);
	assert_false(password_hash(*state, S("before\0after"), CHEAP, &hash));
	assert_false(password_hash(*state, S(""), CHEAP, &hash));
}

/* A published example of bcrypt under the three prefixes that programs write. */
static void
bcrypt_hashes_from_elsewhere_verify(void **state)
{
	/* clang-format off */
	static const struct { const char *password, *hash; } rows[] = {
		{ "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str hash = str_of(rows[i].hash);

		assert_int_equal(password_verify(str_of(rows[i].password), hash),
		                 PASSWORD_RIGHT);
		assert_int_equal(password_verify(S("U*V"), hash), PASSWORD_WRONG);
		assert_true(password_is_stale(hash, CHEAP));
	}
}

static void
bcrypt_never_takes_a_password_that_it_would_cut(void **state)
{
	/* of 72 */
	Str hash = S("$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i");

	assert_int_equal(password_verify(repeat(*state, 'x', 72), hash), PASSWORD_RIGHT);
	assert_int_equal(password_verify(repeat(*state, 'x', 73), hash), PASSWORD_WRONG);
}

static void
a_damaged_hash_is_no_hash(void **state)
{
	/* clang-format off */
	static const char *const rows[] = {
		"", "*0", "*1", "x", "garbage", "ab", "abJnggxhB/yWI", "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
		"$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1",
		"$y$", "$y$j9T$", "$y$j9T$salt", "$y$j9T$salt$", "$y$j9T$salt$short", "$y$zzz$salt$ZIK",
		"$y$j9T$4Jny6lOcKqTBmbUokGlCs0$ZIK/xv0Pvm0Tu7r9FarSgJLk8TFIr1aOyN8iwRPBth",
		"$y$j9T$4Jny6lOcKqTBmbUokGlCs0$ZIK/xv0Pvm0Tu7r9FarSgJLk8TFIr1aOyN8iwRPBth!",
		"$y$j9T$$ZIK/xv0Pvm0Tu7r9FarSgJLk8TFIr1aOyN8iwRPBth2",
		"$y$jZZ$4Jny6lOcKqTBmbUokGlCs0$ZIK/xv0Pvm0Tu7r9FarSgJLk8TFIr1aOyN8iwRPBth2",
		"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str hash = str_of(rows[i]);

		assert_int_equal(password_verify(S("x"), hash), PASSWORD_UNREADABLE);
		assert_int_equal(password_verify(hash, hash), PASSWORD_UNREADABLE);
		assert_true(password_is_stale(hash, CHEAP));
	}
}

static void
a_hash_is_stale_below_the_cost_asked_for(void **state)
{
	/* clang-format off */
	static const struct { int made, asked; bool stale; } rows[] = {
		{ 1, 1, false }, { 1, 2, true }, { 2, 1, false }, { 2, 3, true }, { 3, 5, true }, { 3, 3, false },
	};
	/* clang-format on */
	Str hash;

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(password_hash(*state, S("some password"), rows[i].made, &hash));
		assert_int_equal(password_is_stale(hash, rows[i].asked), rows[i].stale);
	}
}

/* What a hash costs stands in front of its salt: "$y$j7T$". */
static Str
cost_of(Str hash)
{
	Str rest = str_sub(hash, 3, hash.n);

	return str_sub(hash, 0, 3 + str_find(rest, '$') + 1);
}

static void
the_decoy_costs_as_much_as_a_true_hash(void **state)
{
	for (int cost = 1; cost <= 4; cost++) {
		Str hash, decoy = password_decoy(*state, cost);

		assert_true(password_hash(*state, S("a true password"), cost, &hash));
		assert_true(str_eq(cost_of(decoy), cost_of(hash)));
		assert_int_equal(decoy.n, hash.n);
		assert_int_equal(password_verify(S("a true password"), decoy), PASSWORD_WRONG);
		assert_false(password_is_stale(decoy, cost));
	}
}

static void
common_passwords_are_known_whatever_their_case(void **state)
{
	/* clang-format off */
	static const char *const common[] = {
		"password1234", "Password1234", "PASSWORD1234", "123456789012", "qwertyuiop12", "P@ssw0rd1234",
		"correcthorsebatterystaple", "aaaaaaaaaaaa", "1q2w3e4r5t6y", "administrator", "iloveyou1234",
		"qwertyuiopasdfghjklzxcvbnm", "            ", "letmein12345", "1234567890-=", "??????????????",
	};
	/* clang-format on */
	/* clang-format off */
	static const char *const others[] = {
		"", "\n", "password1234\n", "password1234 ", "assword1234", "a lamp for the way home", "zzzzzzzzzzzzzzzzzzzzzzzzz",
		"\xff\xff\xff\xff", "staple-battery-lamp", "xkcd-936-is-not-here",
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(common); i++)
		assert_true(password_is_common(str_of(common[i])));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(password_is_common(str_of(others[i])));
}

static const char list[] =
#include "common/passwords.def"
    ;

static void
every_line_of_the_list_is_found(void **state)
{
	Str rest = { list, sizeof list - 1 }, line, before = S("");
	size_t n = 0;

	(void)state;
	while (str_next(&rest, '\n', &line) && line.n > 0) {
		assert_true(password_is_common(line));
		assert_true(line.n >= PASSWORD_POINTS_MIN);
		assert_true(memcmp(before.p, line.p, MIN(before.n, line.n)) <= 0);
		before = line;
		n++;
	}
	assert_true(n > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_verifies_its_own_password_and_no_other),
		cmocka_unit_test(every_byte_of_511_counts_and_512_are_refused),
		cmocka_unit_test(a_nul_never_cuts_a_password_short),
		cmocka_unit_test(bcrypt_hashes_from_elsewhere_verify),
		cmocka_unit_test(bcrypt_never_takes_a_password_that_it_would_cut),
		cmocka_unit_test(a_damaged_hash_is_no_hash),
		cmocka_unit_test(a_hash_is_stale_below_the_cost_asked_for),
		cmocka_unit_test(the_decoy_costs_as_much_as_a_true_hash),
		cmocka_unit_test(common_passwords_are_known_whatever_their_case),
		cmocka_unit_test(every_line_of_the_list_is_found),
	};

	return cmocka_run_group_tests_name("password", tests, arena_make, arena_end);
}
