#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/json.h"
#include "common/settings.h"
#include "fcgi/openapi.h"

/* A table of its own: what the program's own table says changes, what a row means does not. */

typedef enum Shade { SHADE_DARK, SHADE_LIGHT } Shade;
static const char *const shade_names[] = { "dark", "light", NULL };

typedef struct LampKey {
	Uuid id;
} LampKey;

typedef struct Lamp {
	Uuid id;
	Str name;
	OptStr note;
	OptEnum shade;
	Money price;
	OptMoney old_price;
	StrList tags;
	Json attributes;
	OptJson anything;
	int64_t version;
	Instant created_at;
} Lamp;

typedef struct LampNew {
	Str name;
	OptStr note;
	Shade shade;
	Money price;
	StrList tags;
	double watts;
	int64_t stock;
	Str password, email, site, slug;
} LampNew;

typedef struct LampFilter {
	int64_t limit;
	StrList tags;
	OptStr cursor;
	OptStr trace;
} LampFilter;

typedef struct LampPage {
	List items;
	OptStr next_cursor;
} LampPage;

typedef struct LampSet {
	Str name;
	OptStr note;
} LampSet;

/* clang-format off */
MODEL(LampKey, FIELD(LampKey, id, .from = FROM_PATH, .required = true));

MODEL(Lamp,
	FIELD(Lamp, id),
	FIELD(Lamp, name, .about = "what it is \"called\""),
	FIELD(Lamp, note),
	FIELD(Lamp, shade, .names = shade_names),
	FIELD_OF(Lamp, price, Money),
	FIELD_OF(Lamp, old_price, Money),
	FIELD(Lamp, tags),
	FIELD(Lamp, attributes, .object = true),
	FIELD(Lamp, anything),
	FIELD(Lamp, version),
	FIELD(Lamp, created_at));

MODEL(LampNew,
	FIELD(LampNew, name, .required = true, .min = 1, .max = 200),
	FIELD(LampNew, note, .nullable = true, .max = 10),
	FIELD(LampNew, shade, .names = shade_names, .initial = "\"dark\""),
	FIELD_OF(LampNew, price, Money, .required = true, .about = "for one"),
	FIELD(LampNew, tags, .max = 5, .item_max = 20),
	FIELD(LampNew, watts, .min = INT64_MIN),
	FIELD(LampNew, stock, .max = 9, .initial = "3"),
	FIELD(LampNew, password, .format = FORMAT_PASSWORD, .secret = true),
	FIELD(LampNew, email, .format = FORMAT_EMAIL),
	FIELD(LampNew, site, .format = FORMAT_URL),
	FIELD(LampNew, slug, .format = FORMAT_SLUG));

MODEL(LampFilter,
	FIELD(LampFilter, limit, .from = FROM_QUERY, .min = 1, .max = 100, .initial = "20"),
	FIELD(LampFilter, tags, .from = FROM_QUERY, .wire = "tag"),
	FIELD(LampFilter, cursor, .from = FROM_QUERY),
	FIELD(LampFilter, trace, .from = FROM_HEADER, .wire = "X-Trace"));

MODEL(LampPage,
	FIELD_OF(LampPage, items, Lamp),
	FIELD(LampPage, next_cursor));

MODEL(LampSet,
	FIELD(LampSet, name),
	FIELD(LampSet, note, .nullable = true));
/* clang-format on */

#define PROBLEMS(...) ((const ProblemCode[]){ __VA_ARGS__, P_internal })

/* clang-format off */
const Route routes[] = {
	{ .id = "lamp_list", .method = GET, .path = "/v1/lamps", .who = anyone, .takes = &LampFilter_model,
	  .gives = &LampPage_model, .status = 200, .about = "List lamps",
	  .problems = PROBLEMS(P_invalid_cursor) },
	{ .id = "lamp_create", .method = POST, .path = "/v1/lamps", .who = products_write, .takes = &LampNew_model,
	  .gives = &Lamp_model, .status = 201, .about = "Make a lamp", .versioned = true, .problems = PROBLEMS(P_sku_taken) },
	{ .id = "lamp_get", .method = GET, .path = "/v1/lamps/{id}", .who = bearer, .takes = &LampKey_model,
	  .gives = &Lamp_model, .status = 200, .versioned = true, .about = "Read a lamp" },
	{ .id = "lamp_delete", .method = DELETE, .path = "/v1/lamps/{id}", .who = products_write,
	  .takes = &LampKey_model, .gives = &Nothing_model, .status = 204, .about = "Remove a lamp",
	  .problems = PROBLEMS(P_precondition_failed, P_precondition_required) },
	{ .id = "set_put", .method = PUT, .path = "/v1/sets", .who = anyone, .takes = &LampSet_model,
	  .gives = &LampSet_model, .status = 200, .about = "Make or replace a set" },
	{ .id = "run", .method = POST, .path = "/v1/run", .who = anyone, .takes = &Nothing_model,
	  .reads = &LampSet_model, .gives = &Nothing_model, .status = 200, .about = "Run",
	  .body_types = "application/json application/x+json" },
	{ .id = "page", .method = GET, .path = "/metrics", .who = ops, .lane = LANE_OPS, .takes = &Nothing_model,
	  .gives = &Nothing_model, .status = 200, .media = "text/plain; version=0.0.4 application/json", .about = "Numbers" },
};
/* clang-format on */
const size_t route_count = COUNT(routes);

const char *const permission_names[WHOS] = {
	[products_write] = "products:write", [ops_read] = "ops:read"
};

static Arena *arena;
static Ctx ctx;
static JsonValue *document;

static int
document_make(void **state)
{
	Buf out = { 0 };

	(void)state;
	arena = arena_open(MIB(64));
	ctx.arena = out.arena = arena;
	openapi_write(&out);
	return json_parse(&ctx, buf_str(&out), &document) != NULL;
}

static int
document_drop(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

/* What stands at "a b c": names, and numbers of items; NULL where nothing does. */
static JsonValue *
at(JsonValue *v, const char *way)
{
	Str rest = str_of(way), step;
	uint64_t i;

	while (str_next(&rest, ' ', &step))
		v = str_u64(step, &i) && json_len(v) > 0 ? json_at(v, i)
		                                         : json_get(v, str_text(arena, step));
	return v;
}

static bool
is_text(const char *way, const char *want)
{
	Str text;

	return json_str(at(document, way), &text) && str_eq(text, str_of(want));
}

static bool
is_int(const char *way, int64_t want)
{
	int64_t number;

	return json_int(at(document, way), &number) && number == want;
}

/* Is this text among the items there? */
static bool
lists(const char *way, const char *want)
{
	JsonValue *list = at(document, way);
	Str text;

	for (size_t i = 0; i < json_len(list); i++)
		if (json_str(json_at(list, i), &text) && str_eq(text, str_of(want)))
			return true;
	return false;
}

static void
it_says_what_the_rows_say(void **state)
{
	(void)state;
	assert_true(is_text("openapi", "3.1.0"));
	assert_true(is_text("info version", PACKAGE_VERSION));
	assert_true(is_text("servers 0 url", "/"));
	assert_true(is_text("paths /v1/lamps get operationId", "lamp_list"));
	assert_true(is_text("paths /v1/lamps post summary", "Make a lamp"));
	assert_true(is_text("paths /v1/lamps post tags 0", "lamps"));
	assert_true(is_text("paths /metrics get tags 0", "ops"));
	assert_true(is_text("paths /v1/lamps post x-permission", "products:write"));
	assert_true(is_text("paths /metrics get x-permission", "ops:read"));
	assert_null(at(document, "paths /v1/lamps get x-permission"));
	assert_int_equal(json_len(at(document, "paths /v1/lamps get security")), 2);
	assert_int_equal(json_len(at(document, "paths /v1/lamps/{id} get security")), 1);
	assert_int_equal(json_len(at(document, "tags")), 4);
}

static void
parameters_come_from_models_and_rules(void **state)
{
	(void)state;
	assert_true(is_text("paths /v1/lamps get parameters 0 name", "limit"));
	assert_true(is_text("paths /v1/lamps get parameters 0 in", "query"));
	assert_true(is_int("paths /v1/lamps get parameters 0 schema maximum", 100));
	assert_true(is_int("paths /v1/lamps get parameters 0 schema default", 20));
	assert_true(is_text("paths /v1/lamps get parameters 1 name", "tag"));
	assert_true(is_text("paths /v1/lamps get parameters 1 schema type", "array"));
	assert_true(is_text("paths /v1/lamps get parameters 2 schema type", "string"));
	assert_true(is_text("paths /v1/lamps get parameters 3 name", "X-Trace"));
	assert_true(is_text("paths /v1/lamps get parameters 3 in", "header"));
	assert_int_equal(json_len(at(document, "paths /v1/lamps get parameters")), 4);
	assert_true(is_text("paths /v1/lamps/{id} get parameters 0 in", "path"));
	assert_true(is_text("paths /v1/lamps/{id} get parameters 0 schema format", "uuid"));
	assert_true(is_text("paths /v1/lamps/{id} get parameters 1 name", "If-None-Match"));
	assert_true(is_text("paths /v1/lamps/{id} delete parameters 1 name", "If-Match"));
	assert_int_equal(json_len(at(document, "paths /v1/lamps post parameters")), 0);
}

static void
bodies_and_answers_refer_to_schemas(void **state)
{
	(void)state;
	assert_true(
	    is_text("paths /v1/lamps post requestBody content application/json schema $ref",
	            "#/components/schemas/LampNew"));
	assert_true(
	    is_text("paths /v1/lamps post responses 201 content application/json schema $ref",
	            "#/components/schemas/Lamp"));
	assert_non_null(at(document, "paths /v1/lamps post responses 201 headers Location"));
	assert_non_null(at(document, "paths /v1/lamps post responses 201 headers ETag"));
	assert_non_null(at(document, "paths /v1/lamps get responses 200 headers Link"));
	assert_non_null(at(document, "paths /v1/lamps/{id} get responses 304"));
	assert_null(at(document, "paths /v1/lamps/{id} get responses 304 content"));
	assert_null(at(document, "paths /v1/lamps get responses 304"));
	assert_null(at(document, "paths /v1/lamps/{id} delete responses 204 content"));
	assert_null(at(document, "paths /v1/lamps/{id} delete requestBody"));
	assert_non_null(at(document, "paths /v1/sets put responses 200"));
	assert_non_null(at(document, "paths /v1/sets put responses 201"));
	assert_true(
	    is_text("paths /v1/run post requestBody content application/x+json schema $ref",
	            "#/components/schemas/LampSetInput"));
	assert_true(is_text(
	    "paths /v1/run post responses 200 content application/json schema type", "object"));
	assert_true(is_text("paths /metrics get responses 200 content text/plain schema type",
	                    "string"));
	assert_true(is_text(
	    "paths /metrics get responses 200 content application/json schema type", "object"));
}

static void
schemas_are_closed_and_say_what_the_fields_say(void **state)
{
	(void)state;
#define IN "components schemas LampNew properties "
#define OUT "components schemas Lamp properties "
	assert_true(is_int(IN "name minLength", 1));
	assert_true(is_int(IN "name maxLength", 200));
	assert_true(lists("components schemas LampNew required", "name"));
	assert_false(lists("components schemas LampNew required", "note"));
	assert_true(lists(IN "note type", "null"));
	assert_true(is_text(IN "shade type", "string"));
	assert_true(lists(IN "shade enum", "light"));
	assert_true(is_text(IN "shade default", "dark"));
	assert_true(is_text(IN "price $ref", "#/components/schemas/Money"));
	assert_true(is_text(IN "price description", "for one"));
	assert_true(is_int(IN "tags maxItems", 5));
	assert_true(is_int(IN "tags items maxLength", 20));
	assert_null(at(document, IN "watts minimum"));
	assert_true(is_text(IN "watts type", "number"));
	assert_true(is_int(IN "stock minimum", 0));
	assert_true(is_int(IN "stock maximum", 9));
	assert_true(is_int(IN "stock default", 3));
	assert_true(is_int(IN "password minLength", 12));
	assert_non_null(at(document, IN "password writeOnly"));
	assert_true(is_text(IN "email format", "email"));
	assert_true(is_text(IN "site format", "uri"));
	assert_true(is_text(IN "slug pattern", "^[a-z0-9._-]+$"));
	assert_int_equal(json_len(at(document, "components schemas Lamp required")), 11);
	assert_true(is_text(OUT "name description", "what it is \"called\""));
	assert_true(lists(OUT "note type", "null"));
	assert_true(lists(OUT "shade type", "null"));
	assert_int_equal(json_len(at(document, OUT "shade enum")), 3);
	assert_true(is_text(OUT "old_price anyOf 1 type", "null"));
	assert_true(is_text(OUT "old_price anyOf 0 $ref", "#/components/schemas/Money"));
	assert_true(is_text(OUT "attributes type", "object"));
	assert_non_null(at(document, OUT "anything"));
	assert_null(at(document, OUT "anything type"));
	assert_null(at(document, OUT "version minimum"));
	assert_true(is_text(OUT "created_at format", "date-time"));
	assert_true(is_text("components schemas LampPage properties items items $ref",
	                    "#/components/schemas/Lamp"));
	assert_null(at(document, "components schemas LampKey"));
	assert_null(at(document, "components schemas MoneyInput"));
	assert_non_null(at(document, "components schemas Lamp additionalProperties"));
}

static void
a_model_used_both_ways_has_two_schemas_where_they_differ(void **state)
{
	(void)state;
	assert_int_equal(json_len(at(document, "components schemas LampSet required")), 2);
	assert_non_null(at(document, "components schemas LampSetInput properties note"));
	assert_int_equal(json_len(at(document, "components schemas LampSetInput required")), 0);
	assert_true(
	    is_text("paths /v1/sets put requestBody content application/json schema $ref",
	            "#/components/schemas/LampSetInput"));
	assert_true(
	    is_text("paths /v1/sets put responses 200 content application/json schema $ref",
	            "#/components/schemas/LampSet"));
}

static void
every_operation_lists_what_may_go_wrong(void **state)
{
	/* clang-format off */
	static const struct { const char *way, *code; bool listed; } rows[] = {
		{ "paths /v1/lamps get responses 400 x-codes", "bad_request", true },
		{ "paths /v1/lamps get responses 400 x-codes", "invalid_parameter", true },
		{ "paths /v1/lamps get responses 400 x-codes", "invalid_cursor", true },
		{ "paths /v1/lamps get responses 400 x-codes", "malformed_json", false },
		{ "paths /v1/lamps get responses 401 x-codes", "token_expired", true },
		{ "paths /v1/lamps get responses 401 x-codes", "token_missing", false },
		{ "paths /v1/lamps get responses 403 x-codes", "forbidden", false },
		{ "paths /v1/lamps get responses 404 x-codes", "not_found", false },
		{ "paths /v1/lamps get responses 503 x-codes", "overloaded", true },
		{ "paths /v1/lamps get responses 504 x-codes", "deadline_exceeded", true },
		{ "paths /v1/lamps post responses 400 x-codes", "malformed_json", true },
		{ "paths /v1/lamps post responses 401 x-codes", "token_missing", true },
		{ "paths /v1/lamps post responses 403 x-codes", "forbidden", true },
		{ "paths /v1/lamps post responses 409 x-codes", "sku_taken", true },
		{ "paths /v1/lamps post responses 415 x-codes", "unsupported_media_type", true },
		{ "paths /v1/lamps post responses 422 x-codes", "validation_failed", true },
		{ "paths /v1/lamps/{id} get responses 404 x-codes", "not_found", true },
		{ "paths /v1/lamps/{id} get responses 403 x-codes", "forbidden", false },
		{ "paths /v1/lamps/{id} delete responses 412 x-codes", "precondition_failed", true },
		{ "paths /v1/lamps/{id} delete responses 428 x-codes", "precondition_required", true },
		{ "paths /v1/run post responses 422 x-codes", "validation_failed", true },
		{ "components schemas Problem properties code enum", "upstream_timeout", true },
		{ "components schemas FieldError properties code enum", "too_long", true },
		{ "components schemas FieldError properties code enum", "", false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (lists(rows[i].way, rows[i].code) != rows[i].listed)
			fail_msg("%s: %s", rows[i].way, rows[i].code);
	assert_non_null(
	    at(document, "paths /v1/lamps get responses 401 headers WWW-Authenticate"));
	assert_non_null(at(document, "paths /v1/lamps get responses 503 headers Retry-After"));
}

static void
the_same_tables_give_the_same_bytes_and_the_text_is_kept(void **state)
{
	Buf one = { .arena = arena }, two = { .arena = arena };
	Str kept = openapi_text(&ctx);

	(void)state;
	openapi_write(&one);
	openapi_write(&two);
	assert_true(str_eq(buf_str(&one), buf_str(&two)));
	assert_true(str_eq(buf_str(&one), kept));
	assert_ptr_equal(openapi_text(&ctx).p, kept.p);
}

static void
the_base_path_is_the_server(void **state)
{
	const Settings *before = conf;
	Settings based = { .http_base_path = "/api" };
	Buf out = { .arena = arena };

	(void)state;
	conf = &based;
	openapi_write(&out);
	conf = before;
	assert_non_null(
	    strstr(str_text(arena, buf_str(&out)), "\"servers\":[{\"url\":\"/api\"}]"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_the_rows_say),
		cmocka_unit_test(parameters_come_from_models_and_rules),
		cmocka_unit_test(bodies_and_answers_refer_to_schemas),
		cmocka_unit_test(schemas_are_closed_and_say_what_the_fields_say),
		cmocka_unit_test(a_model_used_both_ways_has_two_schemas_where_they_differ),
		cmocka_unit_test(every_operation_lists_what_may_go_wrong),
		cmocka_unit_test(the_same_tables_give_the_same_bytes_and_the_text_is_kept),
		cmocka_unit_test(the_base_path_is_the_server),
	};

	return cmocka_run_group_tests_name("openapi", tests, document_make, document_drop);
}
