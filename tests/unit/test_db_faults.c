#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/db_items.h"

typedef struct Words {
	Str text;
} Words;

static const DbParam with_words[] = { PARAM(Words, text, DB_TEXT) };

QUERY(complain, "SELECT db_test.complain($1)", with_words, gives_number, Number);
QUERY(to_number, "SELECT $1::text::bigint AS n", with_words, gives_number, Number);
QUERY(say, "SELECT length($1)::bigint AS n", with_words, gives_number, Number);
QUERY(sleep_long, "SELECT pg_sleep(30)", with_nothing, gives_nothing, Number);
QUERY(item_lock, "SELECT id AS n FROM db_test.items WHERE id = $1 FOR UPDATE", with_number,
      gives_number, Number);
QUERY(serializable, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", with_nothing, gives_nothing,
      Number);
QUERY(forget_all, "DEALLOCATE ALL", with_nothing, gives_nothing, Number);

static int
faults_open(void **state)
{
	int failed = items_open(state);

	bench_sql(
	    *state,
	    "DROP TABLE IF EXISTS changing; CREATE TABLE changing (a bigint);"
	    "INSERT INTO changing VALUES (7);"
	    "DROP TABLE IF EXISTS moods; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM "
	    "('glad');"
	    "CREATE TABLE moods (mood mood); INSERT INTO moods VALUES ('glad');"
	    "CREATE OR REPLACE FUNCTION complain(code text) RETURNS bigint LANGUAGE plpgsql AS"
	    " $$ BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = code; END $$");
	return failed;
}

/* ---------------------------------------------------------------- what the server says */

static void
every_sqlstate_has_its_problem(void **state)
{
	static const struct {
		const char *sqlstate;
		ProblemCode code;
		bool again;
	} rows[] = {
		{ "40001", P_unavailable, true },
		{ "40P01", P_unavailable, true },
		{ "55P03", P_unavailable, false },
		{ "57014", P_deadline_exceeded, false },
		{ "53100", P_unavailable, false },
		{ "53300", P_unavailable, false },
		{ "57P01", P_unavailable, false },
		{ "57P03", P_unavailable, false },
		{ "08006", P_unavailable, false },
		{ "25006", P_unavailable, false },
		{ "22021", P_validation_failed, false },
		{ "22P05", P_validation_failed, false },
		{ "42P01", P_internal, false },
		{ "XX000", P_internal, false },
		{ "23514", P_internal, false },
		{ "0A000", P_internal, false },
		{ "P0001", P_internal, false },
	};
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const Words words = { str_of(rows[i].sqlstate) };
		const void *args[] = { &words };
		const Problem *p;

		assert_null(db_begin(&bench->ctx));
		p = db_exec(&bench->ctx, &complain, args, NULL);
		assert_problem(p, rows[i].code, "query complain: SQLSTATE ");
		assert_problem(p, rows[i].code, rows[i].sqlstate);
		assert_int_equal(p->again, rows[i].again);
		assert_int_equal(p->retry_after_s > 0, p->code == P_unavailable);
		db_rollback(&bench->ctx);
	}
	assert_int_equal(db_cost(bench->db).faults, 0);
	assert_int_equal(db_cost(bench->db).connects, 1);
}

static void
the_log_never_learns_a_value(void **state)
{
	const Words words = { S("hunter2") };
	const void *args[] = { &words };
	Bench *bench = *state;
	const Problem *p = db_exec(&bench->ctx, &to_number, args, NULL);

	assert_problem(p, P_internal, "query to_number: SQLSTATE 22P02");
	assert_null(strstr(p->inside, "hunter2"));
}

static void
text_that_the_server_cannot_hold_is_the_clients_fault(void **state)
{
	static const Str rows[] = { { "a\0b", 3 }, { "\xFF", 1 }, { "\xED\xA0\x80", 3 } };
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const Words words = { rows[i] };
		const void *args[] = { &words };

		assert_problem(db_exec(&bench->ctx, &say, args, NULL), P_validation_failed,
		               "22021");
	}
}

/* ---------------------------------------------------------------- lost connections */

static void
a_read_does_not_notice_that_its_session_ended_before(void **state)
{
	Bench *bench = *state;
	Item out;

	given(bench, &lamp);
	bench_kill(bench);
	assert_null(db_one(&bench->ctx, &item_get, one_args, &out, P_not_found));
	assert_int_equal(db_cost(bench->db).connects, 1);
	assert_int_equal(db_cost(bench->db).faults, 1);
}

static void
a_write_does_not_notice_that_its_session_ended_before(void **state)
{
	Bench *bench = *state;

	for (int last = 0; last < 2; last++) {
		bench_kill(bench);
		assert_null(db_begin(&bench->ctx));
		if (last)
			db_last(&bench->ctx);
		assert_null(insert(bench, last ? &lamp : &desk));
		assert_null(db_commit(&bench->ctx));
		bench_request(bench, 5000);
	}
	bench_kill(bench);
	assert_null(db_ready(&bench->ctx));
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 2);
}

static void
a_transaction_cut_in_its_middle_may_be_run_anew(void **state)
{
	Bench *bench = *state;
	const Problem *p;

	for (int tries = 0; tries < 2; tries++) {
		assert_null(db_begin(&bench->ctx));
		assert_null(insert(bench, &lamp));
		if (tries == 0) {
			bench_kill(bench);
			db_last(&bench->ctx);
			p = insert(bench, &desk);
			assert_problem(p, P_unavailable, NULL);
			assert_true(p->again && p->retry_after_s > 0);
			p = insert(bench, &desk);
			assert_problem(p, P_unavailable, "connection is lost");
			assert_true(p->again);
			db_rollback(&bench->ctx);
			continue;
		}
		assert_null(insert(bench, &desk));
		assert_null(db_commit(&bench->ctx));
	}
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items"), 2);
}

static const Problem *
kill_at_3(Ctx *ctx, const void *row, void *to)
{
	char sql[100];
	int64_t *pid = to;
	Bench *bench = (Bench *)(void *)ctx; /* ctx is its first member */

	if (((const Number *)row)->n == 3) {
		snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%lld, 3000)::int",
		         (long long)*pid);
		assert_int_equal(bench_sql(bench, sql), 1);
	}
	return NULL;
}

QUERY(endless, "SELECT generate_series(1, 100000000)::bigint AS n", with_nothing, gives_number,
      Number);

static void
rows_already_given_are_not_given_twice(void **state)
{
	Bench *bench = *state;
	int64_t pid = bench_pid(bench);

	assert_problem(db_each(&bench->ctx, &endless, NULL, kill_at_3, &pid), P_unavailable,
	               NULL);
	assert_int_not_equal(bench_pid(bench), pid);
}

/* ---------------------------------------------------------------- prepared statements */

static const DbColumn gives_a[] = { { .kind = KIND_INT, .type = DB_INT8, .name = "a" } };
QUERY(changing_all, "SELECT * FROM db_test.changing", with_nothing, gives_a, Number);

static void
a_statement_is_prepared_anew_when_its_table_has_changed(void **state)
{
	Bench *bench = *state;
	Number out;

	assert_null(db_one(&bench->ctx, &changing_all, NULL, &out, P_internal));
	bench_sql(bench, "ALTER TABLE changing ALTER a TYPE int");
	/* and not a wrong number */
	assert_problem(db_one(&bench->ctx, &changing_all, NULL, &out, P_internal), P_internal,
	               "column a: of another type");
	bench_sql(bench, "ALTER TABLE changing ALTER a TYPE bigint");
	assert_null(db_one(&bench->ctx, &changing_all, NULL, &out, P_internal));
	assert_int_equal(out.n, 7);
	assert_null(db_begin(&bench->ctx));
	bench_sql(bench, "ALTER TABLE changing ADD b int; ALTER TABLE changing DROP b,"
	                 " ALTER a TYPE int; ALTER TABLE changing ALTER a TYPE bigint");
	assert_null(db_one(&bench->ctx, &changing_all, NULL, &out, P_internal));
	assert_null(db_commit(&bench->ctx));
}

QUERY(moods_count, "SELECT count(*) AS n FROM db_test.moods WHERE mood = $1", with_words,
      gives_number, Number);

static void
a_statement_is_prepared_anew_when_a_type_has_a_successor(void **state)
{
	Bench *bench = *state;
	const Words glad = { S("glad") };
	Number out;

	/* often enough for a plan that is kept */
	for (int i = 0; i < 10; i++)
		assert_null(db_one(&bench->ctx, &moods_count, (const void *[]){ &glad }, &out,
		                   P_internal));
	bench_sql(bench, "ALTER TYPE mood RENAME TO former; CREATE TYPE mood AS ENUM ('glad');"
	                 "ALTER TABLE moods ALTER mood TYPE mood USING mood::text::mood;"
	                 "DROP TYPE former");
	assert_null(
	    db_one(&bench->ctx, &moods_count, (const void *[]){ &glad }, &out, P_internal));
	assert_int_equal(out.n, 1);
}

static void
a_change_in_the_middle_of_a_transaction_runs_it_anew(void **state)
{
	Bench *bench = *state;
	const Problem *p;
	Number out;

	assert_null(db_one(&bench->ctx, &changing_all, NULL, &out, P_internal));
	assert_null(db_begin(&bench->ctx));
	assert_null(insert(bench, &lamp));
	bench_sql(bench, "ALTER TABLE changing ADD b int");
	p = db_one(&bench->ctx, &changing_all, NULL, &out, P_internal);
	assert_problem(p, P_unavailable, "0A000");
	assert_true(p->again);
	db_rollback(&bench->ctx);
	assert_problem(db_one(&bench->ctx, &changing_all, NULL, &out, P_internal), P_internal,
	               "2 columns, not 1");
}

static void
statements_that_a_pooler_forgot_are_prepared_anew(void **state)
{
	Bench *bench = *state;
	Item out;

	for (int writing = 0; writing < 2; writing++) {
		given(bench, writing ? &desk : &lamp);
		assert_null(db_one(&bench->ctx, &item_get, one_args, &out, P_not_found));
		assert_null(db_exec(&bench->ctx, &forget_all, NULL, NULL));
		if (writing)
			assert_null(db_begin(&bench->ctx));
		assert_null(db_one(&bench->ctx, &item_get, one_args, &out, P_not_found));
		if (writing)
			assert_null(db_commit(&bench->ctx));
	}
}

/* ---------------------------------------------------------------- waiting */

static void
nobody_waits_past_the_deadline_and_the_server_stops_too(void **state)
{
	Bench *bench = *state;
	int64_t start_us;

	for (int named = 0; named < 2; named++) {
		bench_reopen(bench, NULL, named, 20000);
		bench_request(bench, 300);
		start_us = clock_mono_us();
		assert_problem(db_exec(&bench->ctx, &sleep_long, NULL, NULL),
		               P_deadline_exceeded, NULL);
		assert_in_range(clock_mono_us() - start_us, 299000, 1500000);
		assert_problem(db_exec(&bench->ctx, &items_all, NULL, NULL),
		               P_deadline_exceeded, "before a statement was sent");
		assert_true(
		    bench_comes(bench,
		                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
		                "'%pg_sleep(30)%' AND pid <> pg_backend_pid()",
		                0));
		bench_request(bench, 5000);
		assert_null(db_exec(&bench->ctx, &items_all, NULL, NULL));
	}
}

static void
a_statement_has_a_time_of_its_own(void **state)
{
	Bench *bench = *state;

	bench_reopen(bench, NULL, true, 200);
	assert_problem(db_exec(&bench->ctx, &sleep_long, NULL, NULL), P_deadline_exceeded,
	               "57014");
	assert_int_equal(db_cost(bench->db).faults, 0);
}

static void
a_lock_held_too_long_is_unavailable(void **state)
{
	Bench *bench = *state;
	int64_t start_us;
	Number out;

	given(bench, &lamp);
	bench_reopen(bench, NULL, true, 400);
	bench_sql(bench, "BEGIN; UPDATE items SET note = 'held'");
	assert_null(db_begin(&bench->ctx));
	start_us = clock_mono_us();
	assert_problem(db_one(&bench->ctx, &item_lock, one_args, &out, P_not_found),
	               P_unavailable, "55P03");
	assert_in_range(clock_mono_us() - start_us, 200000, 1500000);
	db_rollback(&bench->ctx);
	bench_sql(bench, "ROLLBACK");
}

static void
a_deadlock_may_be_run_anew(void **state)
{
	static const Number two = { 2 };
	const void *args[] = { &two };
	Bench *bench = *state;
	const Problem *p;
	Number out;

	given(bench, &lamp);
	given(bench, &desk);
	bench_sql(bench, "BEGIN; UPDATE items SET note = '' WHERE id = 2");
	assert_null(db_begin(&bench->ctx));
	assert_null(db_one(&bench->ctx, &item_lock, one_args, &out, P_not_found));
	/* whoever waits first, us, is first to see a deadlock, and ends it with itself */
	bench_start(bench, "SELECT pg_sleep(0.3); UPDATE items SET note = '' WHERE id = 1");
	p = db_one(&bench->ctx, &item_lock, args, &out, P_not_found);
	assert_problem(p, P_unavailable, "40P01");
	assert_true(p->again);
	db_rollback(&bench->ctx);
	bench_reap(bench);
	bench_sql(bench, "ROLLBACK");
	assert_int_equal(db_cost(bench->db).faults, 0);
}

static void
a_serialization_failure_may_be_run_anew(void **state)
{
	Bench *bench = *state;
	const Problem *p;

	given(bench, &lamp);
	assert_null(db_begin(&bench->ctx));
	assert_null(db_exec(&bench->ctx, &serializable, NULL, NULL));
	assert_null(db_exec(&bench->ctx, &items_all, NULL, NULL));
	bench_sql(bench, "UPDATE items SET note = 'first'");
	db_last(&bench->ctx);
	p = db_exec(&bench->ctx, &items_touch, one_args, NULL);
	assert_problem(p, P_unavailable, "40001");
	assert_true(p->again);
	db_rollback(&bench->ctx);
	assert_int_equal(bench_sql(bench, "SELECT count(*) FROM items WHERE note = 'first'"),
	                 1);
}

/* ---------------------------------------------------------------- no server */

#define BYTES_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BYTES_512 BYTES_64 BYTES_64 BYTES_64 BYTES_64 BYTES_64 BYTES_64 BYTES_64 BYTES_64
#define BYTES_4096                                                                             \
	BYTES_512 BYTES_512 BYTES_512 BYTES_512 BYTES_512 BYTES_512 BYTES_512 BYTES_512

static void
without_a_server_the_answer_comes_at_once(void **state)
{
	static const struct {
		const char *dsn, *inside;
	} rows[] = {
		{ "host=/nonexistent dbname=x", "no connection: " },
		{ "host=127.0.0.1 port=1 dbname=x", "no connection: " },
		{ "host=127.0.0.1,127.0.0.2 port=1 dbname=x", "127.0.0.2" },
		{ "host=no-such-host.invalid dbname=x", "no host of the connection string" },
		{ "not a connection string", "the connection string is not one" },
		{ "host=a,b,c,d,e,f,g,h,i dbname=x", "too many hosts" },
		{ "host=" BYTES_4096 " dbname=x", "too long a host name" },
	};
	Bench *bench = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t start_us;

		bench_reopen(bench, rows[i].dsn, true, 5000);
		start_us = clock_mono_us();
		assert_problem(db_ready(&bench->ctx), P_unavailable, rows[i].inside);
		assert_problem(db_ready(&bench->ctx), P_unavailable, "too early");
		assert_problem(db_exec(&bench->ctx, &items_all, NULL, NULL), P_unavailable,
		               "too early");
		assert_null(db_begin(&bench->ctx));
		assert_problem(insert(bench, &lamp), P_unavailable, "too early");
		db_rollback(&bench->ctx);
		assert_true(clock_mono_us() - start_us < 100000);
	}
}

static void
after_the_back_off_the_next_request_tries(void **state)
{
	Bench *bench = *state;
	const Problem *p;
	int tried = 0;

	bench_reopen(bench, "host=/nonexistent dbname=x", true, 5000);
	for (Deadline end = deadline_in_ms(1200); !deadline_passed(end); usleep(1000)) {
		p = db_ready(&bench->ctx);
		assert_problem(p, P_unavailable, NULL);
		assert_int_equal(p->retry_after_s, 1);
		tried += strstr(p->inside, "too early") == NULL;
	}
	assert_in_range(tried, 4, 8); /* 25..50, 50..100, 100..200, 200..400, 400..800 ms */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, faults_open, bench_close)
		TEST(every_sqlstate_has_its_problem),
		TEST(the_log_never_learns_a_value),
		TEST(text_that_the_server_cannot_hold_is_the_clients_fault),
		TEST(a_read_does_not_notice_that_its_session_ended_before),
		TEST(a_write_does_not_notice_that_its_session_ended_before),
		TEST(a_transaction_cut_in_its_middle_may_be_run_anew),
		TEST(rows_already_given_are_not_given_twice),
		TEST(a_statement_is_prepared_anew_when_its_table_has_changed),
		TEST(a_statement_is_prepared_anew_when_a_type_has_a_successor),
		TEST(a_change_in_the_middle_of_a_transaction_runs_it_anew),
		TEST(statements_that_a_pooler_forgot_are_prepared_anew),
		TEST(nobody_waits_past_the_deadline_and_the_server_stops_too),
		TEST(a_statement_has_a_time_of_its_own),
		TEST(a_lock_held_too_long_is_unavailable),
		TEST(a_deadlock_may_be_run_anew),
		TEST(a_serialization_failure_may_be_run_anew),
		TEST(without_a_server_the_answer_comes_at_once),
		TEST(after_the_back_off_the_next_request_tries),
#undef TEST
	};

	if (bench_skips())
		return 0;
	items_schema();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
