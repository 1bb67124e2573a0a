#pragma once

/*
 * A bench for the database layer: one Db under test, and an adversary that speaks libpq itself.
 *
 * The server is that of POSTERN_TEST_DSN, on which schema db_test is made anew for each
 * program.
 */

#include <libpq-fe.h>

#include "common/db.h"

typedef struct Bench {
	Ctx ctx;
	Db *db;
	PGconn *other;
} Bench;

/* True when there is no server to test with; says so as TAP does. */
bool bench_skips(void);

/*
 * Drop and make schema db_test; ends the program when that fails. Programs that run at once
 * take turns.
 */
void bench_schema(const char *sql);

/* The same with the project's migrations, which statements find there. False: one failed. */
bool bench_migrate(void);

/* cmocka's set-up and tear-down of one test: *state is a Bench with 5 s. */
int bench_open(void **state);
int bench_close(void **state);

/* A Db of one's own settings in place of the bench's; dsn NULL: the server's. */
void bench_reopen(Bench *bench, const char *dsn, bool named, int statement_ms);

/* Begin a new request of so many milliseconds. */
void bench_request(Bench *bench, int64_t ms);

/* Run SQL as the adversary; the first column of the first row as a number, or -1. */
int64_t bench_sql(Bench *bench, const char *sql);

/* The same without waiting for its end, which bench_reap() does. */
void bench_start(Bench *bench, const char *sql);
void bench_reap(Bench *bench);

/* Process id of the session of bench->db. */
int64_t bench_pid(Bench *bench);

/* End that session, and wait until it is gone. */
void bench_kill(Bench *bench);

/* Wait until sql gives want; false after 3 s. */
bool bench_comes(Bench *bench, const char *sql, int64_t want);

/* A query of one text; its parameters in the order in which they are listed. */
extern const uint16_t bench_numbers[16];
#define QUERY(called, text, with, gives, Row, ...)                                             \
	static SHARED_QUERY(called, text, with, gives, Row, __VA_ARGS__)

/* One that is declared in a header. */
#define SHARED_QUERY(called, text, with, gives, Row, ...)                                      \
	const DbQuery called = { .name = #called,                                              \
		                 .params = with,                                               \
		                 .n_params = COUNT(with),                                      \
		                 .columns = gives,                                             \
		                 .n_columns = COUNT(gives),                                    \
		                 .variants = &(const DbVariant){ .name = "test_" #called,      \
		                                                 .sql = text,                  \
		                                                 .params = bench_numbers,      \
		                                                 .n_params = COUNT(with) },    \
		                 .n_variants = 1,                                              \
		                 .row_size = sizeof(Row),                                      \
		                 __VA_ARGS__ }

#define PARAM(Type, member, of_type, ...)                                                      \
	{                                                                                      \
		.offset = offsetof(Type, member), .kind = MEMBER_KIND(MEMBER(Type, member)),   \
		.optional = MEMBER_OPTIONAL(MEMBER(Type, member)), .type = of_type,            \
		__VA_ARGS__                                                                    \
	}

#define COLUMN(Type, member, of_type, ...)                                                     \
	{                                                                                      \
		.offset = offsetof(Type, member), .kind = MEMBER_KIND(MEMBER(Type, member)),   \
		.optional = MEMBER_OPTIONAL(MEMBER(Type, member)), .type = of_type,            \
		.name = #member, __VA_ARGS__                                                   \
	}

typedef struct Number {
	int64_t n;
} Number;

extern const DbParam with_nothing[0];
extern const DbColumn gives_nothing[0];
extern const DbParam with_number[1]; /* Number as int8 */
extern const DbColumn gives_number[1];
