#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/params.h"

static Arena *arena;

static int
arena_make(void **state)
{
	(void)state;
	arena = arena_open(MIB(8));
	return 0;
}

static int
arena_drop(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

typedef enum Order { ORDER_NAME, ORDER_PRICE } Order;
static const char *const order_names[] = { "name", "price", NULL };

typedef struct Ask {
	Uuid id;
	Str code;
	int64_t limit;
	OptStr q;
	Order sort;
	OptEnum then;
	OptNum ratio;
	OptBool deep;
	OptTime since;
	StrList channels;
	OptStrList tags;
	IntList sizes;
	Str format;
	OptStr if_match;
	int64_t version;
	Str name;
} Ask;

/* clang-format off */
MODEL(Ask,
	FIELD(Ask, id,       .from = FROM_PATH, .required = true),
	FIELD(Ask, code,     .from = FROM_PATH, .required = true, .max = 4),
	FIELD(Ask, limit,    .from = FROM_QUERY, .min = 1, .max = 100, .initial = "20"),
	FIELD(Ask, q,        .from = FROM_QUERY, .min = 1, .max = 5),
	FIELD(Ask, sort,     .from = FROM_QUERY, .names = order_names, .initial = "\"price\""),
	FIELD(Ask, then,     .from = FROM_QUERY, .names = order_names),
	FIELD(Ask, ratio,    .from = FROM_QUERY),
	FIELD(Ask, deep,     .from = FROM_QUERY),
	FIELD(Ask, since,    .from = FROM_QUERY),
	FIELD(Ask, channels, .from = FROM_QUERY, .wire = "channel", .max = 3, .item_max = 4, .format = FORMAT_SLUG),
	FIELD(Ask, tags,     .from = FROM_QUERY, .wire = "tag"),
	FIELD(Ask, sizes,    .from = FROM_QUERY, .wire = "size"),
	FIELD(Ask, format,   .from = FROM_QUERY, .required = true),
	FIELD(Ask, if_match, .from = FROM_HEADER, .wire = "If-Match", .max = 8),
	FIELD(Ask, version,  .from = FROM_HEADER, .wire = "X-Version"),
	FIELD(Ask, name,     .required = true));
/* clang-format on */

/* Headers of the request that is being read: name, value, name, value, NULL. */
static Str
header_of(const void *of, const char *name)
{
	const char *const *pairs = of;

	for (; *pairs != NULL; pairs += 2)
		if (strcmp(pairs[0], name) == 0)
			return str_of(pairs[1]);
	return STR_NONE;
}

static const char *const no_headers[] = { NULL };

static Ask
ask_read(const char *id, const char *query, const char *const *headers, FieldErrors *errors)
{
	Ctx ctx = { .arena = arena };
	Str values[] = { str_of("ab"), str_of(id) };
	Params params = {
		.path = "/v1/things/{code}/parts/{id}",
		.path_values = values,
		.query = str_of(query),
		.header = header_of,
		.of = headers,
	};
	Ask ask = { .limit = -1 };

	errors->n = 0;
	params_read(&ctx, &params, &Ask_model, &ask, errors);
	return ask;
}

#define ID "01930000-0000-7000-8000-00000000000a"

static void
what_is_given_lands_in_the_struct(void **state)
{
	static const char *const headers[] = { "if-match", " \"3\" ", "x-version", "-0",
		                               "x-other",  "y",       NULL };
	FieldErrors errors;
	Ask ask = ask_read(ID,
	                   "limit=100&q=%E0%B8%81+b&sort=name&then=price&ratio=1e-1&deep=true&"
	                   "since=2026-11-21T09%3A00%3A00%2B07:00"
	                   "&channel=a&tag=x&channel=b.c&size=-5&size=6&tag=&format=",
	                   headers, &errors);

	(void)state;
	assert_int_equal(errors.n, 0);
	assert_int_equal(ask.id.b[15], 10);
	assert_true(str_eq(ask.code, S("ab")));
	assert_int_equal(ask.limit, 100);
	assert_true(ask.q.given && ask.q.has && str_eq(ask.q.v, S("\xE0\xB8\x81 b")));
	assert_int_equal(ask.sort, ORDER_NAME);
	assert_int_equal(ask.then.v, ORDER_PRICE);
	assert_true(ask.ratio.v == 0.1);
	assert_true(ask.deep.has && ask.deep.v);
	assert_int_equal(ask.since.v.us, INT64_C(1795226400000000));
	assert_int_equal(ask.channels.n, 2);
	assert_true(str_eq(ask.channels.v[1], S("b.c")));
	assert_true(ask.tags.given && ask.tags.has && ask.tags.v.n == 2 &&
	            ask.tags.v.v[1].n == 0);
	assert_int_equal(ask.sizes.n, 2);
	assert_int_equal(ask.sizes.v[0], -5);
	assert_int_equal(ask.format.n, 0);
	assert_true(str_eq(ask.if_match.v, S("\"3\"")));
	assert_int_equal(ask.version, 0);
}

static void
what_is_absent_has_its_initial_value(void **state)
{
	FieldErrors errors;
	Ask ask = ask_read(ID, "&&format=x&", no_headers, &errors);

	(void)state;
	assert_int_equal(errors.n, 0);
	assert_int_equal(ask.limit, 20);
	assert_int_equal(ask.sort, ORDER_PRICE);
	assert_false(ask.q.given || ask.then.given || ask.tags.given || ask.if_match.given);
	assert_int_equal(ask.channels.n, 0);
}

static void
what_is_wrong_is_told_by_its_name_on_the_wire(void **state)
{
	/* clang-format off */
	static const struct { const char *query, *pointer; FieldCode code; int64_t number; } rows[] = {
		{ "", "/format", F_required, 0 },
		{ "format=x&color=red", "/color", F_unknown_field, 0 },
		{ "format=x&Limit=1", "/Limit", F_unknown_field, 0 },
		{ "format=x&channels=a", "/channels", F_unknown_field, 0 },
		{ "format=x&name=a", "/name", F_unknown_field, 0 },
		{ "format=x&id=" ID, "/id", F_unknown_field, 0 },
		{ "format=x&If-Match=1", "/If-Match", F_unknown_field, 0 },
		{ "format=x&=1", "/", F_unknown_field, 0 },
		{ "format=x&a/b~=1", "/a~1b~0", F_unknown_field, 0 },
		{ "format=x&format=x", "/format", F_repeated, 0 },
		{ "format=x&limit=1&%6Cimit=2", "/limit", F_repeated, 0 },
		{ "format=x&limit=0", "/limit", F_too_small, 1 },
		{ "format=x&limit=101", "/limit", F_too_large, 100 },
		{ "format=x&limit=99999999999999999999", "/limit", F_too_large, 100 },
		{ "format=x&limit=", "/limit", F_type, 0 },
		{ "format=x&limit", "/limit", F_type, 0 },
		{ "format=x&limit=ten", "/limit", F_type, 0 },
		{ "format=x&limit=1.0", "/limit", F_type, 0 },
		{ "format=x&limit=%31%30x", "/limit", F_type, 0 },
		{ "format=x&limit=+5", "/limit", F_type, 0 },
		{ "format=x&q=", "/q", F_too_short, 1 },
		{ "format=x&q=abcdef", "/q", F_too_long, 5 },
		{ "format=x&q=a%00b", "/q", F_format, 0 },
		{ "format=x&q=%FF", "/q", F_format, 0 },
		{ "format=x&q=%", "/q", F_format, 0 },
		{ "format=x&q=%4", "/q", F_format, 0 },
		{ "format=x&q=%zz", "/q", F_format, 0 },
		{ "format=x&%zz=1", "/", F_format, 0 },
		{ "format=x&%FF=1", "/", F_format, 0 },
		{ "format=x&sort=Name", "/sort", F_not_allowed, 0 },
		{ "format=x&sort=", "/sort", F_not_allowed, 0 },
		{ "format=x&deep=1", "/deep", F_type, 0 },
		{ "format=x&ratio=NaN", "/ratio", F_type, 0 },
		{ "format=x&ratio=0x1p3", "/ratio", F_type, 0 },
		{ "format=x&since=2026-11-21", "/since", F_time, 0 },
		{ "format=x&channel=a&channel=b&channel=c&channel=d", "/channel", F_too_many, 3 },
		{ "format=x&channel=abcde", "/channel", F_too_long, 4 },
		{ "format=x&channel=A", "/channel", F_slug, 0 },
		{ "format=x&tag=%FF", "/tag", F_format, 0 },
		{ "format=x&tag=a&tag=%4", "/tag", F_format, 0 },
		{ "format=x&size=1&size=x", "/size", F_type, 0 },
	};
	/* clang-format on */
	FieldErrors errors;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ask_read(ID, rows[i].query, no_headers, &errors);
		if (errors.n != 1 || !str_eq(errors.v[0].pointer, str_of(rows[i].pointer)) ||
		    errors.v[0].code != rows[i].code || errors.v[0].number != rows[i].number)
			fail_msg("%s gave %zu errors, first \"%.*s\" %s", rows[i].query,
			         errors.n, errors.n == 0 ? 0 : (int)errors.v[0].pointer.n,
			         errors.v[0].pointer.p,
			         message_rows[errors.v[0].code].text[LANG_EN]);
	}
}

static void
path_and_headers_are_checked_like_the_query_and_all_is_told_at_once(void **state)
{
	static const char *const headers[] = { "if-match", "123456789", "x-version", "one",
		                               NULL };
	FieldErrors errors;

	(void)state;
	ask_read("not-a-uuid", "limit=0&x=1", headers, &errors);
	assert_int_equal(errors.n, 6);
	assert_true(str_eq(errors.v[0].pointer, S("/id")));
	assert_int_equal(errors.v[0].code, F_uuid);
	assert_true(str_eq(errors.v[1].pointer, S("/If-Match")));
	assert_int_equal(errors.v[1].code, F_too_long);
	assert_true(str_eq(errors.v[2].pointer, S("/X-Version")));
	assert_int_equal(errors.v[2].code, F_type);
	assert_int_equal(errors.v[3].code, F_too_small);
	assert_int_equal(errors.v[4].code, F_unknown_field);
	assert_int_equal(errors.v[5].code, F_required);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_lands_in_the_struct),
		cmocka_unit_test(what_is_absent_has_its_initial_value),
		cmocka_unit_test(what_is_wrong_is_told_by_its_name_on_the_wire),
		cmocka_unit_test(
		    path_and_headers_are_checked_like_the_query_and_all_is_told_at_once),
	};

	return cmocka_run_group_tests_name("params", tests, arena_make, arena_drop);
}
