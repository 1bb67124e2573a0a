#include "tests/lib/db_bench.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/migrate.h"

const uint16_t bench_numbers[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
const DbParam with_nothing[0] = {};
const DbColumn gives_nothing[0] = {};
const DbParam with_number[1] = { PARAM(Number, n, DB_INT8) };
const DbColumn gives_number[1] = { COLUMN(Number, n, DB_INT8) };

QUERY(backend_pid, "SELECT pg_backend_pid()::bigint AS n", with_nothing, gives_number, Number);

static const char *
bench_dsn(void)
{
	return getenv("POSTERN_TEST_DSN");
}

bool
bench_skips(void)
{
	if (bench_dsn() != NULL)
		return false;
	puts("1..0 # SKIP POSTERN_TEST_DSN names no PostgreSQL server");
	return true;
}

static PGconn *
adversary(void)
{
	PGconn *conn = PQconnectdb(bench_dsn());

	if (PQstatus(conn) != CONNECTION_OK) {
		fprintf(stderr, "Bail out! %s\n", PQerrorMessage(conn));
		exit(1);
	}
	PQclear(PQexec(conn, "SET client_min_messages = error; SET search_path = db_test"));
	return conn;
}

static PGresult *
checked(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		fprintf(stderr, "Bail out! %s%s\n", PQerrorMessage(conn), sql);
		exit(1);
	}
	return result;
}

void
bench_schema(const char *sql)
{
	static PGconn *conn; /* open to the end of the process, and with it the lock */

	conn = adversary();
	PQclear(checked(conn, "SELECT pg_advisory_lock(hashtext('postern db_test'))"));
	PQclear(checked(conn, "DROP SCHEMA IF EXISTS db_test CASCADE; CREATE SCHEMA db_test"));
	PQclear(checked(conn, sql));
}

void
bench_reopen(Bench *bench, const char *dsn, bool named, int statement_ms)
{
	DbConfig config = { .dsn = dsn == NULL ? bench_dsn() : dsn,
		            .named = named,
		            .statement_ms = statement_ms,
		            .name = "bench" };

	db_close(bench->db);
	bench->db = bench->ctx.db = db_open(&config);
}

void
bench_request(Bench *bench, int64_t ms)
{
	db_settle(bench->db);
	arena_reset(bench->ctx.arena);
	bench->ctx.deadline = deadline_in_ms(ms);
}

bool
bench_migrate(void)
{
	const char *top = getenv("srcdir");
	char dir[4096];

	bench_schema("SELECT");
	setenv("PGOPTIONS", "-c search_path=db_test", 1);
	snprintf(dir, sizeof dir, "%s/schema/migrations", top == NULL ? "." : top);
	return migrate_up(&(MigrateConfig){
		   .dsn = bench_dsn(), .dir = dir, .wait_ms = 5000, .locks_ms = 5000 }) == 0;
}

int
bench_open(void **state)
{
	Bench *bench = calloc(1, sizeof *bench);

	CHECK(bench != NULL);
	bench->ctx.arena = arena_open(MIB(64));
	bench->other = adversary();
	bench_reopen(bench, NULL, true, 5000);
	bench_request(bench, 5000);
	*state = bench;
	return 0;
}

int
bench_close(void **state)
{
	Bench *bench = *state;

	db_close(bench->db);
	PQfinish(bench->other);
	arena_close(bench->ctx.arena);
	free(bench);
	return 0;
}

int64_t
bench_sql(Bench *bench, const char *sql)
{
	PGresult *result = checked(bench->other, sql);
	int64_t n = -1;

	if (PQntuples(result) > 0 && !str_i64(str_of(PQgetvalue(result, 0, 0)), &n))
		n = -1;
	PQclear(result);
	return n;
}

void
bench_start(Bench *bench, const char *sql)
{
	CHECK(PQsendQuery(bench->other, sql) == 1);
}

void
bench_reap(Bench *bench)
{
	for (PGresult *result; (result = PQgetResult(bench->other)) != NULL;)
		PQclear(result);
}

int64_t
bench_pid(Bench *bench)
{
	Number pid = { -1 };

	CHECK(db_one(&bench->ctx, &backend_pid, NULL, &pid, P_internal) == NULL);
	return pid.n;
}

void
bench_kill(Bench *bench)
{
	char sql[128];

	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%lld, 3000)::int",
	         (long long)bench_pid(bench));
	CHECK(bench_sql(bench, sql) == 1);
}

bool
bench_comes(Bench *bench, const char *sql, int64_t want)
{
	for (Deadline end = deadline_in_ms(3000); !deadline_passed(end); poll(NULL, 0, 10))
		if (bench_sql(bench, sql) == want)
			return true;
	return false;
}
