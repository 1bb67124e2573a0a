#pragma once

/*
 * PostgreSQL, within a deadline. The only file that touches libpq (the tools in schema/ apart).
 *
 * One connection a worker, asynchronous, in pipeline mode, binary both ways. Each statement is
 * prepared when it is first met. When the request's deadline passes the connection is closed and
 * opened again later, outside the request that lost it or at the start of the next one.
 *
 * The session is read only (default_transaction_read_only) but inside db_begin() .. db_commit().
 *
 * Problems: unavailable (no connection, with Retry-After), deadline_exceeded, the problem that a
 * query names for a constraint, internal for the rest. A serialization failure or deadlock sets
 * Problem.again: whoever opened the transaction rolls back and may run it anew.
 */

#include "common/model.h"

typedef struct Db Db;

typedef struct DbConfig {
	const char *dsn;        /* libpq connection string or URI; several hosts allowed */
	bool named;             /* prepare statements by name (off behind a transaction pooler) */
	int statement_ms;       /* statement_timeout of the session */
	const char *name;       /* application_name */
} DbConfig;

/* Resolves host names now, so that no request has to. Connects lazily. */
Db *db_open(const DbConfig *config);
void db_close(Db *db);

/* Connected, after trying within the deadline. */
const Problem *db_ready(Ctx *ctx) MUST_USE;

/*
 * A transaction that may write. Nothing is sent yet: BEGIN travels with the first statement.
 * After db_last() the COMMIT travels with the next statement.
 */
const Problem *db_begin(Ctx *ctx) MUST_USE;
void db_last(Ctx *ctx);
const Problem *db_commit(Ctx *ctx) MUST_USE; /* nothing to do when db_last() already had it done */
void db_rollback(Ctx *ctx);

/* At the end of each request: a connection that is not idle is closed. */
void db_settle(Db *db);

/* What a request cost: statements, round trips and microseconds spent waiting; reset by db_settle. */
typedef struct DbCost {
	uint32_t statements, trips;
	int64_t wait_us;
} DbCost;
DbCost db_cost(const Db *db);

/* ------------------------------------------------------------------ what qgen writes */

/* Types of parameters and columns as the server knows them; the binary forms are in db.c. */
typedef enum DbType {
	DB_BOOL, DB_INT2, DB_INT4, DB_INT8, DB_FLOAT8, DB_TEXT, DB_BYTEA, DB_UUID, DB_TIMESTAMPTZ,
	DB_JSONB, DB_TEXT_ARRAY, DB_INT8_ARRAY, DB_UUID_ARRAY, DB_ENUM,
} DbType;

/*
 * A parameter: member at offset of args[arg], of this kind. given: bind whether the Opt was given
 * (its first bool), for ":name.given".
 */
typedef struct DbParam {
	uint16_t arg, offset;
	Kind kind;
	bool optional;          /* an Opt type: NULL when it has nothing */
	bool given;
	bool inside;            /* of the Opt model at outer: NULL when that has nothing */
	uint16_t outer;
	DbType type;
	const char *const *names; /* of an enum, whose label is sent as text */
} DbParam;

/* A column: where it lands in the result struct. */
typedef struct DbColumn {
	uint16_t offset;
	Kind kind;
	bool optional;          /* an Opt type; otherwise a NULL is `internal` */
	DbType type;
	const char *const *names;
	const char *name;
} DbColumn;

typedef struct DbConstraint {
	const char *name;       /* of the constraint that was violated */
	ProblemCode code;
	const char *pointer;    /* for validation_failed: which field; NULL otherwise */
	FieldCode field;        /* and what is wrong with it */
} DbConstraint;

/*
 * A choice that picks the statement's text: an optional fragment (its condition: an Opt member has a
 * value) or a marked list (an enum member chooses the entry). The variant's number is the mixed-radix
 * number of all choices, the first one lowest.
 */
typedef struct DbChoice {
	uint16_t arg, offset;
	Kind kind;              /* for a fragment: of the Opt member's value, to find its flags */
	uint16_t count;         /* 2 for a fragment, else the number of entries */
	bool fragment;
} DbChoice;

/* One text of a query, with the parameters that occur in it, in the order of $1, $2 … */
typedef struct DbVariant {
	const char *name;       /* unique: of the prepared statement */
	const char *sql;
	const uint16_t *params; /* indexes into the query's params */
	uint16_t n_params;
} DbVariant;

typedef struct DbQuery {
	const char *name;
	const DbParam *params;
	uint16_t n_params;
	const DbColumn *columns;
	uint16_t n_columns;
	const DbConstraint *constraints;
	uint16_t n_constraints;
	const DbChoice *choices;
	uint16_t n_choices;
	const DbVariant *variants;
	uint16_t n_variants;
	size_t row_size;        /* sizeof the result struct */
} DbQuery;

/* Exactly one row; no row is the problem `none` (internal when the query promised :one). */
const Problem *db_one(Ctx *ctx, const DbQuery *q, const void *const *args, void *out, ProblemCode none) MUST_USE;

/* One row or none. */
const Problem *db_maybe(Ctx *ctx, const DbQuery *q, const void *const *args, void *out, bool *found) MUST_USE;

/* All rows, in the arena. */
const Problem *db_many(Ctx *ctx, const DbQuery *q, const void *const *args, List *out) MUST_USE;

/* Row after row in constant memory; the first problem of each() ends it and is returned. */
typedef const Problem *(*DbEach)(Ctx *ctx, const void *row, void *to);
const Problem *db_each(Ctx *ctx, const DbQuery *q, const void *const *args, DbEach each, void *to) MUST_USE;

/* No rows wanted; *n, unless NULL, becomes the number of rows touched. */
const Problem *db_exec(Ctx *ctx, const DbQuery *q, const void *const *args, int64_t *n) MUST_USE;

/*
 * Queue a statement whose answer nobody waits for: it travels with the next one, and what went wrong
 * is that one's problem. Inside db_begin() only.
 */
const Problem *db_queue(Ctx *ctx, const DbQuery *q, const void *const *args) MUST_USE;
