#pragma once

/*
 * PostgreSQL, within a deadline. The files common/db*.c alone touch libpq (the tools in schema/
 * apart).
 *
 * One connection a worker, made after the fork, asynchronous, in pipeline mode, binary both
 * ways. A statement is prepared when it is first met, in the same round trip. When the deadline
 * passes the connection is closed at once, without asking the server to cancel: the server sees
 * the close (client_connection_check_interval) and ends what it is doing. A new one is made by
 * whoever needs it next; while connecting fails, a back-off with jitter of at most 1 s answers
 * in its place.
 *
 * The session is read only (default_transaction_read_only) but inside db_begin() ..
 * db_commit(). Its limits: statement_timeout; half of that for a lock; the same for idling in a
 * transaction. Behind a transaction pooler (named = false) no session is ours, so each
 * transaction sets them for itself, and a read is a transaction of its own: more work for the
 * server, no more trips.
 *
 * A lost connection is made anew, and the trip once more, where that can do no harm: for a
 * read, and for the first trip of a transaction that does not hold its COMMIT.
 *
 * Problems: unavailable (no connection, no room, a lock held too long; with Retry-After);
 * deadline_exceeded; the one that a query names for a constraint; validation_failed (text that
 * the server cannot hold); internal for the rest, such as a NULL that was promised not to be.
 * Problem.again is set where nothing was committed and another try may do: a serialization
 * failure, a deadlock, a statement prepared before a change of its table, a connection lost
 * before COMMIT was sent. Whoever opened the transaction rolls back and may run it anew. A
 * COMMIT whose answer was lost is unavailable or deadline_exceeded, with "commit outcome
 * unknown" inside, and never again.
 *
 * Not offered: two statements at once on a connection, COPY, cursors; for LISTEN see
 * common/db_listen.h.
 */

#include "common/model.h"

typedef struct Db Db;

typedef struct DbConfig {
	const char *dsn;  /* libpq connection string or URI; several hosts allowed */
	bool named;       /* prepare statements by name (off behind a transaction pooler) */
	int statement_ms; /* statement_timeout of the session */
	const char *name; /* application_name, unless the dsn has one */
} DbConfig;

/*
 * Resolves host names now, so that no request has to; when connecting fails they are looked up
 * again in the background. Connects lazily. Copies what config points at. In the child, after
 * the fork.
 *
 * Of libpq's options, connect_timeout is for each host (2 s when it is not given), and
 * target_session_attrs is looked at host by host, from the one that answered last:
 * prefer-standby takes any.
 */
Db *db_open(const DbConfig *config);
void db_close(Db *db);

/* Connected, after trying within the deadline. */
const Problem *db_ready(Ctx *ctx) MUST_USE;

/*
 * A transaction that may write, until db_commit() or db_rollback(). Nothing is sent yet: BEGIN
 * travels with the first statement. After db_last() the COMMIT travels with the next statement,
 * so that it is committed even when that finds no row: not for a statement whose `none` must
 * undo what was done before it. What the server refuses has been rolled back by the time its
 * problem is returned; only db_rollback() can follow.
 */
const Problem *db_begin(Ctx *ctx) MUST_USE;
void db_last(Ctx *ctx);

/* Nothing is left to do after the statement of db_last(), nor when nothing was asked for. */
const Problem *db_commit(Ctx *ctx) MUST_USE;
void db_rollback(Ctx *ctx);

/* At the end of each request, before its arena is reset: what is not idle is closed. */
void db_settle(Db *db);

/* What a request cost; reset by db_settle. */
typedef struct DbCost {
	uint32_t statements; /* sent, BEGIN and COMMIT among them */
	uint32_t trips;      /* there and back */
	uint32_t connects;   /* connections made */
	uint32_t faults;     /* connections refused, lost, or closed by us */
	int64_t wait_us;     /* spent waiting */
} DbCost;
DbCost db_cost(const Db *db);

/* ------------------------------------------------------------------ what qgen writes */

/* clang-format off */

/*
 * Types of parameters and columns as the server knows them, and the kinds of member they go
 * with: int2, int4, int8 with KIND_INT; text and enums with KIND_STR or KIND_ENUM (its label);
 * bytea with KIND_STR; text[] with KIND_STRS, bigint[] with KIND_INTS, uuid[] with a List of
 * Uuid; the others with their own. Varchar and citext are DB_TEXT, domains what they are of.
 */
typedef enum DbType {
	DB_BOOL, DB_INT2, DB_INT4, DB_INT8, DB_FLOAT8, DB_TEXT, DB_BYTEA, DB_UUID,
	DB_TIMESTAMPTZ, DB_JSONB, DB_TEXT_ARRAY, DB_INT8_ARRAY, DB_UUID_ARRAY, DB_ENUM,
} DbType;

/*
 * A parameter: member at offset of args[arg], of this kind. given: bind whether the Opt was
 * given (its first bool), for ":name.given".
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
 * A choice that picks the statement's text: an optional fragment (its condition: an Opt member
 * has a value) or a marked list (an enum member chooses the entry). The variant's number is the
 * mixed-radix number of all choices, the first one lowest.
 */
typedef struct DbChoice {
	uint16_t arg, offset;
	Kind kind;              /* for a fragment: of the Opt's value, to find its flags */
	uint16_t count;         /* 2 for a fragment, else the number of entries */
	bool fragment;
} DbChoice;

/* One text of a query, and the parameters that occur in it, in the order of their numbers. */
typedef struct DbVariant {
	const char *name;       /* unique: of the prepared statement */
	const char *sql;
	const uint16_t *params; /* indexes into the query's params */
	uint16_t n_params;
	bool anew;              /* never prepared: its best plan depends on the values */
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

/* clang-format on */

/*
 * Texts, lists and JSON of a row are in the request's arena. Results are untouched on failure.
 */

/* Exactly one row; no row is the problem `none` (internal when the query promised :one). */
const Problem *db_one(Ctx *ctx, const DbQuery *q, const void *const *args, void *out,
                      ProblemCode none) MUST_USE;

/* One row or none; without one, out is untouched. */
const Problem *db_maybe(Ctx *ctx, const DbQuery *q, const void *const *args, void *out,
                        bool *found) MUST_USE;

/* All rows, in the arena: for statements with a LIMIT. */
const Problem *db_many(Ctx *ctx, const DbQuery *q, const void *const *args, List *out) MUST_USE;

/*
 * Row after row in constant memory: what each() takes from the arena is given back after it,
 * unless it returns a problem, the first of which ends the loop and is returned. row is zeroed
 * and filled anew each time. Within each() nothing else may be asked of the database.
 */
typedef const Problem *(*DbEach)(Ctx *ctx, const void *row, void *to);
const Problem *db_each(Ctx *ctx, const DbQuery *q, const void *const *args, DbEach each,
                       void *to) MUST_USE;

/* No rows wanted; *n, unless NULL, becomes the number of rows touched. */
const Problem *db_exec(Ctx *ctx, const DbQuery *q, const void *const *args,
                       int64_t *n) MUST_USE;

/*
 * Queue a statement whose answer nobody waits for: it travels with the next one, and what went
 * wrong is that one's problem (by its own constraints). Inside db_begin() only. The arguments
 * may go: their values are kept. A full queue is sent at once, so that any number costs
 * constant memory.
 */
const Problem *db_queue(Ctx *ctx, const DbQuery *q, const void *const *args) MUST_USE;
