#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/format.h"
#include "common/model.h"
#include "common/number.h"

enum { NO_ERROR = -1 };

typedef enum Colour { COLOUR_RED, COLOUR_BLUE } Colour;
static const char *const colour_names[] = { "red", "blue", NULL };

typedef struct All {
	bool yes;
	int64_t number;
	double ratio;
	Str text;
	Colour colour;
	Uuid id;
	Instant at;
	StrList tags;
	IntList sizes;
	Json data;
	Money price;
	List items;
	OptBool o_yes;
	OptInt o_number;
	OptNum o_ratio;
	OptStr o_text;
	OptEnum o_colour;
	OptUuid o_id;
	OptTime o_at;
	OptStrList o_tags;
	OptJson o_data;
	OptMoney o_price;
} All;

/* clang-format off */
MODEL(All,
	FIELD(All, yes, .initial = "true"),
	FIELD(All, number, .initial = "-7", .min = -10),
	FIELD(All, ratio, .initial = "0.5"),
	FIELD(All, text, .initial = "\"two words\""),
	FIELD(All, colour, .names = colour_names, .initial = "\"blue\""),
	FIELD(All, id, .initial = "\"01930000-0000-7000-8000-000000000007\""),
	FIELD(All, at, .initial = "\"1970-01-01T00:00:01Z\""),
	FIELD(All, tags, .initial = "[]"),
	FIELD(All, sizes, .initial = "[]"),
	FIELD(All, data, .initial = "{}"),
	FIELD_OF(All, price, Money),
	FIELD_OF(All, items, Money, .initial = "[]"),
	FIELD(All, o_yes),
	FIELD(All, o_number, .initial = "20", .from = FROM_QUERY),
	FIELD(All, o_ratio),
	FIELD(All, o_text, .initial = "null"),
	FIELD(All, o_colour, .names = colour_names),
	FIELD(All, o_id),
	FIELD(All, o_at),
	FIELD(All, o_tags, .initial = "[]"),
	FIELD(All, o_data),
	FIELD_OF(All, o_price, Money));
/* clang-format on */

static void
the_kind_comes_from_the_type_of_the_member(void **state)
{
	/* clang-format off */
	static const struct { const char *name; Kind kind; bool optional; } rows[] = {
		{ "yes", KIND_BOOL, false }, { "number", KIND_INT, false }, { "ratio", KIND_NUM, false },
		{ "text", KIND_STR, false }, { "colour", KIND_ENUM, false }, { "id", KIND_UUID, false },
		{ "at", KIND_TIME, false }, { "tags", KIND_STRS, false }, { "sizes", KIND_INTS, false },
		{ "data", KIND_JSON, false }, { "price", KIND_MODEL, false }, { "items", KIND_LIST, false },
		{ "o_yes", KIND_BOOL, true }, { "o_number", KIND_INT, true }, { "o_ratio", KIND_NUM, true },
		{ "o_text", KIND_STR, true }, { "o_colour", KIND_ENUM, true }, { "o_id", KIND_UUID, true },
		{ "o_at", KIND_TIME, true }, { "o_tags", KIND_STRS, true }, { "o_data", KIND_JSON, true },
		{ "o_price", KIND_MODEL, true },
	};
	/* clang-format on */

	(void)state;
	assert_int_equal(COUNT(rows), All_model.n);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const Field *field = model_field(&All_model, str_of(rows[i].name));

		assert_non_null(field);
		assert_int_equal(field->kind, rows[i].kind);
		assert_int_equal(field->optional, rows[i].optional);
		assert_int_equal(field->key_n, strlen(field->key));
	}
	assert_null(model_field(&All_model, S("yess")));
	assert_null(model_field(&All_model, S("ye")));
	assert_null(model_field(&Nothing_model, S("none")));
}

static void
an_optional_member_keeps_its_flags_and_its_value_where_they_are(void **state)
{
	All all = { .o_number = { true, true, 5 } };
	/* clang-format off */
	const struct { const char *name; const void *flags, *value; } rows[] = {
		{ "o_yes", &all.o_yes, &all.o_yes.v }, { "o_number", &all.o_number, &all.o_number.v },
		{ "o_ratio", &all.o_ratio, &all.o_ratio.v }, { "o_text", &all.o_text, &all.o_text.v },
		{ "o_colour", &all.o_colour, &all.o_colour.v }, { "o_id", &all.o_id, &all.o_id.v },
		{ "o_at", &all.o_at, &all.o_at.v }, { "o_tags", &all.o_tags, &all.o_tags.v },
		{ "o_data", &all.o_data, &all.o_data.v }, { "o_price", &all.o_price, &all.o_price.v },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const Field *field = model_field(&All_model, str_of(rows[i].name));

		assert_ptr_equal(field_given(field, &all), rows[i].flags);
		assert_ptr_equal(field_has(field, &all), (const bool *)rows[i].flags + 1);
		assert_ptr_equal(field_value(field, &all), rows[i].value);
		*field_has(field, &all) = false;
		assert_null(field_value_of(field, &all));
		*field_has(field, &all) = true;
		assert_ptr_equal(field_value_of(field, &all), rows[i].value);
	}
	assert_null(field_has(model_field(&All_model, S("text")), &all));
	assert_ptr_equal(field_value(model_field(&All_model, S("text")), &all), &all.text);
}

static void
initial_values_are_set_for_the_body_or_for_all_else(void **state)
{
	All all = { .number = 0 };

	(void)state;
	model_start(&All_model, true, &all);
	assert_true(all.yes);
	assert_int_equal(all.number, -7);
	assert_true(all.ratio == 0.5);
	assert_true(str_eq(all.text, S("two words")));
	assert_int_equal(all.colour, COLOUR_BLUE);
	assert_int_equal(all.id.b[15], 7);
	assert_int_equal(all.at.us, 1000000);
	assert_int_equal(all.tags.n + all.sizes.n + all.items.n, 0);
	assert_true(str_eq(all.data.text, S("{}")));
	assert_false(all.o_text.has);
	assert_true(all.o_tags.has);
	assert_false(all.o_tags.given);
	assert_false(all.o_number.has);
	model_start(&All_model, false, &all);
	assert_true(all.o_number.has);
	assert_int_equal(all.o_number.v, 20);
}

/* The code found, or NO_ERROR. */
static int
checked(const Field *field, const void *member, int64_t *number)
{
	FieldErrors errors = { .n = 0 };

	field_check(field, member, S("/x"), &errors);
	assert_true(errors.n <= 1);
	if (errors.n == 0)
		return NO_ERROR;
	assert_true(str_eq(errors.v[0].pointer, S("/x")));
	*number = errors.v[0].number;
	return (int)errors.v[0].code;
}

static void
numbers_have_bounds(void **state)
{
	/* clang-format off */
	static const struct { int64_t min, max; bool max_zero; int64_t v; int code; int64_t number; } rows[] = {
		{ 0, 0, false, 0, NO_ERROR, 0 },
		{ 0, 0, false, INT64_MAX, NO_ERROR, 0 },
		{ 0, 0, false, -1, F_too_small, 0 },
		{ INT64_MIN, 0, false, INT64_MIN, NO_ERROR, 0 },
		{ -3, 0, true, 0, NO_ERROR, 0 },
		{ -3, 0, true, 1, F_too_large, 0 },
		{ -3, -1, false, -4, F_too_small, -3 },
		{ -3, -1, false, 0, F_too_large, -1 },
		{ 1, 100, false, 1, NO_ERROR, 0 },
		{ 1, 100, false, 100, NO_ERROR, 0 },
		{ 1, 100, false, 101, F_too_large, 100 },
		{ 1, 100, false, 0, F_too_small, 1 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Field field = { .kind = KIND_INT,
			        .min = rows[i].min,
			        .max = rows[i].max,
			        .max_zero = rows[i].max_zero };
		double v = (double)rows[i].v;
		int64_t number = 0;

		assert_int_equal(checked(&field, &rows[i].v, &number), rows[i].code);
		if (rows[i].code != NO_ERROR)
			assert_int_equal(number, rows[i].number);
		field.kind = KIND_NUM;
		assert_int_equal(checked(&field, &v, &number), rows[i].code);
	}
}

static void
texts_are_counted_in_code_points_and_lists_in_items(void **state)
{
	/* clang-format off */
	static const struct { int64_t min, max; const char *text; int code; int64_t number; } rows[] = {
		{ 1, 5, "", F_too_short, 1 },
		{ 1, 5, "ราคาถ", NO_ERROR, 0 },
		{ 1, 5, "ราคาถู", F_too_long, 5 },
		{ 1, 5, "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80", NO_ERROR, 0 },
		{ 0, 0, "", NO_ERROR, 0 },
		{ 0, 0, "as long as you like", NO_ERROR, 0 },
	};
	/* clang-format on */
	Field list = { .kind = KIND_STRS, .min = 1, .max = 2, .item_max = 3 };
	Field json = { .kind = KIND_JSON, .object = true, .max = 10 };
	Str nul = { "a\0b", 3 };
	FieldErrors errors = { .n = 0 };
	int64_t number = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Field field = { .kind = KIND_STR, .min = rows[i].min, .max = rows[i].max };
		Str text = str_of(rows[i].text);

		assert_int_equal(checked(&field, &text, &number), rows[i].code);
		if (rows[i].code != NO_ERROR)
			assert_int_equal(number, rows[i].number);
	}
	assert_int_equal(checked(&(Field){ .kind = KIND_STR }, &nul, &number), F_format);
	assert_int_equal(checked(&list, &(StrList){ NULL, 0 }, &number), F_too_few);
	assert_int_equal(checked(&list, &(StrList){ &nul, 2 }, &number), NO_ERROR);
	assert_int_equal(checked(&list, &(StrList){ &nul, 3 }, &number), F_too_many);
	field_check_item(&list, S("abc"), S("/x/0"), &errors);
	assert_int_equal(errors.n, 0);
	field_check_item(&list, S("abcd"), S("/x/0"), &errors);
	assert_int_equal(errors.v[0].code, F_too_long);
	assert_int_equal(errors.v[0].number, 3);
	assert_int_equal(checked(&json, &(Json){ S("{\"a\":123}") }, &number), NO_ERROR);
	assert_int_equal(checked(&json, &(Json){ S("{\"a\":12345}") }, &number),
	                 F_too_many_bytes);
	assert_int_equal(checked(&json, &(Json){ S("[]") }, &number), F_type);
	assert_int_equal(checked(&(Field){ .kind = KIND_ENUM, .names = colour_names },
	                         &(unsigned){ 2 }, &number),
	                 F_not_allowed);
	assert_int_equal(checked(&(Field){ .kind = KIND_INT, .optional = true, .min = 5 },
	                         &(OptInt){ true, false, 0 }, &number),
	                 NO_ERROR);
	assert_int_equal(checked(&(Field){ .kind = KIND_INT, .optional = true, .min = 5 },
	                         &(OptInt){ true, true, 0 }, &number),
	                 F_too_small);
}

/* clang-format off */
static const struct { Format format; const char *text; int code; } formats[] = {
	{ FORMAT_NONE, "anything at all", NO_ERROR },
	{ FORMAT_EMAIL, "admin@example.org", NO_ERROR },
	{ FORMAT_EMAIL, "First.Last+tag@sub-domain.example.co.th", NO_ERROR },
	{ FORMAT_EMAIL, "o'brien@example.org", NO_ERROR },
	{ FORMAT_EMAIL, "a@xn--o3cw4h.xn--o3cw4h", NO_ERROR },
	{ FORMAT_EMAIL, "a@1.2.3.example", NO_ERROR },
	{ FORMAT_EMAIL, "", F_email },
	{ FORMAT_EMAIL, "@", F_email },
	{ FORMAT_EMAIL, "admin", F_email },
	{ FORMAT_EMAIL, "admin@", F_email },
	{ FORMAT_EMAIL, "@example.org", F_email },
	{ FORMAT_EMAIL, "a@b@example.org", F_email },
	{ FORMAT_EMAIL, "admin@localhost", F_email },
	{ FORMAT_EMAIL, "admin@example.org.", F_email },
	{ FORMAT_EMAIL, "admin@.example.org", F_email },
	{ FORMAT_EMAIL, "admin@example..org", F_email },
	{ FORMAT_EMAIL, "admin@-example.org", F_email },
	{ FORMAT_EMAIL, "admin@example-.org", F_email },
	{ FORMAT_EMAIL, "admin@exa_mple.org", F_email },
	{ FORMAT_EMAIL, "admin@127.0.0.1", F_email },
	{ FORMAT_EMAIL, "admin@[127.0.0.1]", F_email },
	{ FORMAT_EMAIL, ".admin@example.org", F_email },
	{ FORMAT_EMAIL, "admin.@example.org", F_email },
	{ FORMAT_EMAIL, "ad..min@example.org", F_email },
	{ FORMAT_EMAIL, "ad min@example.org", F_email },
	{ FORMAT_EMAIL, " admin@example.org", F_email },
	{ FORMAT_EMAIL, "admin@example.org ", F_email },
	{ FORMAT_EMAIL, "admin@example.org\n", F_email },
	{ FORMAT_EMAIL, "\"ad min\"@example.org", F_email },
	{ FORMAT_EMAIL, "Admin <admin@example.org>", F_email },
	{ FORMAT_EMAIL, "a@example.org,b@example.org", F_email },
	{ FORMAT_EMAIL, "ก@example.org", F_email },
	{ FORMAT_CURRENCY, "THB", NO_ERROR },
	{ FORMAT_CURRENCY, "AED", NO_ERROR },
	{ FORMAT_CURRENCY, "ZWG", NO_ERROR },
	{ FORMAT_CURRENCY, "thb", F_currency },
	{ FORMAT_CURRENCY, "TH", F_currency },
	{ FORMAT_CURRENCY, "THBB", F_currency },
	{ FORMAT_CURRENCY, "HB ", F_currency },
	{ FORMAT_CURRENCY, "", F_currency },
	{ FORMAT_CURRENCY, "HBA", F_not_allowed },
	{ FORMAT_CURRENCY, "XAU", F_not_allowed },
	{ FORMAT_SLUG, "digits-8x8_v1.2", NO_ERROR },
	{ FORMAT_SLUG, "", F_slug },
	{ FORMAT_SLUG, ".", F_slug },
	{ FORMAT_SLUG, "..", F_slug },
	{ FORMAT_SLUG, "...", NO_ERROR },
	{ FORMAT_SLUG, "Digits", F_slug },
	{ FORMAT_SLUG, "a/b", F_slug },
	{ FORMAT_SLUG, "a b", F_slug },
	{ FORMAT_URL, "http://a", NO_ERROR },
	{ FORMAT_URL, "HTTPS://models.example.org:8000/v2?x=%2F", NO_ERROR },
	{ FORMAT_URL, "http://127.0.0.1:65535", NO_ERROR },
	{ FORMAT_URL, "http://[::1]:80/", NO_ERROR },
	{ FORMAT_URL, "http://[::1]", NO_ERROR },
	{ FORMAT_URL, "http://", F_url },
	{ FORMAT_URL, "http:///path", F_url },
	{ FORMAT_URL, "http://:80", F_url },
	{ FORMAT_URL, "http://a:0", F_url },
	{ FORMAT_URL, "http://a:", F_url },
	{ FORMAT_URL, "http://a:65536", F_url },
	{ FORMAT_URL, "http://a:8x", F_url },
	{ FORMAT_URL, "http://user@a/", F_url },
	{ FORMAT_URL, "http://a b/", F_url },
	{ FORMAT_URL, "http://a/b c", F_url },
	{ FORMAT_URL, "http://a/\r\nX: y", F_url },
	{ FORMAT_URL, "http://a/%2", F_url },
	{ FORMAT_URL, "http://a/%zz", F_url },
	{ FORMAT_URL, "http://a#b", F_url },
	{ FORMAT_URL, "http://a/#b", F_url },
	{ FORMAT_URL, "http://[::1", F_url },
	{ FORMAT_URL, "http://[]", F_url },
	{ FORMAT_URL, "http://[abc]", F_url },
	{ FORMAT_URL, "http://[::g]", F_url },
	{ FORMAT_URL, "ftp://a", F_url },
	{ FORMAT_URL, "file:///etc/passwd", F_url },
	{ FORMAT_URL, "a", F_url },
	{ FORMAT_PASSWORD, "twelve chars", NO_ERROR },
	{ FORMAT_PASSWORD, "eleven char", F_too_short },
	{ FORMAT_PASSWORD, "รหัสผ่านของฉัน", NO_ERROR },
};
/* clang-format on */

static void
texts_have_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		FieldCode wrong = F_required;
		int64_t bound = 0;
		bool ok = format_ok(formats[i].format, str_of(formats[i].text), &wrong, &bound);

		if (ok != (formats[i].code == NO_ERROR) ||
		    (!ok && (int)wrong != formats[i].code))
			fail_msg("\"%s\": %s", formats[i].text,
			         ok ? "passed" : message_rows[wrong].text[LANG_EN]);
	}
}

static bool
email_passes(size_t local, size_t domain)
{
	char text[400];
	FieldCode wrong;
	int64_t bound;
	size_t n = 0;

	while (n < local)
		text[n++] = 'a';
	text[n++] = '@';
	/* labels of 50 */
	for (size_t i = 0; i < domain; i++)
		text[n++] = i % 50 == 49 && i + 1 < domain ? '.' : 'b';
	return format_ok(FORMAT_EMAIL, (Str){ text, n }, &wrong, &bound);
}

static void
formats_hold_at_exactly_their_limits(void **state)
{
	/* clang-format off */
	static const struct { size_t ascii, thai; int code; int64_t bound; } rows[] = {
		{ 12, 0, NO_ERROR, 0 }, { 11, 0, F_too_short, 12 }, { 0, 12, NO_ERROR, 0 },
		{ 256, 0, NO_ERROR, 0 }, { 257, 0, F_too_long, 256 },
		{ 1, 170, NO_ERROR, 0 }, { 2, 170, F_too_many_bytes, 511 },
	};
	/* clang-format on */

	(void)state;
	assert_true(email_passes(64, 100));
	assert_false(email_passes(65, 100));
	assert_true(email_passes(50, 203));
	assert_false(email_passes(51, 203));
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[1024];
		size_t n = 0;
		FieldCode wrong = F_required;
		int64_t bound = 0;

		for (size_t k = 0; k < rows[i].ascii; k++)
			text[n++] = 'x';
		for (size_t k = 0; k < rows[i].thai; k++, n += 3)
			memcpy(text + n, "\xE0\xB8\x81", 3);
		assert_int_equal(format_ok(FORMAT_PASSWORD, (Str){ text, n }, &wrong, &bound),
		                 rows[i].code == NO_ERROR);
		if (rows[i].code != NO_ERROR) {
			assert_int_equal(wrong, rows[i].code);
			assert_int_equal(bound, rows[i].bound);
		}
	}
}

static void
numbers_follow_the_grammar_of_json(void **state)
{
	/* clang-format off */
	static const struct { const char *text; size_t n; bool whole; } rows[] = {
		{ "0", 1, true }, { "-0", 2, true }, { "10", 2, true }, { "-12x", 3, true }, { "1.5", 3, false },
		{ "1e5", 3, false }, { "1E+05", 5, false }, { "1.25e-3,", 7, false }, { "0.0", 3, false },
		{ "", 0, true }, { "-", 0, true }, { "01", 0, true }, { "-01", 0, true }, { "+1", 0, true },
		{ ".5", 0, true }, { "1.", 0, false }, { "1.e1", 0, false }, { "1e", 0, false }, { "1e+", 0, false },
		{ "Infinity", 0, true }, { "NaN", 0, true }, { "0x10", 1, true }, { " 1", 0, true },
	};
	/* clang-format on */
	double v = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool whole;

		assert_int_equal(number_scan(str_of(rows[i].text), &whole), rows[i].n);
		if (rows[i].n > 0)
			assert_int_equal(whole, rows[i].whole);
	}
	assert_true(number_finite(S("1e308")));
	assert_true(number_finite(S("1.7976931348623157e+308")));
	assert_true(number_finite(S("0e999999999999999999999")));
	assert_true(number_finite(S("1e-999999999999999999999")));
	assert_false(number_finite(S("1e309")));
	assert_false(number_finite(S("-1.8e308")));
	assert_false(number_finite(S("1e400")));
	assert_false(number_finite(S("1e999999999999999999999")));
	assert_true(number_read(S("-2.5e1"), &v));
	assert_true(v == -25);
	assert_false(number_read(S("1 "), &v));
	assert_false(number_read(S("nan"), &v));
	assert_false(number_read(STR_NONE, &v));
}

static void
a_number_of_any_length_is_finite_below_10_to_the_308(void **state)
{
	char text[1200];

	(void)state;
	memset(text, '9', sizeof text);
	assert_true(number_finite((Str){ text, 308 }));
	assert_false(number_finite((Str){ text, 309 }));
	memcpy(text + 1000, "e-800", 5);
	assert_true(number_finite((Str){ text, 1005 }));
}

static void
text_is_read_as_its_field_says(void **state)
{
	/* clang-format off */
	static const struct { const char *field, *text; int code; } rows[] = {
		{ "yes", "true", NO_ERROR }, { "yes", "false", NO_ERROR }, { "yes", "1", F_type },
		{ "yes", "True", F_type }, { "yes", "", F_type },
		{ "number", "-9223372036854775808", NO_ERROR }, { "number", "9223372036854775807", NO_ERROR },
		{ "number", "9223372036854775808", F_too_large }, { "number", "-9223372036854775809", F_too_small },
		{ "number", "1.0", F_type }, { "number", "1e2", F_type }, { "number", "", F_type },
		{ "number", "007", F_type }, { "number", "+7", F_type }, { "number", " 7", F_type },
		{ "number", "-0", NO_ERROR }, { "number", "0x7", F_type },
		{ "ratio", "1e2", NO_ERROR }, { "ratio", "1e999", F_type }, { "ratio", "NaN", F_type },
		{ "text", "", NO_ERROR }, { "text", "\xFF", F_format }, { "text", "\xED\xA0\x80", F_format },
		{ "colour", "blue", NO_ERROR }, { "colour", "Blue", F_not_allowed }, { "colour", "", F_not_allowed },
		{ "id", "01930000-0000-7000-8000-00000000000A", NO_ERROR },
		{ "id", "0193000000007000800000000000000a", F_uuid }, { "id", "7", F_uuid },
		{ "at", "2026-11-21T16:00:00+07:00", NO_ERROR }, { "at", "2026-11-21", F_time },
		{ "o_number", "4", NO_ERROR }, { "o_number", "x", F_type },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		All all = { .number = 0 };
		const Field *field = model_field(&All_model, str_of(rows[i].field));
		FieldError wrong = { .code = F_required };
		bool read = field_read(field, str_of(rows[i].text), &all, &wrong);

		if (read != (rows[i].code == NO_ERROR) ||
		    (!read && (int)wrong.code != rows[i].code))
			fail_msg("%s \"%s\": %s", rows[i].field, rows[i].text,
			         read ? "read" : message_rows[wrong.code].text[LANG_EN]);
		if (field->optional)
			assert_int_equal(*field_has(field, &all), read);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kind_comes_from_the_type_of_the_member),
		cmocka_unit_test(
		    an_optional_member_keeps_its_flags_and_its_value_where_they_are),
		cmocka_unit_test(initial_values_are_set_for_the_body_or_for_all_else),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(texts_are_counted_in_code_points_and_lists_in_items),
		cmocka_unit_test(texts_have_formats),
		cmocka_unit_test(formats_hold_at_exactly_their_limits),
		cmocka_unit_test(numbers_follow_the_grammar_of_json),
		cmocka_unit_test(a_number_of_any_length_is_finite_below_10_to_the_308),
		cmocka_unit_test(text_is_read_as_its_field_says),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
