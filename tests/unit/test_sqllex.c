#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "schema/sqllex.h"

/* A letter a kind, in the order of the enum. */
static const char letters[] = ".s-*qwp$;|ox";

static void
what_is_quoted_is_one_token(void **state)
{
	static const struct {
		const char *sql, *want;
	} rows[] = {
		{ "", "" },
		{ "SELECT a1, 2.5 FROM t;", "wswoswowswsw;" },
		{ "'it''s; :no'", "q" },
		{ "E'\\'; :no' e'x'", "qsq" },
		{ "name'x'", "wq" },
		{ "\"a\"\"b; :no\".c", "qow" },
		{ "$$; ' :no$$ $a_1$ $$ ; $a_1$", "qsq" },
		{ "$1 $12 $ x$1", "$s$sosw" },
		{ "-- ; ' :no\n;", "-s;" },
		{ "/* ; /* ' */ :no */ ;", "*s;" },
		{ ":a :a.b.c :a. a::text", "pspsposwow" },
		{ "x := 1 a[1:2] a[1:n]", "wsoswswowowoswowpo" },
		{ "a | b || c ||| d", "ws|swsoswso|sw" },
		{ "\xE0\xB8\x81 :\xE0\xB8\x81", "wsp" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Str sql = str_of(rows[i].sql);
		char got[128] = "";
		SqlToken token;
		size_t n = 0;

		for (size_t at = 0; (token = sql_token(sql, at)).kind != SQL_END;
		     at += token.text.n) {
			assert_true(token.text.n > 0 && token.at == at);
			got[n++] = letters[token.kind];
		}
		assert_string_equal(got, rows[i].want);
	}
}

static void
what_never_ends_is_broken(void **state)
{
	static const char *const rows[] = { "'a",         "\"a",      "E'a\\'", "$$ $",
		                            "$a$ $$ $A$", "/* /* */", "'a''" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		SqlToken token = sql_token(str_of(rows[i]), 0);

		assert_int_equal(token.kind, SQL_BROKEN);
		assert_int_equal(token.text.n, strlen(rows[i]));
	}
}

static void
lines_are_counted_from_one(void **state)
{
	static const struct {
		size_t at;
		int want;
	} rows[] = { { 0, 1 }, { 1, 1 }, { 2, 2 }, { 3, 3 }, { 99, 3 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(sql_line(S("a\n\nb"), rows[i].at), rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_quoted_is_one_token),
		cmocka_unit_test(what_never_ends_is_broken),
		cmocka_unit_test(lines_are_counted_from_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
