#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/db_items.h"

/* ---------------------------------------------------------------- transactions */

static void
a_write_of_three_statements_is_one_trip(void **state)
{
	Bench *bench = *state;
	Ctx *ctx = &bench->ctx;
	Item out;

	given(bench, &desk);
	assert_null(db_begin(ctx));
	assert_null(db_queue(ctx, &items_touch, one_args));
	assert_null(db_queue(ctx, &items_touch, nine_args));
	db_last(ctx);
	assert_null(db_one(ctx, &item_insert, item_args(&lamp), &out, P_internal));
	assert_true(str_eq(out.note.v, S("warm")));
	assert_null(db_commit(ctx));
	assert_int_equal(db_cost(bench->db).trips, 1);
	assert_int_equal(db_cost(bench->db).statements, 5);
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 2);
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items WHERE note = 'touched'"),
	                 1);
}

static void
nothing_is_sent_for_an_empty_transaction(void **state)
{
	Bench *bench = *state;

	assert_null(db_begin(&bench->ctx));
	assert_null(db_commit(&bench->ctx));
	assert_null(db_begin(&bench->ctx));
	db_rollback(&bench->ctx);
	assert_int_equal(db_cost(bench->db).trips, 0);
}

static void
what_is_only_queued_is_committed_too(void **state)
{
	Bench *bench = *state;

	assert_null(db_begin(&bench->ctx));
	assert_null(db_queue(&bench->ctx, &item_insert, item_args(&lamp)));
	assert_null(db_commit(&bench->ctx));
	assert_int_equal(db_cost(bench->db).trips, 2); /* connecting is one */
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 1);
}

static void
what_is_rolled_back_was_never_there(void **state)
{
	Bench *bench = *state;

	assert_null(db_begin(&bench->ctx));
	assert_null(insert(bench, &lamp));
	assert_null(db_queue(&bench->ctx, &item_insert, item_args(&desk)));
	db_rollback(&bench->ctx);
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 0);
	given(bench, &lamp);
}

static void
a_write_outside_a_transaction_is_refused(void **state)
{
	for (int named = 0; named < 2; named++) {
		Bench *bench = *state;

		bench_reopen(bench, NULL, named, 5000);
		assert_problem(insert(bench, &lamp), P_internal, "25006");
		assert_problem(db_queue(&bench->ctx, &items_all, NULL), P_internal,
		               "outside a transaction");
		assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 0);
		given(bench, &lamp);
		bench_sql(bench, "TRUNCATE items");
	}
}

static void
any_number_of_statements_may_be_queued(void **state)
{
	enum { ITEMS = 1000 };
	Bench *bench = *state;
	char name[16];
	Item item = { .name = { name, 0 } };

	assert_null(db_begin(&bench->ctx));
	for (item.id = 1; item.id <= ITEMS; item.id++) {
		item.name.n = (size_t)snprintf(name, sizeof name, "n%lld", (long long)item.id);
		assert_null(db_queue(&bench->ctx, &item_insert, item_args(&item)));
		memset(name, 'x', sizeof name); /* what was queued was copied */
	}
	assert_null(db_commit(&bench->ctx));
	assert_in_range(db_cost(bench->db).trips, 2, 20);
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items WHERE name = 'n' || id"),
	                 ITEMS);
}

static void
misuse_is_internal(void **state)
{
	Bench *bench = *state;
	Ctx *ctx = &bench->ctx;

	assert_null(db_begin(ctx));
	assert_problem(db_begin(ctx), P_internal, "db_begin inside");
	assert_problem(db_ready(ctx), P_internal, "db_ready inside");
	db_last(ctx);
	assert_null(insert(bench, &lamp));
	assert_problem(insert(bench, &desk), P_internal, "after that of db_last");
	assert_null(db_commit(ctx));
	assert_null(db_begin(ctx));
	assert_problem(insert(bench, &lamp), P_internal, "23505: duplicate key");
	assert_problem(insert(bench, &desk), P_internal, "in a failed transaction");
	assert_problem(db_commit(ctx), P_internal, "commit of a failed");
	db_rollback(ctx);
	given(bench, &desk);
	db_last(ctx); /* outside a transaction it means nothing */
	assert_int_equal(bench_pid(bench), bench_pid(bench));
}

/* ---------------------------------------------------------------- constraints */

static void
a_constraint_is_the_problem_that_the_query_names(void **state)
{
	static const struct {
		Item item;
		ProblemCode code;
		const char *pointer;
	} rows[] = {
		{ { .id = 3, .name = S("lamp") }, P_sku_taken, NULL },
		{ { .id = 3, .name = S("") }, P_validation_failed, "/name" },
		{ { .id = 1, .name = S("other") }, P_internal, NULL }, /* not in the table */
		{ { .id = 3, .name = S("x"), .box = { true, true, 9 } }, P_conflict, NULL },
	};
	Bench *bench = *state;

	given(bench, &lamp);
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int queued = 0; queued < 2; queued++) {
			const Problem *p;
			bool at_commit = rows[i].code == P_conflict; /* it is deferred */

			assert_null(db_begin(&bench->ctx));
			if (queued) {
				assert_null(db_queue(&bench->ctx, &item_insert,
				                     item_args(&rows[i].item)));
				if (at_commit)
					db_last(&bench->ctx);
				p = db_exec(&bench->ctx, &items_touch, nine_args, NULL);
			} else {
				db_last(&bench->ctx);
				p = insert(bench, &rows[i].item);
			}
			assert_problem(p, rows[i].code, NULL);
			if (rows[i].pointer != NULL) {
				assert_int_equal(p->n_fields, 1);
				assert_true(
				    str_eq(p->fields[0].pointer, str_of(rows[i].pointer)));
				assert_int_equal(p->fields[0].code, F_format);
			}
			db_rollback(&bench->ctx);
			assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 1);
		}
	}
	assert_int_equal(db_cost(bench->db).faults, 0);
}

/* ---------------------------------------------------------------- the session */

QUERY(settings,
      "SELECT (current_setting('default_transaction_read_only') = $2 AND"
      " current_setting('statement_timeout') = '4s' AND current_setting('lock_timeout') = '2s' "
      "AND"
      " current_setting('idle_in_transaction_session_timeout') = '4s' AND"
      " current_setting('client_connection_check_interval') = '500ms' AND"
      " current_setting('client_encoding') = 'UTF8' AND current_setting('TimeZone') = 'UTC' AND"
      " current_setting('application_name') = $1 AND"
      " current_setting('transaction_read_only') = 'on')::int::bigint AS n",
      ((const DbParam[]){ { .kind = KIND_STR, .type = DB_TEXT },
                          { .offset = sizeof(Str), .kind = KIND_STR, .type = DB_TEXT } }),
      gives_number, Number);

QUERY(prepared_all, "SELECT count(*) AS n FROM pg_prepared_statements", with_nothing,
      gives_number, Number);

static void
the_session_is_as_promised(void **state)
{
	for (int named = 0; named < 2; named++) {
		const Str values[] = { S("bench"), named ? S("on") : S("off") };
		const void *args[] = { values };
		Bench *bench = *state;
		Number n = { 0 };

		bench_reopen(bench, NULL, named, 4000);
		assert_null(db_one(&bench->ctx, &settings, args, &n, P_internal));
		assert_int_equal(n.n, 1);
	}
}

static void
without_names_nothing_is_left_in_the_session(void **state)
{
	Bench *bench = *state;
	Number n;
	int64_t most;
	Item out;

	bench_reopen(bench, NULL, false, 4000);
	given(bench, &lamp);
	assert_null(db_begin(&bench->ctx));
	assert_null(db_queue(&bench->ctx, &items_touch, one_args));
	db_last(&bench->ctx);
	assert_null(insert(bench, &desk));
	assert_null(db_commit(&bench->ctx));
	assert_null(db_one(&bench->ctx, &item_get, one_args, &out, P_not_found));
	assert_true(str_eq(out.note.v, S("touched")));
	assert_int_equal(db_cost(bench->db).trips, 2);
	assert_null(db_one(&bench->ctx, &prepared_all, NULL, &n, P_internal));
	assert_int_equal(n.n, 0);
	most = bench_sql(bench,
	                 "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'");
	assert_int_equal(most, 0);
}

static void
a_connection_left_in_a_transaction_is_closed_at_the_end_of_the_request(void **state)
{
	Bench *bench = *state;
	int64_t pid;

	assert_null(db_begin(&bench->ctx));
	assert_null(insert(bench, &lamp));
	pid = bench_pid(bench);
	bench_request(bench, 5000);
	assert_int_not_equal(bench_pid(bench), pid);
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, items_open, bench_close)
		TEST(a_write_of_three_statements_is_one_trip),
		TEST(nothing_is_sent_for_an_empty_transaction),
		TEST(what_is_only_queued_is_committed_too),
		TEST(what_is_rolled_back_was_never_there),
		TEST(a_write_outside_a_transaction_is_refused),
		TEST(any_number_of_statements_may_be_queued),
		TEST(misuse_is_internal),
		TEST(a_constraint_is_the_problem_that_the_query_names),
		TEST(the_session_is_as_promised),
		TEST(without_names_nothing_is_left_in_the_session),
		TEST(a_connection_left_in_a_transaction_is_closed_at_the_end_of_the_request),
#undef TEST
	};

	if (bench_skips())
		return 0;
	items_schema();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
