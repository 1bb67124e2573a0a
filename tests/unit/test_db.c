#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/lib/db_items.h"

/* ---------------------------------------------------------------- rows */

static void
a_row_lands_in_its_struct_in_one_trip(void **state)
{
	Bench *bench = *state;
	Item out = { 0 };

	given(bench, &lamp);
	assert_null(db_one(&bench->ctx, &item_get, one_args, &out, P_not_found));
	assert_int_equal(out.id, 1);
	assert_true(str_eq(out.name, S("lamp")));
	assert_true(out.note.given && out.note.has && str_eq(out.note.v, S("warm")));
	assert_int_equal(out.colour, 2);
	assert_true(out.box.given && !out.box.has);
	assert_int_equal(db_cost(bench->db).trips, 1);
	assert_int_equal(db_cost(bench->db).statements, 1);
	assert_int_equal(db_cost(bench->db).connects, 0);
}

static void
a_missing_row_is_the_problem_asked_for_and_touches_nothing(void **state)
{
	Bench *bench = *state;
	Item out = { .id = -1 };
	bool found = true;

	assert_problem(db_one(&bench->ctx, &item_get, nine_args, &out, P_not_found),
	               P_not_found, NULL);
	assert_problem(db_one(&bench->ctx, &item_get, nine_args, &out, P_internal), P_internal,
	               "query item_get: no row");
	assert_null(db_maybe(&bench->ctx, &item_get, nine_args, &out, &found));
	assert_false(found);
	assert_int_equal(out.id, -1);
}

static void
two_rows_where_one_was_promised_are_internal(void **state)
{
	Bench *bench = *state;
	Item out = { .id = -1 };

	given(bench, &lamp);
	given(bench, &desk);
	assert_problem(db_one(&bench->ctx, &items_all, NULL, &out, P_not_found), P_internal,
	               "2 rows");
	assert_int_equal(out.id, -1);
}

static void
all_rows_come_as_a_list(void **state)
{
	Bench *bench = *state;
	List out = { 0 };
	const Item *items;

	assert_null(db_many(&bench->ctx, &items_all, NULL, &out));
	assert_int_equal(out.n, 0);
	given(bench, &lamp);
	given(bench, &desk);
	assert_null(db_many(&bench->ctx, &items_all, NULL, &out));
	assert_int_equal(out.n, 2);
	items = out.v;
	assert_true(str_eq(items[0].name, S("lamp")) && str_eq(items[1].name, S("desk")));
	assert_false(items[1].note.has);
}

static void
a_command_tells_how_many_rows_it_touched(void **state)
{
	Bench *bench = *state;
	int64_t n = -1;

	given(bench, &lamp);
	given(bench, &desk);
	assert_null(db_begin(&bench->ctx));
	assert_null(db_exec(&bench->ctx, &items_touch, one_args, &n));
	assert_int_equal(n, 2);
	assert_null(db_exec(&bench->ctx, &items_touch, nine_args, &n));
	assert_int_equal(n, 0);
	assert_null(db_commit(&bench->ctx));
}

typedef struct Wrong {
	int64_t n;
	Instant at;
	double real;
	StrList texts;
} Wrong;

static const DbColumn gives_instant[] = { COLUMN(Wrong, at, DB_TIMESTAMPTZ) };
static const DbColumn gives_real[] = { COLUMN(Wrong, real, DB_FLOAT8) };
static const DbColumn gives_texts[] = { COLUMN(Wrong, texts, DB_TEXT_ARRAY) };

QUERY(null_number, "SELECT NULL::bigint", with_nothing, gives_number, Wrong);
QUERY(other_type, "SELECT now()", with_nothing, gives_number, Wrong);
QUERY(two_columns, "SELECT 1::bigint, 2::bigint", with_nothing, gives_number, Wrong);
QUERY(never, "SELECT 'infinity'::timestamptz", with_nothing, gives_instant, Wrong);
QUERY(far, "SELECT '20000-01-01'::timestamptz", with_nothing, gives_instant, Wrong);
QUERY(before, "SELECT '0001-01-01 BC'::timestamptz", with_nothing, gives_instant, Wrong);
QUERY(not_a_number, "SELECT 'NaN'::float8", with_nothing, gives_real, Wrong);
QUERY(null_inside, "SELECT ARRAY['a', NULL]", with_nothing, gives_texts, Wrong);
QUERY(matrix, "SELECT ARRAY[['a'], ['b']]", with_nothing, gives_texts, Wrong);

static void
a_column_that_is_not_as_promised_is_internal_and_named(void **state)
{
	static const struct {
		const DbQuery *q;
		const char *inside;
	} rows[] = {
		{ &null_number, "query null_number, column n: NULL" },
		{ &other_type, "query other_type, column n: of another type" },
		{ &two_columns, "2 columns, not 1" },
		{ &never, "column at: infinite" },
		{ &far, "column at: infinite, or outside" },
		{ &before, "column at: infinite, or outside" },
		{ &not_a_number, "column real: not a finite number" },
		{ &null_inside, "column texts: an array with a NULL" },
		{ &matrix, "column texts: an array of several dimensions" },
	};
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		Wrong out = { .n = -1 };
		List list = { NULL, 7 };

		assert_problem(db_one(&bench->ctx, rows[i].q, NULL, &out, P_internal),
		               P_internal, rows[i].inside);
		assert_problem(db_many(&bench->ctx, rows[i].q, NULL, &list), P_internal,
		               rows[i].inside);
		assert_true(out.n == -1 && list.n == 7);
	}
	assert_int_equal(db_cost(bench->db).faults, 0);
}

/* ---------------------------------------------------------------- every type there and back */

typedef struct All {
	bool yes;
	int64_t two, four, eight;
	double real;
	Str text, bytes;
	Uuid id;
	Instant at;
	Json json;
	StrList texts;
	IntList numbers;
	List ids;
	OptStr nothing;
} All;

static const DbParam with_all[] = {
	PARAM(All, yes, DB_BOOL),         PARAM(All, two, DB_INT2),
	PARAM(All, four, DB_INT4),        PARAM(All, eight, DB_INT8),
	PARAM(All, real, DB_FLOAT8),      PARAM(All, text, DB_TEXT),
	PARAM(All, bytes, DB_BYTEA),      PARAM(All, id, DB_UUID),
	PARAM(All, at, DB_TIMESTAMPTZ),   PARAM(All, json, DB_JSONB),
	PARAM(All, texts, DB_TEXT_ARRAY), PARAM(All, numbers, DB_INT8_ARRAY),
	PARAM(All, ids, DB_UUID_ARRAY),   PARAM(All, nothing, DB_TEXT),
};
static const DbColumn gives_all[] = {
	COLUMN(All, yes, DB_BOOL),         COLUMN(All, two, DB_INT2),
	COLUMN(All, four, DB_INT4),        COLUMN(All, eight, DB_INT8),
	COLUMN(All, real, DB_FLOAT8),      COLUMN(All, text, DB_TEXT),
	COLUMN(All, bytes, DB_BYTEA),      COLUMN(All, id, DB_UUID),
	COLUMN(All, at, DB_TIMESTAMPTZ),   COLUMN(All, json, DB_JSONB),
	COLUMN(All, texts, DB_TEXT_ARRAY), COLUMN(All, numbers, DB_INT8_ARRAY),
	COLUMN(All, ids, DB_UUID_ARRAY),   COLUMN(All, nothing, DB_TEXT),
};
QUERY(
    echo,
    "SELECT $1::bool, $2::int2, $3::int4, $4::int8, $5::float8, $6::text, $7::bytea, $8::uuid,"
    " $9::timestamptz, $10::jsonb, $11::text[], $12::int8[], $13::uuid[], $14::text",
    with_all, gives_all, All);
/* What the server itself understands of them. */
QUERY(understood,
      "SELECT ($1::bool AND $2::int2 = -2 AND $3::int4 = 70000 AND $4::int8 = -9e18::int8"
      " AND $5::float8 = 0.5 AND $6::text = 'ไทย' AND $7::bytea = '\\x00ff'"
      " AND $8::uuid = '01020000-0000-0000-0000-000000000000'"
      " AND $9::timestamptz = '1969-12-31T23:59:59.999999Z' AND $10::jsonb = '{\"a\": [1]}'"
      " AND $11::text[] = '{a,\"\"}' AND $12::int8[] = '{1,-1}'"
      " AND $13::uuid[] = ARRAY[$8] AND $14::text IS NULL)::int::bigint",
      with_all, gives_number, Number);

static void
every_type_goes_there_and_back(void **state)
{
	static Str texts[] = { { "a", 1 }, { "", 0 } };
	static int64_t numbers[] = { 1, -1 };
	static Uuid id = { { 1, 2 } };
	const All in = { .yes = true,
		         .two = -2,
		         .four = 70000,
		         .eight = INT64_C(-9000000000000000000),
		         .real = 0.5,
		         .text = S("ไทย"),
		         .bytes = S("\0\xFF"),
		         .id = id,
		         .at = { -1 },
		         .json = { S("{\"a\": [1]}") },
		         .texts = { texts, 2 },
		         .numbers = { numbers, 2 },
		         .ids = { &id, 1 } };
	const void *args[] = { &in };
	Bench *bench = *state;
	Number yes = { 0 };
	All out = { 0 };

	assert_null(db_one(&bench->ctx, &understood, args, &yes, P_internal));
	assert_int_equal(yes.n, 1);
	assert_null(db_one(&bench->ctx, &echo, args, &out, P_internal));
	assert_true(out.yes && out.two == in.two && out.four == in.four &&
	            out.eight == in.eight);
	assert_true(out.real == in.real && out.at.us == in.at.us && uuid_eq(out.id, id));
	assert_true(str_eq(out.text, in.text) && str_eq(out.bytes, in.bytes));
	assert_true(str_eq(out.json.text, in.json.text));
	assert_true(out.texts.n == 2 && str_eq(out.texts.v[0], S("a")) &&
	            out.texts.v[1].n == 0);
	assert_true(out.numbers.n == 2 && out.numbers.v[1] == -1 && out.ids.n == 1);
	assert_true(out.nothing.given && !out.nothing.has);
}

/* ---------------------------------------------------------------- choices */

typedef struct Search {
	OptStr name;
	unsigned sort;
} Search;

static const DbParam with_search[] = { PARAM(Search, name, DB_TEXT) };
static const DbChoice search_choices[] = {
	{ .offset = offsetof(Search, name), .kind = KIND_STR, .count = 2, .fragment = true },
	{ .offset = offsetof(Search, sort), .kind = KIND_ENUM, .count = 2 },
};
#define FROM_ITEMS "SELECT id, name, note, colour, box FROM db_test.items "
static const DbVariant search_variants[] = {
	{ .name = "test_search_0", .sql = FROM_ITEMS "ORDER BY id" },
	{ .name = "test_search_1",
	  .sql = FROM_ITEMS "WHERE name >= $1 ORDER BY id",
	  .params = bench_numbers,
	  .n_params = 1 },
	{ .name = "test_search_2", .sql = FROM_ITEMS "ORDER BY id DESC" },
	{ .name = "test_search_3",
	  .sql = FROM_ITEMS "WHERE name >= $1 ORDER BY id DESC",
	  .params = bench_numbers,
	  .n_params = 1,
	  .anew = true },
};
static const DbQuery search = {
	.name = "search",
	.params = with_search,
	.n_params = 1,
	.columns = gives_item,
	.n_columns = COUNT(gives_item),
	.choices = search_choices,
	.n_choices = COUNT(search_choices),
	.variants = search_variants,
	.n_variants = COUNT(search_variants),
	.row_size = sizeof(Item),
};
QUERY(prepared_searches,
      "SELECT count(*) AS n FROM pg_prepared_statements WHERE name LIKE 'test_search_%'",
      with_nothing, gives_number, Number);

static void
arguments_choose_the_text_which_is_prepared_when_first_met_or_never(void **state)
{
	static const struct {
		Search search;
		size_t want;
		int64_t first, prepared;
	} rows[] = {
		{ { .sort = 0 }, 2, 1, 1 },
		{ { .sort = 0 }, 2, 1, 1 },
		{ { .name = { true, true, S("e") }, .sort = 1 }, 1, 1, 1 }, /* anew */
		{ { .sort = 1 }, 2, 2, 2 },
		{ { .name = { true, true, S("d") } }, 2, 1, 3 },
	};
	Bench *bench = *state;

	given(bench, &lamp);
	given(bench, &desk);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const void *args[] = { &rows[i].search };
		Number n;
		List out;

		assert_null(db_many(&bench->ctx, &search, args, &out));
		assert_int_equal(out.n, rows[i].want);
		assert_int_equal(((const Item *)out.v)->id, rows[i].first);
		assert_null(db_one(&bench->ctx, &prepared_searches, NULL, &n, P_internal));
		assert_int_equal(n.n, rows[i].prepared);
	}
	assert_problem(
	    db_exec(&bench->ctx, &search, (const void *[]){ &(Search){ .sort = 2 } }, NULL),
	    P_internal, "no such choice");
}

/* ---------------------------------------------------------------- row after row */

QUERY(many_numbers, "SELECT generate_series(1, $1::bigint) AS n", with_number, gives_number,
      Number);

typedef struct Sum {
	Bench *bench;
	int64_t total, stop_at;
	size_t most;
} Sum;

static const Problem *
add(Ctx *ctx, const void *row, void *to)
{
	Sum *sum = to;
	int64_t n = ((const Number *)row)->n;

	arena_take(ctx->arena, 1, 1000, 1);
	sum->most = MAX(sum->most, arena_used(ctx->arena));
	sum->total += n;
	if (n == 5)
		assert_problem(db_exec(ctx, &items_all, NULL, NULL), P_internal,
		               "inside db_each");
	return n == sum->stop_at ? problem_inside(ctx, P_conflict, "at %lld", (long long)n)
	                         : NULL;
}

static void
rows_come_one_by_one_in_constant_memory(void **state)
{
	static const Number many = { 100000 };
	const void *args[] = { &many };
	Bench *bench = *state;
	Sum sum = { .bench = bench };

	assert_null(db_each(&bench->ctx, &many_numbers, args, add, &sum));
	assert_int_equal(sum.total, INT64_C(5000050000));
	assert_true(sum.most < 16000);
	assert_int_equal(db_cost(bench->db).faults, 0);
}

static void
the_first_problem_ends_the_rows(void **state)
{
	static const struct {
		int64_t rows, stop_at;
		uint32_t faults; /* a short rest is read, else the connection is closed */
	} rows[] = { { 10, 3, 0 }, { 10, 10, 0 }, { 100000000, 2, 1 } };
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		Sum sum = { .bench = bench, .stop_at = rows[i].stop_at };
		const void *args[] = { &(Number){ rows[i].rows } };
		int64_t start_us = clock_mono_us();

		bench_request(bench, 5000);
		assert_problem(db_each(&bench->ctx, &many_numbers, args, add, &sum), P_conflict,
		               "at ");
		assert_true(clock_mono_us() - start_us < 1000000);
		assert_int_equal(sum.total, rows[i].stop_at * (rows[i].stop_at + 1) / 2);
		assert_int_equal(db_cost(bench->db).faults, rows[i].faults);
		assert_true(bench_pid(bench) > 0);
	}
}

static const Problem *
nothing(Ctx *ctx, const void *row, void *to)
{
	(void)ctx;
	(void)row;
	(void)to;
	return NULL;
}

static void
rows_without_end_end_at_the_deadline(void **state)
{
	static const Number many = { INT64_C(1) << 40 };
	const void *args[] = { &many };
	Bench *bench = *state;

	for (int all = 0; all < 2; all++) {
		int64_t start_us = clock_mono_us();
		List out;

		bench_request(bench, 200);
		assert_problem(all ? db_many(&bench->ctx, &many_numbers, args, &out)
		                   : db_each(&bench->ctx, &many_numbers, args, nothing, NULL),
		               P_deadline_exceeded, NULL);
		assert_in_range(clock_mono_us() - start_us, 199000, 1500000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, items_open, bench_close)
		TEST(a_row_lands_in_its_struct_in_one_trip),
		TEST(a_missing_row_is_the_problem_asked_for_and_touches_nothing),
		TEST(two_rows_where_one_was_promised_are_internal),
		TEST(all_rows_come_as_a_list),
		TEST(a_command_tells_how_many_rows_it_touched),
		TEST(a_column_that_is_not_as_promised_is_internal_and_named),
		TEST(every_type_goes_there_and_back),
		TEST(arguments_choose_the_text_which_is_prepared_when_first_met_or_never),
		TEST(rows_come_one_by_one_in_constant_memory),
		TEST(the_first_problem_ends_the_rows),
		TEST(rows_without_end_end_at_the_deadline),
#undef TEST
	};

	if (bench_skips())
		return 0;
	items_schema();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
