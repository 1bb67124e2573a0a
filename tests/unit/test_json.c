#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
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

static bool
passes(Str text)
{
	return json_check(&ctx, text, JSON_DEPTH_MAX, JSON_MEMBERS_MAX) == NULL;
}

/* ---------------------------------------------------------------- json_read */

typedef enum Shade { SHADE_DARK, SHADE_LIGHT } Shade;
static const char *const shade_names[] = { "dark", "light", NULL };

typedef struct Lamp {
	Uuid id;
	Str sku;
	int64_t stock;
	double watts;
	bool dimmable;
	Shade shade;
	Uuid maker;
	Instant made_at;
	StrList tags;
	IntList sizes;
	Json extra;
	Money price;
	List others;
	OptStr note;
	OptInt sale;
	OptMoney old_price;
	OptStrList words;
	OptJson data;
	OptTime ends_at;
	Str password;
} Lamp;

/* clang-format off */
MODEL(Lamp,
	FIELD(Lamp, id, .from = FROM_PATH, .required = true),
	FIELD(Lamp, sku, .required = true, .min = 1, .max = 8),
	FIELD(Lamp, stock, .max = 100, .initial = "3"),
	FIELD(Lamp, watts),
	FIELD(Lamp, dimmable),
	FIELD(Lamp, shade, .names = shade_names, .initial = "\"light\""),
	FIELD(Lamp, maker),
	FIELD(Lamp, made_at),
	FIELD(Lamp, tags, .max = 3, .item_max = 4),
	FIELD(Lamp, sizes, .max = 3),
	FIELD(Lamp, extra, .object = true, .initial = "{}"),
	FIELD_OF(Lamp, price, Money, .required = true),
	FIELD_OF(Lamp, others, Money, .max = 2),
	FIELD(Lamp, note, .nullable = true, .max = 20),
	FIELD(Lamp, sale),
	FIELD_OF(Lamp, old_price, Money, .nullable = true),
	FIELD(Lamp, words, .nullable = true),
	FIELD(Lamp, data),
	FIELD(Lamp, ends_at, .nullable = true),
	FIELD(Lamp, password, .secret = true));
/* clang-format on */

#define WHOLE "\"sku\":\"A-1\",\"price\":{\"amount\":1,\"currency\":\"THB\"}"

static Lamp
lamp_read(const char *text, FieldErrors *errors)
{
	Lamp lamp = { .stock = -1 };

	errors->n = 0;
	assert_null(json_read(&ctx, str_of(text), &Lamp_model, &lamp, errors));
	return lamp;
}

static void
a_body_becomes_a_struct(void **state)
{
	FieldErrors errors;
	Lamp lamp = lamp_read(
	    " {\"sku\":\"\\u0e01\\ud83d\\ude00\\/"
	    "\",\"stock\":100,\"watts\":1e1,\"dimmable\":true,\"shade\":\"dark\","
	    "\"maker\":\"01930000-0000-7000-8000-00000000000A\",\"made_at\":\"1970-01-01T07:00:"
	    "01+07:00\","
	    "\"tags\":[\"a\",\"ราคา\"],\"sizes\":[-9223372036854775808,9223372036854775807],"
	    "\"extra\": { \"n\" : 12345678901234567890.10 } "
	    ",\"price\":{\"currency\":\"THB\",\"amount\":9007199254740991},"
	    "\"others\":[{\"amount\":1,\"currency\":\"EUR\"},{\"amount\":2,\"currency\":"
	    "\"USD\"}],\"note\":null,"
	    "\"sale\":0,\"old_price\":{\"amount\":5,\"currency\":\"JPY\"},\"words\":[],"
	    "\"data\":[1.10,\"]\"],"
	    "\"password\":\"a secret\"}\n",
	    &errors);

	(void)state;
	assert_int_equal(errors.n, 0);
	assert_true(str_eq(lamp.sku, S("ก\xF0\x9F\x98\x80/")));
	assert_int_equal(lamp.stock, 100);
	assert_true(lamp.watts == 10);
	assert_true(lamp.dimmable);
	assert_int_equal(lamp.shade, SHADE_DARK);
	assert_int_equal(lamp.maker.b[15], 10);
	assert_int_equal(lamp.made_at.us, 1000000);
	assert_int_equal(lamp.tags.n, 2);
	assert_true(str_eq(lamp.tags.v[1], S("ราคา")));
	assert_int_equal(lamp.sizes.n, 2);
	assert_true(lamp.sizes.v[0] == INT64_MIN && lamp.sizes.v[1] == INT64_MAX);
	assert_true(str_eq(lamp.extra.text, S("{ \"n\" : 12345678901234567890.10 }")));
	assert_int_equal(lamp.price.amount, INT64_C(9007199254740991));
	assert_int_equal(lamp.others.n, 2);
	assert_true(str_eq(((Money *)lamp.others.v)[1].currency, S("USD")));
	assert_true(lamp.note.given && !lamp.note.has);
	assert_true(lamp.sale.given && lamp.sale.has && lamp.sale.v == 0);
	assert_true(lamp.old_price.has && lamp.old_price.v.amount == 5);
	assert_true(lamp.words.given && lamp.words.has && lamp.words.v.n == 0);
	assert_true(str_eq(lamp.data.v.text, S("[1.10,\"]\"]")));
	assert_true(!lamp.ends_at.given && !lamp.ends_at.has);
	assert_true(str_eq(lamp.password, S("a secret")));
}

static void
what_is_absent_has_its_initial_value(void **state)
{
	FieldErrors errors;
	Lamp lamp = lamp_read("{" WHOLE "}", &errors);

	(void)state;
	assert_int_equal(errors.n, 0);
	assert_int_equal(lamp.stock, 3);
	assert_int_equal(lamp.shade, SHADE_LIGHT);
	assert_true(str_eq(lamp.extra.text, S("{}")));
	assert_false(lamp.note.given || lamp.sale.given || lamp.old_price.given ||
	             lamp.words.given);
}

/* clang-format off */
static const struct { const char *text, *pointer; FieldCode code; int64_t number; } wrong_fields[] = {
	{ "[]", "", F_type, 0 },
	{ "null", "", F_type, 0 },
	{ "\"{}\"", "", F_type, 0 },
	{ "12", "", F_type, 0 },
	{ "{\"price\":{\"amount\":1,\"currency\":\"THB\"}}", "/sku", F_required, 0 },
	{ "{\"sku\":null,\"price\":{\"amount\":1,\"currency\":\"THB\"}}", "/sku", F_required, 0 },
	{ "{\"sku\":\"A\",\"price\":null}", "/price", F_required, 0 },
	{ "{\"sku\":\"A\",\"price\":{\"amount\":1}}", "/price/currency", F_required, 0 },
	{ "{\"sku\":\"A\",\"price\":{\"amount\":1,\"currency\":\"THB\",\"a/b~c\":1}}", "/price/a~1b~0c", F_unknown_field, 0 },
	{ "{\"sku\":\"A\",\"price\":{\"amount\":-1,\"currency\":\"THB\"}}", "/price/amount", F_too_small, 0 },
	{ "{\"sku\":\"A\",\"price\":{\"amount\":9007199254740992,\"currency\":\"THB\"}}", "/price/amount", F_too_large, INT64_C(9007199254740991) },
	{ "{\"sku\":\"A\",\"price\":{\"amount\":\"1\",\"currency\":\"THB\"}}", "/price/amount", F_type, 0 },
	{ "{\"sku\":\"A\",\"price\":[1,\"THB\"]}", "/price", F_type, 0 },
	{ "{" WHOLE ",\"id\":\"01930000-0000-7000-8000-00000000000A\"}", "/id", F_unknown_field, 0 },
	{ "{" WHOLE ",\"SKU\":\"A\"}", "/SKU", F_unknown_field, 0 },
	{ "{" WHOLE ",\"\":1}", "/", F_unknown_field, 0 },
	{ "{" WHOLE ",\"ราคา\":1}", "/ราคา", F_unknown_field, 0 },
	{ "{" WHOLE ",\"stock\":\"1\"}", "/stock", F_type, 0 },
	{ "{" WHOLE ",\"stock\":true}", "/stock", F_type, 0 },
	{ "{" WHOLE ",\"stock\":null}", "/stock", F_type, 0 },
	{ "{" WHOLE ",\"stock\":1.0}", "/stock", F_type, 0 },
	{ "{" WHOLE ",\"stock\":1e1}", "/stock", F_type, 0 },
	{ "{" WHOLE ",\"stock\":101}", "/stock", F_too_large, 100 },
	{ "{" WHOLE ",\"stock\":-1}", "/stock", F_too_small, 0 },
	{ "{" WHOLE ",\"stock\":18446744073709551616}", "/stock", F_too_large, 100 },
	{ "{" WHOLE ",\"stock\":-99999999999999999999}", "/stock", F_too_small, 0 },
	{ "{" WHOLE ",\"sale\":9223372036854775808}", "/sale", F_too_large, INT64_MAX },
	{ "{" WHOLE ",\"watts\":\"1\"}", "/watts", F_type, 0 },
	{ "{" WHOLE ",\"dimmable\":1}", "/dimmable", F_type, 0 },
	{ "{" WHOLE ",\"dimmable\":\"true\"}", "/dimmable", F_type, 0 },
	{ "{" WHOLE ",\"shade\":\"Dark\"}", "/shade", F_not_allowed, 0 },
	{ "{" WHOLE ",\"shade\":0}", "/shade", F_type, 0 },
	{ "{" WHOLE ",\"maker\":\"x\"}", "/maker", F_uuid, 0 },
	{ "{" WHOLE ",\"maker\":7}", "/maker", F_type, 0 },
	{ "{" WHOLE ",\"made_at\":\"yesterday\"}", "/made_at", F_time, 0 },
	{ "{" WHOLE ",\"tags\":\"a\"}", "/tags", F_type, 0 },
	{ "{" WHOLE ",\"tags\":null}", "/tags", F_type, 0 },
	{ "{" WHOLE ",\"tags\":[\"a\",2]}", "/tags/1", F_type, 0 },
	{ "{" WHOLE ",\"tags\":[\"a\",null]}", "/tags/1", F_type, 0 },
	{ "{" WHOLE ",\"tags\":[\"abcde\"]}", "/tags/0", F_too_long, 4 },
	{ "{" WHOLE ",\"tags\":[\"a\",\"b\",\"c\",4]}", "/tags", F_too_many, 3 },
	{ "{" WHOLE ",\"sizes\":[1,2.5]}", "/sizes/1", F_type, 0 },
	{ "{" WHOLE ",\"sizes\":[\"1\"]}", "/sizes/0", F_type, 0 },
	{ "{" WHOLE ",\"sizes\":[[1]]}", "/sizes/0", F_type, 0 },
	{ "{" WHOLE ",\"extra\":[]}", "/extra", F_type, 0 },
	{ "{" WHOLE ",\"extra\":null}", "/extra", F_type, 0 },
	{ "{" WHOLE ",\"others\":[1]}", "/others/0", F_type, 0 },
	{ "{" WHOLE ",\"others\":{}}", "/others", F_type, 0 },
	{ "{" WHOLE ",\"others\":[{\"amount\":1,\"currency\":\"THB\"},{\"amount\":1,\"currency\":\"thb\"}]}", "/others/1/currency", F_currency, 0 },
	{ "{" WHOLE ",\"note\":5}", "/note", F_type, 0 },
	{ "{" WHOLE ",\"note\":\"123456789012345678901\"}", "/note", F_too_long, 20 },
	{ "{" WHOLE ",\"sale\":null}", "/sale", F_type, 0 },
	{ "{" WHOLE ",\"old_price\":{\"amount\":1,\"currency\":\"AAA\"}}", "/old_price/currency", F_not_allowed, 0 },
	{ "{" WHOLE ",\"words\":[1]}", "/words/0", F_type, 0 },
	{ "{\"sku\":\"\",\"price\":{\"amount\":1,\"currency\":\"THB\"}}", "/sku", F_too_short, 1 },
	{ "{\"sku\":\"123456789\",\"price\":{\"amount\":1,\"currency\":\"THB\"}}", "/sku", F_too_long, 8 },
	{ "{\"sku\":{\"a\":1},\"price\":{\"amount\":1,\"currency\":\"THB\"}}", "/sku", F_type, 0 },
};
/* clang-format on */

static void
each_wrong_field_is_told_with_its_pointer(void **state)
{
	FieldErrors errors;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong_fields); i++) {
		lamp_read(wrong_fields[i].text, &errors);
		if (errors.n != 1 ||
		    !str_eq(errors.v[0].pointer, str_of(wrong_fields[i].pointer)) ||
		    errors.v[0].code != wrong_fields[i].code ||
		    errors.v[0].number != wrong_fields[i].number)
			fail_msg("%s gave %zu errors, first %.*s %s", wrong_fields[i].text,
			         errors.n, errors.n == 0 ? 0 : (int)errors.v[0].pointer.n,
			         errors.v[0].pointer.p,
			         message_rows[errors.v[0].code].text[LANG_EN]);
	}
}

static void
all_wrong_fields_are_told_at_once_and_a_hundred_at_most(void **state)
{
	Buf many = { .arena = arena };
	FieldErrors errors;

	(void)state;
	lamp_read("{\"x\":1,\"stock\":-1,\"tags\":[1,\"abcde\"],\"price\":{\"amount\":false}}",
	          &errors);
	assert_int_equal(errors.n, 7);
	assert_true(str_eq(errors.v[0].pointer, S("/x")));
	assert_true(str_eq(errors.v[5].pointer, S("/price/currency")));
	assert_true(str_eq(errors.v[6].pointer, S("/sku")));
	buf_puts(&many, "{" WHOLE);
	for (int i = 0; i < 500; i++)
		buf_print(&many, ",\"x%d\":0", i);
	buf_byte(&many, '}');
	lamp_read(str_text(arena, buf_str(&many)), &errors);
	assert_int_equal(errors.n, FIELD_ERRORS_MAX);
}

static void
a_long_unknown_name_is_not_told_back_whole(void **state)
{
	Buf text = { .arena = arena };
	FieldErrors errors;

	(void)state;
	buf_puts(&text, "{" WHOLE ",\"");
	for (int i = 0; i < 5000; i++)
		buf_puts(&text, "ก");
	buf_puts(&text, "\":1}");
	lamp_read(str_text(arena, buf_str(&text)), &errors);
	assert_int_equal(errors.n, 1);
	assert_int_equal(str_points(errors.v[0].pointer), 1 + 100 + 1);
	assert_true(str_is_utf8(errors.v[0].pointer));
}

static void
a_malformed_body_is_a_problem_and_no_field_error(void **state)
{
	static const char *const rows[] = { "",
		                            "{",
		                            "{\"sku\":\"\\u0000\"}",
		                            "{'sku':1}",
		                            "{\"a\":1,\"a\":1}",
		                            "{\"a\":1e999}" };
	Lamp lamp;
	FieldErrors errors = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const Problem *p =
		    json_read(&ctx, str_of(rows[i]), &Lamp_model, &lamp, &errors);

		assert_non_null(p);
		assert_int_equal(p->code, P_malformed_json);
	}
	assert_int_equal(errors.n, 0);
}

/* The deepest that json_check takes json-c takes too, and the next body starts anew. */
static void
json_c_takes_what_the_lexer_takes(void **state)
{
	/* clang-format off */
	static const struct { const char *text; } rows[] = {
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]" },
		{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}" },
		{ "123" }, { "-0.0" }, { "true" }, { "null" }, { "\"\\ud83d\\ude00\"" }, { " [ ] " },
		{ "123456789012345678901234567890" }, { "\"\x7F\"" }, { "{\"\":{}}" }, { "5e-324" }, { "1e-999" },
	};
	/* clang-format on */
	JsonValue *value;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (json_parse(&ctx, str_of(rows[i].text), &value) != NULL)
			fail_msg("refused: %s", rows[i].text);
}

static void
a_value_is_walked_without_a_model(void **state)
{
	JsonValue *root, *list;
	Str text;
	int64_t whole;

	(void)state;
	assert_null(json_parse(&ctx,
	                       S("{\"name\":\"digits\",\"shape\":[-1,64],\"x\":1.5,\"big\":"
	                         "99999999999999999999,\"n\":null}"),
	                       &root));
	assert_true(json_str(json_get(root, "name"), &text));
	assert_true(str_eq(text, S("digits")));
	list = json_get(root, "shape");
	assert_int_equal(json_len(list), 2);
	assert_true(json_int(json_at(list, 0), &whole));
	assert_int_equal(whole, -1);
	assert_null(json_at(list, 2));
	assert_false(json_int(json_get(root, "x"), &whole));
	assert_false(json_int(json_get(root, "big"), &whole));
	assert_false(json_str(json_get(root, "shape"), &text));
	assert_false(json_int(json_get(root, "n"), &whole));
	assert_null(json_get(root, "none"));
	assert_null(json_get(list, "name"));
	assert_int_equal(json_len(root), 0);
	assert_int_equal(json_len(NULL), 0);
	assert_null(json_at(root, 0));
	assert_null(json_get(NULL, "x"));
}

/* ---------------------------------------------------------------- writing */

static char *
str_written(Str text)
{
	Buf out = { .arena = arena };

	json_put_str(&out, text);
	return str_text(arena, buf_str(&out));
}

static void
strings_are_escaped(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *want; } rows[] = {
		{ "", "\"\"" }, { "plain", "\"plain\"" }, { "a long text without anything", "\"a long text without anything\"" },
		{ "\"\\", "\"\\\"\\\\\"" }, { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" }, { "\x01\x1F\x7F", "\"\\u0001\\u001f\x7F\"" },
		{ "01234567\n01234567\"", "\"01234567\\n01234567\\\"\"" }, { "</script>", "\"</script>\"" },
		{ "ราคา 😀 x", "\"ราคา 😀 x\"" }, { "\xFF", "\"\xEF\xBF\xBD\"" }, { "a\xC3", "\"a\xEF\xBF\xBD\"" },
		{ "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" }, { "\xE0\xB8\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\\\"\"" },
		{ "ก\xFFข", "\"ก\xEF\xBF\xBDข\"" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(str_written(str_of(rows[i].text)), rows[i].want);
	assert_string_equal(str_written((Str){ "a\0b", 3 }), "\"a\\u0000b\"");
	assert_string_equal(str_written(STR_NONE), "\"\"");
}

/* Every byte at every place of a block of 16 gives JSON that reads back. */
static void
whatever_bytes_are_written_the_result_is_json(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 16; at++) {
			char text[16];
			ArenaMark mark = arena_mark(arena);
			char *out;

			memset(text, 'x', sizeof text);
			text[at] = (char)c;
			out = str_written((Str){ text, sizeof text });
			/* \u0000 is JSON, though not for us */
			assert_int_equal(passes(str_of(out)), c != 0);
			arena_back(arena, mark);
		}
	}
}

static void
numbers_are_as_short_as_they_can_be(void **state)
{
	/* clang-format off */
	static const struct { double v; const char *want; } rows[] = {
		{ 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1.5, "-1.5" }, { 0.1, "0.1" }, { 0.30000000000000004, "0.30000000000000004" },
		{ 1e15, "1e+15" }, { 999999999999999, "999999999999999" }, { 123456789012345680, "1.2345678901234568e+17" },
		{ 1e300, "1e+300" }, { 5e-324, "4.94065645841247e-324" }, { DBL_MAX, "1.7976931348623157e+308" }, { 100, "100" },
		{ 3.14, "3.14" }, { 1.0 / 3, "0.3333333333333333" }, { 2.0 / 3, "0.6666666666666666" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf out = { .arena = arena };

		json_put_num(&out, rows[i].v);
		assert_string_equal(str_text(arena, buf_str(&out)), rows[i].want);
		assert_true(passes(buf_str(&out)));
		assert_true(strtod(str_text(arena, buf_str(&out)), NULL) == rows[i].v);
	}
}

static void
a_struct_becomes_an_object_in_the_order_of_its_model(void **state)
{
	Str tags[] = { S("a"), S("\"") };
	int64_t sizes[] = { INT64_MIN, 0 };
	Money others[] = { { 1, S("EUR") }, { 2, S("USD") } };
	Lamp lamp = {
		.sku = S("A-1"),
		.stock = 5,
		.watts = 2.5,
		.dimmable = true,
		.shade = SHADE_LIGHT,
		.maker = { { 1 } },
		.made_at = { 1500000 },
		.tags = { tags, 2 },
		.sizes = { sizes, 2 },
		.extra = { S("{ \"a b\" : [1, \"\\\" x\"] }") },
		.price = { 129900, S("THB") },
		.others = { others, 2 },
		.sale = { false, true, 7 },
		.old_price = { true, true, { 3, S("JPY") } },
		.data = { true, true, { S("") } },
		.password = S("shown once"),
	};
	Buf out = { .arena = arena };

	(void)state;
	json_write(&out, &Lamp_model, &lamp);
	assert_string_equal(
	    str_text(arena, buf_str(&out)),
	    "{\"sku\":\"A-1\",\"stock\":5,\"watts\":2.5,\"dimmable\":true,\"shade\":\"light\","
	    "\"maker\":\"01000000-0000-0000-0000-000000000000\",\"made_at\":\"1970-01-01T00:00:"
	    "01.500000Z\","
	    "\"tags\":[\"a\",\"\\\"\"],\"sizes\":[-9223372036854775808,0],\"extra\":{\"a "
	    "b\":[1,\"\\\" x\"]},"
	    "\"price\":{\"amount\":129900,\"currency\":\"THB\"},"
	    "\"others\":[{\"amount\":1,\"currency\":\"EUR\"},{\"amount\":2,\"currency\":"
	    "\"USD\"}],\"note\":null,"
	    "\"sale\":7,\"old_price\":{\"amount\":3,\"currency\":\"JPY\"},\"words\":null,"
	    "\"data\":null,\"ends_at\":null,"
	    "\"password\":\"shown once\"}");
}

static void
an_empty_struct_and_an_infinite_number_are_json_too(void **state)
{
	Buf out = { .arena = arena };
	Lamp lamp = { .watts = (double)INFINITY };

	(void)state;
	json_write(&out, &Nothing_model, &(Nothing){ 0 });
	assert_string_equal(str_text(arena, buf_str(&out)), "{}");
	json_write(&out, &Lamp_model, &lamp);
	assert_non_null(strstr(str_text(arena, buf_str(&out)), "\"watts\":null,"));
	assert_true(passes(str_sub(buf_str(&out), 2, out.n)));
}

/* What is written is read back the same. */
static void
what_is_written_can_be_read(void **state)
{
	static const char text[] =
	    "{\"sku\":\"ก\\n\",\"stock\":1,\"watts\":0.1,\"dimmable\":false,\"shade\":\"dark\","
	    "\"maker\":\"01930000-0000-7000-8000-00000000000a\",\"made_at\":\"2026-11-21T09:00:"
	    "00.123456Z\",\"tags\":[\"x\"],"
	    "\"sizes\":[1,2],\"extra\":{\"a\":1.10},\"price\":{\"amount\":1,\"currency\":"
	    "\"THB\"},\"others\":[],\"note\":null,"
	    "\"sale\":2,\"old_price\":null,\"words\":[\"y\"],\"data\":[{}],\"ends_at\":\"2026-"
	    "11-21T09:00:00.000000Z\","
	    "\"password\":\"p\"}";
	FieldErrors errors;
	Lamp lamp = lamp_read(text, &errors);
	Buf out = { .arena = arena };

	(void)state;
	assert_int_equal(errors.n, 0);
	json_write(&out, &Lamp_model, &lamp);
	assert_string_equal(str_text(arena, buf_str(&out)), text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_becomes_a_struct),
		cmocka_unit_test(what_is_absent_has_its_initial_value),
		cmocka_unit_test(each_wrong_field_is_told_with_its_pointer),
		cmocka_unit_test(all_wrong_fields_are_told_at_once_and_a_hundred_at_most),
		cmocka_unit_test(a_long_unknown_name_is_not_told_back_whole),
		cmocka_unit_test(a_malformed_body_is_a_problem_and_no_field_error),
		cmocka_unit_test(json_c_takes_what_the_lexer_takes),
		cmocka_unit_test(a_value_is_walked_without_a_model),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(whatever_bytes_are_written_the_result_is_json),
		cmocka_unit_test(numbers_are_as_short_as_they_can_be),
		cmocka_unit_test(a_struct_becomes_an_object_in_the_order_of_its_model),
		cmocka_unit_test(an_empty_struct_and_an_infinite_number_are_json_too),
		cmocka_unit_test(what_is_written_can_be_read),
	};

	return cmocka_run_group_tests_name("json", tests, arena_make, arena_drop);
}
