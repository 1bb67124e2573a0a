#pragma once

/*
 * What the files of the database layer share; nobody else includes it.
 *
 *	db_hosts.c  where the servers are
 *	db_link.c   one connection: dialling, waiting, dropping, what is prepared on it
 *	db_trip.c   statements sent together, their answers read, in one round trip
 *	db_rows.c   statements and their rows, by db_codec.c into structs
 *	db_fault.c  what the server complains of, as a Problem
 *	db.c        the session, transactions, what may be repeated
 *	db_listen.c a connection of its own that hears messages, and never waits
 */

#include <libpq-fe.h>

#include "common/db.h"

enum {
	DB_PARAMS_MAX = 64, /* of one statement */
	DB_QUEUE_MAX = 64,  /* statements that travel together, before ours are counted */
	DB_BATCH_MAX = DB_QUEUE_MAX + 4,
	DB_RETRY_AFTER_S = 1
};

/* ------------------------------------------------------------------ hosts */

/* One address to try. NULL: libpq's default. */
typedef struct DbHost {
	const char *name, *addr, *port;
} DbHost;

typedef struct DbHosts DbHosts;

/* Parse the connection string and look all names up; takes as long as the resolver does. */
DbHosts *hosts_open(const char *dsn);
void hosts_close(DbHosts *hosts);

/* NULL, or why there is nothing to connect to. */
const char *hosts_wrong(const DbHosts *hosts);
size_t hosts_count(const DbHosts *hosts);
DbHost hosts_at(const DbHosts *hosts, size_t i);

/* Does the connection string say this itself? NULL: no. */
const char *hosts_option(const DbHosts *hosts, const char *keyword);

/*
 * Take over what a look-up in the background has found, and start one when asked to. Never
 * waits: a name that came to mean another address is so known without a request paying for it.
 */
void hosts_refresh(DbHosts *hosts, bool start);

/* ------------------------------------------------------------------ the connection */

typedef enum Wait {
	WAIT_READY, /* the answer is there */
	WAIT_LOST,  /* the connection is gone */
	WAIT_LATE,  /* the deadline has passed */
} Wait;

/* Statements that this connection has prepared: a set of addresses. */
typedef struct DbKnown {
	const DbVariant **v;
	size_t n, room;
} DbKnown;

/* A statement that is to be sent; its parameters begin at this byte of the batch's. */
typedef struct DbStmt {
	const DbQuery *query;
	const DbVariant *variant;
	size_t params;
	bool preparing;
} DbStmt;

/* Statements that travel together, in this order. */
typedef struct DbBatch {
	Arena *arena;
	Buf params;
	DbStmt v[DB_BATCH_MAX];
	size_t n;
} DbBatch;

typedef enum Tx {
	TX_NONE,
	TX_OPEN,   /* db_begin() was called, nothing is sent */
	TX_SENT,   /* the server is in the transaction */
	TX_FAILED, /* and it is rolled back there, or the connection is gone */
	TX_DONE,   /* committed by db_last() */
} Tx;

struct Db {
	char *dsn, *name;
	bool named;
	int64_t statement_ms;
	DbHosts *hosts;
	size_t host;  /* the one to try first */
	PGconn *conn; /* NULL: none */
	bool doomed;  /* the server said it will close the connection */
	DbKnown known;
	uint32_t failures;   /* connections that failed since the last good one */
	int64_t retry_at_us; /* monotonic; none is tried before */
	int64_t since_us;    /* monotonic; when the connection was made */
	Tx tx;
	bool last;      /* COMMIT travels with the next statement */
	bool streaming; /* within db_each() */
	DbBatch out, setup;
	DbCost cost;
};

/*
 * Begin to connect to this host: what the connection string says, then what it leaves open.
 *
 * name     application_name, unless the connection string has one
 * returns  never NULL, for PQconnectPoll(); the caller closes it
 */
PGconn *link_dial(const char *dsn, const char *name, const DbHosts *hosts, DbHost host);

/*
 * Dial until a server answers as wanted, each host within its share of the deadline. Outside
 * the back-off only: within it the problem comes at once.
 */
const Problem *link_open(Ctx *ctx) MUST_USE;

/* The connection just opened is good, or was not. */
void link_good(Db *db);
void link_bad(Db *db);

/*
 * The server cannot be written to: let the next connection be another one, at most once a
 * second, so that a server which stays read only goes on with reads.
 */
void link_unfit(Db *db);

/* Close without waiting. A transaction under way has failed by that. */
void link_drop(Db *db);

/* Has the server not closed a kept connection in the meantime? Costs a poll(). */
bool link_alive(Db *db);

/* The next result; NULL ends those of a statement. When lost: the server's last words. */
Wait link_result(Db *db, Deadline deadline, PGresult **out);

bool known_has(const DbKnown *known, const DbVariant *variant);
void known_add(DbKnown *known, const DbVariant *variant);

/* ------------------------------------------------------------------ a round trip */

/* What the server complained of. */
typedef struct DbFault {
	const DbQuery *query;
	char sqlstate[6];       /* empty: the server said nothing */
	bool ended;             /* it ended the session itself, in order, by these words */
	bool stale;             /* a prepared statement has to be made anew */
	const char *message;    /* in the request's arena; NULL when it could hold a value */
	const char *constraint; /* in the arena; NULL: none */
} DbFault;

#define TRIP_NONE SIZE_MAX

typedef struct DbTrip {
	size_t wanted; /* number of the statement whose rows are wanted; TRIP_NONE */
	size_t commit; /* number of the COMMIT of a write; TRIP_NONE */
	/* each result of the wanted statement to this; NULL: the last one is kept in rows */
	const Problem *(*take)(void *to, const PGresult *rows);
	void *to;

	size_t answered; /* statements carried out; all of the batch: the trip went well */
	PGresult *rows;
	size_t taken;           /* results given to take() */
	const Problem *problem; /* take()'s */
	bool failed;            /* fault tells how */
	DbFault fault;
	bool committed; /* COMMIT was answered */
	Wait wait;      /* other than ready: the connection has been dropped */
	Deadline until;
} DbTrip;

void batch_open(DbBatch *batch);
void batch_close(DbBatch *batch);
void batch_clear(DbBatch *batch);

/* Encode a statement's parameters behind what is there. */
const Problem *batch_add(Ctx *ctx, DbBatch *batch, const DbQuery *q,
                         const void *const *args) MUST_USE;

/* Send the batch and read all its answers; what came of it is in trip. */
void trip_go(Ctx *ctx, DbBatch *batch, DbTrip *trip);
void trip_done(DbTrip *trip);

/*
 * Send a statement with all that waits for it, and with the COMMIT if it is to be the last.
 *
 * q     NULL: only what waits
 * trip  take and to are set by the caller, who gives it to trip_done() whatever comes
 */
const Problem *statement_run(Ctx *ctx, const DbQuery *q, const void *const *args, bool commit,
                             DbTrip *trip) MUST_USE;

/* ------------------------------------------------------------------ faults */

/* Read the server's complaint. */
void fault_note(Ctx *ctx, DbFault *fault, const DbQuery *q, const PGresult *result);

/* NULL: none of this query's constraints. */
const Problem *fault_of_constraint(Ctx *ctx, const DbFault *fault, const DbQuery *q) MUST_USE;

/* writing: within db_begin() */
const Problem *fault_problem(Ctx *ctx, const DbFault *fault, bool writing) MUST_USE;

/* `unavailable`, with words for the log. */
Problem *fault_unavailable(Ctx *ctx, const char *words) NEVER_NULL;

/* The server cannot be written to: a standby, or made read only. */
bool fault_is_read_only(const DbFault *fault);
