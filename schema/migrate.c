#include "schema/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/clock.h"
#include "schema/migrate_files.h"
#include "schema/sqllex.h"

/* "postern", of the advisory locks of this database. */
#define LOCK_KEY "31647739056321134"

enum { POLL_MS = 50, MEMORY_BYTES = 256 << 20 };

/* A row of schema_migrations. */
typedef struct Applied {
	int64_t version;
	Str name, sha256, at;
} Applied;

/* One run of the tool. */
typedef struct Migrator {
	const MigrateConfig *config;
	Arena *arena;
	PGconn *conn;
	Migrations files;
	Applied *applied; /* by version, rising */
	size_t n_applied;
	bool table; /* schema_migrations is there */
} Migrator;

static void
result_clear(PGresult **result)
{
	PQclear(*result);
}
#define RESULT CLEANUP(result_clear) PGresult *

static void
migrator_done(Migrator *run)
{
	PQfinish(run->conn);
	arena_close(run->arena);
}

static bool
succeeded(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_TUPLES_OK ||
	       PQresultStatus(result) == PGRES_COMMAND_OK;
}

/* A statement of the tool's own; NULL after a line on standard error. */
static PGresult *
own(Migrator *run, const char *sql, const char *a, const char *b, const char *c, const char *d)
{
	const char *values[] = { a, b, c, d };
	int n = d != NULL ? 4 : c != NULL ? 3 : b != NULL ? 2 : a != NULL ? 1 : 0;
	PGresult *result = PQexecParams(run->conn, sql, n, NULL, values, NULL, NULL, 0);

	if (succeeded(result))
		return result;
	fprintf(stderr, "migrate: %s", PQresultErrorMessage(result));
	PQclear(result);
	return NULL;
}

static bool
own_done(Migrator *run, const char *sql)
{
	RESULT result = own(run, sql, NULL, NULL, NULL, NULL);

	return result != NULL;
}

/* Notices of the files' statements (IF NOT EXISTS and the like) are nobody's concern. */
static void
notice_drop(void *unused, const char *message)
{
	(void)unused;
	(void)message;
}

static bool
migrator_connect(Migrator *run)
{
	const char *const keys[] = { "connect_timeout", "fallback_application_name", "dbname",
		                     "client_encoding", NULL };
	const char *const values[] = { "10", "posternctl migrate", run->config->dsn, "UTF8",
		                       NULL };

	run->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(run->conn) != CONNECTION_OK) {
		fprintf(stderr, "migrate: %s", PQerrorMessage(run->conn));
		return false;
	}
	PQsetNoticeProcessor(run->conn, notice_drop, NULL);
	return own_done(run, arena_print(run->arena, "SET lock_timeout = %lld",
	                                 (long long)run->config->locks_ms)) &&
	       own_done(run, "SET statement_timeout = 0") &&
	       own_done(run, "SET idle_in_transaction_session_timeout = 0");
}

/* Be the only applier; the server gives the lock back when the connection ends. */
static bool
lock_take(Migrator *run)
{
	Deadline deadline = deadline_in_ms(run->config->wait_ms);
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

	for (;;) {
		RESULT result = own(run, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", NULL,
		                    NULL, NULL, NULL);

		if (result == NULL)
			return false;
		if (PQgetvalue(result, 0, 0)[0] == 't')
			return true;
		if (deadline_passed(deadline)) {
			fprintf(stderr, "migrate: another migration still runs after %lld ms\n",
			        (long long)run->config->wait_ms);
			return false;
		}
		nanosleep(&pause, NULL);
	}
}

static bool
applied_load(Migrator *run)
{
	RESULT there = own(run, "SELECT to_regclass('schema_migrations') IS NOT NULL", NULL,
	                   NULL, NULL, NULL);

	if (there == NULL)
		return false;
	run->table = PQgetvalue(there, 0, 0)[0] == 't';
	if (!run->table)
		return true;
	RESULT rows = own(run,
	                  "SELECT version, name, sha256, to_char(applied_at AT TIME ZONE "
	                  "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
	                  " FROM schema_migrations ORDER BY version",
	                  NULL, NULL, NULL, NULL);
	if (rows == NULL)
		return false;
	run->n_applied = (size_t)PQntuples(rows);
	run->applied = arena_new(run->arena, Applied, run->n_applied + 1);
	for (int i = 0; i < PQntuples(rows); i++) {
		Applied *row = &run->applied[i];

		CHECK(str_i64(str_of(PQgetvalue(rows, i, 0)), &row->version));
		row->name = str_keep(run->arena, str_of(PQgetvalue(rows, i, 1)));
		row->sha256 = str_keep(run->arena, str_of(PQgetvalue(rows, i, 2)));
		row->at = str_keep(run->arena, str_of(PQgetvalue(rows, i, 3)));
	}
	return true;
}

static bool
table_make(Migrator *run)
{
	return run->table || own_done(run, "CREATE TABLE schema_migrations (version bigint "
	                                   "PRIMARY KEY, name text NOT NULL,"
	                                   " sha256 text NOT NULL, applied_at timestamptz NOT "
	                                   "NULL DEFAULT now(), ms bigint NOT NULL)");
}

static const Migration *
file_of(const Migrator *run, int64_t version)
{
	for (size_t i = 0; i < run->files.n; i++)
		if (run->files.v[i].version == version)
			return &run->files.v[i];
	return NULL;
}

static const Applied *
applied_of(const Migrator *run, int64_t version)
{
	for (size_t i = 0; i < run->n_applied; i++)
		if (run->applied[i].version == version)
			return &run->applied[i];
	return NULL;
}

static int64_t
newest_file(const Migrator *run)
{
	return run->files.n == 0 ? 0 : run->files.v[run->files.n - 1].version;
}

static int64_t
newest_applied(const Migrator *run)
{
	return run->n_applied == 0 ? 0 : run->applied[run->n_applied - 1].version;
}

/*
 * What is wrong between a row and its file; NULL when nothing is. Rows above the newest file
 * are a newer program's, which may run beside this one.
 */
static const char *
applied_fault(const Migrator *run, const Applied *row)
{
	const Migration *file = file_of(run, row->version);

	if (file == NULL)
		return row->version > newest_file(run) ? NULL
		                                       : "was applied, and its file is gone";
	return str_eq(file->sha256, row->sha256) ? NULL : "was changed after it was applied";
}

static const char *
file_fault(const Migrator *run, const Migration *file)
{
	if (applied_of(run, file->version) != NULL || file->version > newest_applied(run))
		return NULL;
	return "comes too late: newer ones are applied";
}

/* All drift at once, on standard error. */
static bool
drift_check(const Migrator *run)
{
	bool good = true;

	for (size_t i = 0; i < run->n_applied; i++) {
		const Applied *row = &run->applied[i];
		const char *fault = applied_fault(run, row);

		if (fault == NULL)
			continue;
		fprintf(stderr, "migrate: %04lld_%.*s.up.sql %s\n", (long long)row->version,
		        STR_ARG(row->name), fault);
		good = false;
	}
	for (size_t i = 0; i < run->files.n; i++) {
		const char *fault = file_fault(run, &run->files.v[i]);

		if (fault == NULL)
			continue;
		fprintf(stderr, "%s: %s\n", run->files.v[i].up_path, fault);
		good = false;
	}
	return good;
}

/*
 * The server's words with the file and the line that they are about. at: where the sent text
 * begins.
 */
static void
script_fault(const char *path, Str text, size_t at, const PGresult *result)
{
	const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
	long chars = position == NULL ? 1 : strtol(position, NULL, 10);

	while (at < text.n && (chars > 1 || (text.p[at] & 0xC0) == 0x80))
		chars -= (text.p[at++] & 0xC0) != 0x80;
	fprintf(stderr, "%s:%d: %s: %s\n", path, sql_line(text, at),
	        PQresultErrorField(result, PG_DIAG_SEVERITY),
	        PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	if (detail != NULL)
		fprintf(stderr, "  %s\n", detail);
	if (context != NULL)
		fprintf(stderr, "  %s\n", context);
}

static bool
part_run(Migrator *run, const char *path, Str text, size_t from, size_t to)
{
	RESULT result = PQexec(run->conn, str_text(run->arena, str_sub(text, from, to)));

	if (succeeded(result) || PQresultStatus(result) == PGRES_EMPTY_QUERY)
		return true;
	if (PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) == NULL)
		fprintf(stderr, "%s: %s", path, PQerrorMessage(run->conn));
	else
		script_fault(path, text, from, result);
	return false;
}

/* Statement after statement, as CREATE INDEX CONCURRENTLY wants it. */
static bool
statements_run(Migrator *run, const char *path, Str text)
{
	size_t from = 0;

	for (size_t at = 0;;) {
		SqlToken token = sql_token(text, at);

		at = token.at + token.text.n;
		if (token.kind == SQL_BROKEN) {
			fprintf(stderr, "%s:%d: a quote or comment begins that never ends\n",
			        path, sql_line(text, token.at));
			return false;
		}
		if (token.kind == SQL_SEMICOLON || token.kind == SQL_END) {
			if (!part_run(run, path, text, from, at))
				return false;
			from = at;
		}
		if (token.kind == SQL_END)
			return true;
	}
}

/* No statement begins or ends a transaction: the file's own would then no longer be whole. */
static bool
script_check(const char *path, Str text)
{
	static const char *const words[] = { "begin", "start",    "commit",
		                             "abort", "rollback", "prepare" };
	bool first = true;
	SqlToken token;

	for (size_t at = 0; (token = sql_token(text, at)).kind != SQL_END;
	     at = token.at + token.text.n) {
		for (size_t i = 0; first && token.kind == SQL_WORD && i < COUNT(words); i++) {
			if (str_eq_nocase(token.text, str_of(words[i]))) {
				fprintf(stderr, "%s:%d: %s has no place in a migration\n", path,
				        sql_line(text, token.at), words[i]);
				return false;
			}
		}
		if (token.kind != SQL_SPACE && token.kind != SQL_LINE &&
		    token.kind != SQL_BLOCK)
			first = token.kind == SQL_SEMICOLON;
	}
	return true;
}

static bool
script_run(Migrator *run, const char *path, Str text, bool whole)
{
	if (!whole)
		return statements_run(run, path, text);
	if (!script_check(path, text) || !own_done(run, "BEGIN") ||
	    !part_run(run, path, text, 0, text.n))
		return false;
	if (PQtransactionStatus(run->conn) == PQTRANS_INTRANS)
		return true;
	fprintf(stderr, "%s: ends its own transaction\n", path);
	return false;
}

/* One file and the row that tells of it. */
static bool
migration_run(Migrator *run, const Migration *file, bool up)
{
	const char *path = up ? file->up_path : file->down_path;
	Str text = up ? file->up : file->down;
	bool whole = !str_starts(text, S("-- postern: no-transaction"));
	const char *version = arena_print(run->arena, "%lld", (long long)file->version);
	int64_t start_us = clock_mono_us();
	int64_t ms;

	if (!script_run(run, path, text, whole))
		return false;
	ms = (clock_mono_us() - start_us) / 1000;
	RESULT row = up ? own(run,
	                      "INSERT INTO schema_migrations (version, name, sha256, ms) "
	                      "VALUES ($1, $2, $3, $4)",
	                      version, str_text(run->arena, file->name),
	                      str_text(run->arena, file->sha256),
	                      arena_print(run->arena, "%lld", (long long)ms))
	                : own(run, "DELETE FROM schema_migrations WHERE version = $1", version,
	                      NULL, NULL, NULL);
	if (row == NULL || (whole && !own_done(run, "COMMIT")))
		return false;
	printf("%s %04lld_%.*s (%lld ms)\n", up ? "applied" : "took back",
	       (long long)file->version, STR_ARG(file->name), (long long)ms);
	fflush(stdout);
	return true;
}

/* Everything before the first change: files read, connected, alone, no drift. */
static int
migrator_open(Migrator *run, bool alone)
{
	run->arena = arena_open(MEMORY_BYTES);
	if (!migrations_read(run->arena, run->config->dir, &run->files))
		return EX_DATAERR;
	if (!migrator_connect(run) || (alone && !lock_take(run)))
		return EX_UNAVAILABLE;
	return applied_load(run) ? EX_OK : EX_UNAVAILABLE;
}

int
migrate_up(const MigrateConfig *config)
{
	CLEANUP(migrator_done) Migrator run = { .config = config };
	int code = migrator_open(&run, true);
	size_t n = 0;

	if (code != EX_OK)
		return code;
	if (!drift_check(&run))
		return EX_DATAERR;
	if (!table_make(&run))
		return EX_UNAVAILABLE;
	for (size_t i = 0; i < run.files.n; i++) {
		if (applied_of(&run, run.files.v[i].version) != NULL)
			continue;
		if (!migration_run(&run, &run.files.v[i], true))
			return EX_SOFTWARE;
		n++;
	}
	if (newest_applied(&run) > newest_file(&run))
		printf("the database is at %lld, newer than these files\n",
		       (long long)newest_applied(&run));
	else if (n == 0)
		printf("nothing to do: at %lld\n", (long long)newest_applied(&run));
	return EX_OK;
}

int
migrate_down(const MigrateConfig *config, uint64_t n)
{
	CLEANUP(migrator_done) Migrator run = { .config = config };
	int code = migrator_open(&run, true);

	if (code != EX_OK)
		return code;
	if (!drift_check(&run))
		return EX_DATAERR;
	for (size_t i = run.n_applied; i > 0 && n > 0; i--, n--) {
		const Migration *file = file_of(&run, run.applied[i - 1].version);

		if (file == NULL) {
			fprintf(stderr, "migrate: %s has no migration %lld\n", config->dir,
			        (long long)run.applied[i - 1].version);
			return EX_DATAERR;
		}
		if (!migration_run(&run, file, false))
			return EX_SOFTWARE;
	}
	return EX_OK;
}

int
migrate_status(const MigrateConfig *config)
{
	CLEANUP(migrator_done) Migrator run = { .config = config };
	int code = migrator_open(&run, false);

	if (code != EX_OK)
		return code;
	for (size_t i = 0; i < run.n_applied; i++) {
		const Applied *row = &run.applied[i];
		const char *fault = applied_fault(&run, row);

		printf("%04lld_%.*s %.*s%s%s\n", (long long)row->version, STR_ARG(row->name),
		       STR_ARG(row->at), fault == NULL ? "" : " ", fault == NULL ? "" : fault);
	}
	for (size_t i = 0; i < run.files.n; i++) {
		const Migration *file = &run.files.v[i];
		const char *fault = file_fault(&run, file);

		if (applied_of(&run, file->version) == NULL)
			printf("%04lld_%.*s %s\n", (long long)file->version,
			       STR_ARG(file->name), fault == NULL ? "pending" : fault);
	}
	return drift_check(&run) ? EX_OK : EX_DATAERR;
}
