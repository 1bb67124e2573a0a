#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

static Arena *arena;
static Ctx ctx;

static int
arena_make(void **state)
{
	(void)state;
	arena = arena_open(MIB(64));
	ctx.arena = arena;
	return 0;
}

static int
arena_drop(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

/* n times `part`, between head and tail. */
static Str
repeated(const char *head, const char *part, size_t n, const char *tail)
{
	Buf out = { .arena = arena };

	buf_puts(&out, head);
	for (size_t i = 0; i < n; i++)
		buf_puts(&out, part);
	buf_puts(&out, tail);
	return buf_str(&out);
}

static bool
passes(Str text)
{
	return json_check(&ctx, text, JSON_DEPTH_MAX, JSON_MEMBERS_MAX) == NULL;
}

static void
what_rfc_8259_allows_is_taken(void **state)
{
	/* clang-format off */
	static const char *const rows[] = {
		"{}", "[]", "\"\"", "0", "-0", "true", "false", "null", " \t\r\n{} \t\r\n",
		"[1,2 , 3\n]", "{\"a\":1,\"b\":{\"a\":1}}", "[{\"a\":1},{\"a\":1}]", "{\"\":0}",
		"[-1,0.5,1e5,1E+5,1e-5,123456789012345678901234567890,-0.0,1e308,5e-324,1e-999]",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0001\\u00e9\\uFFFF\\uD83D\\uDE00\"", "\"\x7F\"",
		"\"ราคา\"", "\"\xF0\x9F\x98\x80\"", "\"\xEF\xBF\xBF\"", "\"\xF4\x8F\xBF\xBF\"",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", /* 32 */
		"{\"a\":null,\"A\":null,\"a \":null}", "[\"\\u0041\",\"A\"]", "\"/\"", "[null,true,false]",
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (!passes(str_of(rows[i])))
			fail_msg("refused: %s", rows[i]);
}

static void
what_rfc_8259_or_the_contract_does_not_allow_is_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *inside; } rows[] = {
		{ "", "no value at byte 0" }, { "  ", "no value at byte 2" },
		{ "\xEF\xBB\xBF{}", "byte order mark at byte 0" },
		{ "{", "no name at byte 1" }, { "[", "no value at byte 1" }, { "[1", "unfinished at byte 2" },
		{ "{\"a\"", "no colon at byte 4" }, { "{\"a\":", "no value at byte 5" }, { "{\"a\":1", "unfinished at byte 6" },
		{ "{\"a\":1,}", "no name at byte 7" }, { "[1,]", "bad number at byte 3" }, { "[,1]", "bad number at byte 1" },
		{ "[1 2]", "no comma at byte 3" }, { "{\"a\" 1}", "no colon at byte 5" }, { "{\"a\":1 \"b\":2}", "no comma at byte 7" },
		{ "{a:1}", "no name at byte 1" }, { "{1:1}", "no name at byte 1" }, { "{'a':1}", "no name at byte 1" },
		{ "[']", "bad number at byte 1" }, { "[1}", "no comma at byte 2" }, { "{\"a\":1]", "no comma at byte 6" },
		{ "]", "bad number at byte 0" }, { "}", "bad number at byte 0" }, { "[]]", "something after the value at byte 2" },
		{ "{}{}", "something after the value at byte 2" }, { "1 2", "something after the value at byte 2" },
		{ "{}\n//", "something after the value at byte 3" }, { "{}#", "something after the value at byte 2" },
		{ "/**/{}", "bad number at byte 0" }, { "[1/**/]", "no comma at byte 2" },
		{ "tru", "no value at byte 0" }, { "True", "bad number at byte 0" }, { "nul", "no value at byte 0" },
		{ "nulll", "something after the value at byte 4" }, { "NaN", "bad number at byte 0" },
		{ "Infinity", "bad number at byte 0" }, { "-Infinity", "bad number at byte 0" }, { "nan", "no value at byte 0" },
		{ "01", "bad number at byte 0" }, { "-", "bad number at byte 0" }, { "+1", "bad number at byte 0" },
		{ ".5", "bad number at byte 0" }, { "1.", "bad number at byte 0" }, { "1e", "bad number at byte 0" },
		{ "0x1F", "something after the value at byte 1" }, { "1_000", "something after the value at byte 1" },
		{ "[-]", "bad number at byte 1" }, { "[1.e1]", "bad number at byte 1" },
		{ "1e400", "number too large at byte 0" }, { "[-1e400]", "number too large at byte 1" },
		{ "\"", "string without end at byte 1" }, { "\"a", "string without end at byte 2" }, { "\"\\", "string without end at byte 1" },
		{ "\"\\\"", "string without end at byte 3" }, { "\"\\x41\"", "bad escape at byte 1" }, { "\"\\a\"", "bad escape at byte 1" },
		{ "\"\\u12\"", "bad \\u escape at byte 1" }, { "\"\\u12g4\"", "bad \\u escape at byte 1" },
		{ "\"\\u+123\"", "bad \\u escape at byte 1" }, { "\"\\U0041\"", "bad escape at byte 1" },
		{ "\"\\u0000\"", "\\u0000 at byte 1" }, { "{\"a\\u0000b\":1}", "\\u0000 at byte 3" },
		{ "\"\\ud800\"", "lone surrogate at byte 1" }, { "\"\\udc00\"", "lone surrogate at byte 1" },
		{ "\"\\ud800\\ud800\"", "lone surrogate at byte 1" }, { "\"\\ud800\\u0041\"", "lone surrogate at byte 1" },
		{ "\"\\ud800\\n\"", "lone surrogate at byte 1" }, { "\"\\uD83D\\uDE0\"", "lone surrogate at byte 1" },
		{ "\"\\udc00\\ud800\"", "lone surrogate at byte 1" },
		{ "\"a\tb\"", "control character in a string at byte 2" }, { "\"a\nb\"", "control character in a string at byte 2" },
		{ "\"01234567\x1F\"", "control character in a string at byte 9" },
		{ "\"\xFF\"", "bad UTF-8 at byte 1" }, { "\"\xC0\xAF\"", "bad UTF-8 at byte 1" }, { "\"\xED\xA0\x80\"", "bad UTF-8 at byte 1" },
		{ "\"\xE0\xB8\"", "bad UTF-8 at byte 1" }, { "\"\xF4\x90\x80\x80\"", "bad UTF-8 at byte 1" }, { "\"\x80\"", "bad UTF-8 at byte 1" },
		{ "[\xC2\xA0]", "bad number at byte 1" }, { "\f{}", "bad number at byte 0" }, { "\v{}", "bad number at byte 0" },
		{ "{\"a\":1,\"a\":2}", "repeated member at byte 7" }, { "{\"a\":1,\"\\u0061\":2}", "repeated member at byte 7" },
		{ "{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}", "repeated member at byte 18" },
		{ "{\"x\":{\"b\":1,\"c\":2,\"b\":3}}", "repeated member at byte 18" }, { "{\"/\":1,\"\\/\":2}", "repeated member at byte 7" },
		{ "{\"\":1,\"\":1}", "repeated member at byte 6" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "nested too deep at byte 32" },
		{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "nested too deep at byte 36" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const Problem *p =
		    json_check(&ctx, str_of(rows[i].text), JSON_DEPTH_MAX, JSON_MEMBERS_MAX);

		if (p == NULL)
			fail_msg("taken: %s", rows[i].text);
		assert_int_equal(p->code, P_malformed_json);
		assert_string_equal(p->inside, rows[i].inside);
	}
	assert_false(passes((Str){ "\"a\0b\"", 5 }));
	assert_false(passes((Str){ "{}\0", 3 }));
}

/* Cut after any byte, a document is refused; and nothing reads beyond it (AddressSanitizer). */
static void
no_document_that_is_cut_passes(void **state)
{
	static const char whole[] = "{\"a\":[1.5e3,-0,\"\\u00e9\\uD83D\\uDE00\\n\",true,false,"
				    "null,{\"ราคา\":{}}],\"b\":[],\"c\":\"xxxxxxxxxxxxxxxx\"}";

	(void)state;
	assert_true(passes(str_of(whole)));
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		char *copy = malloc(n);

		memcpy(copy, whole, n);
		assert_false(passes((Str){ copy, n }));
		free(copy);
	}
}

static void
ten_thousand_members_are_taken_quickly_and_the_last_is_compared(void **state)
{
	Buf many = { .arena = arena };

	(void)state;
	buf_byte(&many, '{');
	for (int i = 0; i < 10000; i++)
		buf_print(&many, "\"a%016x\":0,", (unsigned)i * 65536U);
	buf_puts(&many, "\"last\":0");
	assert_true(passes(str_print(arena, "%.*s}", STR_ARG(buf_str(&many)))));
	assert_false(
	    passes(str_print(arena, "%.*s,\"a%016x\":0}", STR_ARG(buf_str(&many)), 0U)));
	assert_false(
	    passes(str_print(arena, "%.*s,\"l\\u0061st\":0}", STR_ARG(buf_str(&many)))));
}

static void
members_and_objects_are_counted_together(void **state)
{
	(void)state;
	assert_null(json_check(&ctx, S("{\"a\":1,\"b\":2}"), 32, 3));
	assert_non_null(json_check(&ctx, S("{\"a\":1,\"b\":2}"), 32, 2));
	assert_null(json_check(&ctx, S("[{},{},{}]"), 32, 3));
	assert_non_null(json_check(&ctx, S("[{},{},{}]"), 32, 2));
	assert_null(json_check(&ctx, S("[[],[],[],1,2,3]"), 32, 0));
	assert_false(passes(repeated("[{}", ",{}", JSON_MEMBERS_MAX, "]")));
	assert_true(passes(repeated("[{}", ",{}", JSON_MEMBERS_MAX - 1, "]")));
	assert_non_null(json_check(&ctx, S("[]"), 0, 0));
	assert_null(json_check(&ctx, S("1"), 0, 0));
}

static void
checking_gives_its_memory_back(void **state)
{
	size_t used = arena_used(arena);

	(void)state;
	assert_true(passes(S("{\"a\":{\"b\\u0063\":[{\"d\":1}]}}")));
	assert_int_equal(arena_used(arena), used);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_rfc_8259_allows_is_taken),
		cmocka_unit_test(what_rfc_8259_or_the_contract_does_not_allow_is_refused),
		cmocka_unit_test(no_document_that_is_cut_passes),
		cmocka_unit_test(
		    ten_thousand_members_are_taken_quickly_and_the_last_is_compared),
		cmocka_unit_test(members_and_objects_are_counted_together),
		cmocka_unit_test(checking_gives_its_memory_back),
	};

	return cmocka_run_group_tests_name("json_check", tests, arena_make, arena_drop);
}
