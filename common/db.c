#include "common/db.h"

#include <stdlib.h>
#include <string.h>

#include "common/db_inner.h"

static const char UNKNOWN[] = "commit outcome unknown";

/* ------------------------------------------------------------------ statements of our own */

typedef struct Limits {
	Str statement, lock, idle; /* milliseconds, as text */
	bool local;
} Limits;

#define LIMIT(member, of_type)                                                                 \
	{                                                                                      \
		.offset = offsetof(Limits, member),                                            \
		.kind = MEMBER_KIND(MEMBER(Limits, member)), .type = of_type                   \
	}

static const DbParam limit_params[] = {
	LIMIT(statement, DB_TEXT),
	LIMIT(lock, DB_TEXT),
	LIMIT(idle, DB_TEXT),
	LIMIT(local, DB_BOOL),
};
static const uint16_t limit_numbers[] = { 0, 1, 2, 3 };

/*
 * What makes the session safe. jit is off: compiling costs more than any query of an API, again
 * at each execution.
 */
static const DbVariant limit_variant = {
	.name = "postern_limits",
	.sql = "SELECT set_config('statement_timeout', $1, $4), "
	       "set_config('lock_timeout', $2, $4), "
	       "set_config('idle_in_transaction_session_timeout', $3, $4), "
	       "set_config('client_connection_check_interval', '500', $4), "
	       "set_config('TimeZone', 'UTC', $4), set_config('plan_cache_mode', 'auto', $4), "
	       "set_config('jit', 'off', $4), "
	       "CASE WHEN NOT $4 THEN "
	       "set_config('default_transaction_read_only', 'on', false) END",
	.params = limit_numbers,
	.n_params = COUNT(limit_numbers),
};
static const DbQuery limits_query = {
	.name = "limits",
	.params = limit_params,
	.n_params = COUNT(limit_params),
	.variants = &limit_variant,
	.n_variants = 1,
};

#define PLAIN(called, text)                                                                    \
	static const DbVariant called##_variant = { .name = "postern_" #called, .sql = text }; \
	static const DbQuery called##_query = { .name = #called,                               \
		                                .variants = &called##_variant,                 \
		                                .n_variants = 1 }

PLAIN(begin, "BEGIN READ WRITE");
PLAIN(begin_read, "BEGIN READ ONLY");
PLAIN(commit, "COMMIT");
PLAIN(rollback, "ROLLBACK");

/* Behind a pooler each transaction says what it needs, since the session is not ours. */
static const Problem *
limits_add(Ctx *ctx, DbBatch *batch, bool local)
{
	int64_t ms = ctx->db->statement_ms;
	Limits limits = {
		.statement = str_print(ctx->arena, "%lld", (long long)ms),
		.lock = str_print(ctx->arena, "%lld", (long long)ms / 2),
		.idle = str_print(ctx->arena, "%lld", (long long)ms),
		.local = local,
	};

	return batch_add(ctx, batch, &limits_query, (const void *[]){ &limits });
}

static const Problem *
begin_add(Ctx *ctx, const DbQuery *begin)
{
	TRY(batch_add(ctx, &ctx->db->out, begin, NULL));
	return ctx->db->named ? NULL : limits_add(ctx, &ctx->db->out, true);
}

/* ------------------------------------------------------------------ the session */

Db *
db_open(const DbConfig *config)
{
	Db *db = calloc(1, sizeof *db);

	CHECK(db != NULL);
	db->dsn = strdup(config->dsn);
	db->name = strdup(config->name);
	CHECK(db->dsn != NULL && db->name != NULL);
	db->named = config->named;
	db->statement_ms = config->statement_ms;
	db->hosts = hosts_open(db->dsn);
	batch_open(&db->out);
	batch_open(&db->setup);
	return db;
}

void
db_close(Db *db)
{
	if (db == NULL)
		return;
	link_drop(db);
	hosts_close(db->hosts);
	batch_close(&db->out);
	batch_close(&db->setup);
	free(db->known.v);
	free(db->dsn);
	free(db->name);
	free(db);
}

static bool
trip_well(const DbBatch *batch, const DbTrip *trip)
{
	return trip->answered == batch->n && trip->problem == NULL && !trip->failed;
}

/* Make a new connection ours. lost: the server let us in, and the connection is gone. */
static const Problem *
session_set_up(Ctx *ctx, bool *lost)
{
	Db *db = ctx->db;
	DbTrip trip = { .wanted = TRIP_NONE, .commit = TRIP_NONE };

	if (!db->named)
		return NULL;
	if (db->setup.n == 0)
		TRY(limits_add(ctx, &db->setup, false));
	trip_go(ctx, &db->setup, &trip);
	*lost = trip.wait == WAIT_LOST;
	if (db->conn != NULL && trip_well(&db->setup, &trip))
		return NULL;
	if (trip.wait == WAIT_LATE)
		return problem_inside(ctx, P_deadline_exceeded, "no connection in time");
	if (*lost)
		return fault_unavailable(ctx, "the connection was lost while it was set up");
	return fault_problem(ctx, &trip.fault, false);
}

/*
 * A connection; `check`: one that the server has not closed in the meantime.
 *
 * A server that lets us in is not away, though it ends a session that has just begun: once
 * more, before a back-off that would refuse everybody for its time.
 */
static const Problem *
session_ready(Ctx *ctx, bool check)
{
	Db *db = ctx->db;

	if (db->conn != NULL && (!check || link_alive(db)))
		return NULL;
	for (bool repeated = false;; repeated = true) {
		const Problem *p;
		bool lost = false;

		link_drop(db);
		TRY(link_open(ctx));
		p = session_set_up(ctx, &lost);
		if (p == NULL) {
			link_good(db);
			return NULL;
		}
		if (!lost || repeated) {
			link_bad(db);
			return p;
		}
	}
}

const Problem *
db_ready(Ctx *ctx)
{
	if (ctx->db->tx != TX_NONE || ctx->db->streaming)
		return problem_inside(ctx, P_internal, "db_ready inside a transaction");
	return session_ready(ctx, true);
}

void
db_settle(Db *db)
{
	db->cost = (DbCost){ 0 };
	if (db->conn != NULL && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		link_drop(db);
	batch_clear(&db->out);
	db->tx = TX_NONE;
	db->last = false;
	db->streaming = false;
}

DbCost
db_cost(const Db *db)
{
	return db->cost;
}

/* ------------------------------------------------------------------ a round trip */

/* May another statement be sent now? */
static const Problem *
run_allowed(Ctx *ctx)
{
	Db *db = ctx->db;

	if (deadline_passed(ctx->deadline))
		return problem_inside(ctx, P_deadline_exceeded, "before a statement was sent");
	if (db->streaming)
		return problem_inside(ctx, P_internal, "a statement inside db_each");
	if (db->tx == TX_DONE)
		return problem_inside(ctx, P_internal, "a statement after that of db_last");
	if (db->tx == TX_FAILED && db->conn == NULL) {
		Problem *p = fault_unavailable(ctx, "the transaction's connection is lost");

		p->again = true;
		return p;
	}
	if (db->tx == TX_FAILED)
		return problem_inside(ctx, P_internal, "a statement in a failed transaction");
	return NULL;
}

/* End the transaction that a statement has spoilt; the connection becomes idle or is closed. */
static void
session_roll_back(Ctx *ctx)
{
	Db *db = ctx->db;
	DbTrip trip = { .wanted = TRIP_NONE, .commit = TRIP_NONE };

	batch_clear(&db->out);
	if (db->conn == NULL || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return;
	if (batch_add(ctx, &db->out, &rollback_query, NULL) == NULL)
		trip_go(ctx, &db->out, &trip);
	batch_clear(&db->out);
	if (db->conn != NULL && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		link_drop(db);
}

/* Can this trip be made once more, on a new connection, as if it had never been? */
static bool
may_repeat(const DbTrip *trip)
{
	if (trip->taken > 0)
		return false;
	if (trip->failed && trip->fault.stale)
		return true;
	return trip->wait == WAIT_LOST && trip->commit == TRIP_NONE;
}

/*
 * Did the server refuse, in order, so that COMMIT was not carried out? Not so certain of a
 * session that a pooler ends in the server's name.
 */
static bool
was_refused(const DbTrip *trip)
{
	const DbFault *fault = &trip->fault;

	return trip->failed && fault->sqlstate[0] != '\0' &&
	       (!fault->ended || strncmp(fault->sqlstate, "57P", 3) == 0);
}

/* The trip did not come to its end: no connection any more, or too late. */
static const Problem *
problem_of_wait(Ctx *ctx, const DbTrip *trip, bool writing)
{
	bool unknown = trip->commit != TRIP_NONE && !trip->committed && !was_refused(trip);
	const char *said = trip->failed && trip->fault.message != NULL ? trip->fault.message
	                                                               : "connection lost";
	Problem *p;

	if (trip->wait == WAIT_LATE)
		return problem_inside(ctx, P_deadline_exceeded, "%s",
		                      unknown ? UNKNOWN : "waiting for the database");
	p = fault_unavailable(ctx, arena_print(ctx->arena, "%s%s%s", unknown ? UNKNOWN : "",
	                                       unknown ? ": " : "", said));
	p->again = writing && !unknown;
	return p;
}

static const Problem *
problem_of_fault(Ctx *ctx, const DbTrip *trip, bool writing)
{
	const DbBatch *batch = &ctx->db->out;
	const Problem *p;

	if (!trip->failed)
		return problem_inside(ctx, P_internal, "a statement was not carried out");
	p = fault_of_constraint(ctx, &trip->fault, trip->fault.query);
	/* a deferred constraint speaks at COMMIT: ask everybody who came along */
	for (size_t i = 0; p == NULL && i < batch->n; i++)
		p = fault_of_constraint(ctx, &trip->fault, batch->v[i].query);
	return p != NULL ? p : fault_problem(ctx, &trip->fault, writing);
}

/* What went wrong, with the connection left idle or closed. */
static const Problem *
run_failed(Ctx *ctx, const DbTrip *trip)
{
	Db *db = ctx->db;
	bool writing = db->tx != TX_NONE;
	const Problem *p = trip->problem;

	if (p == NULL &&
	    (trip->wait == WAIT_READY || (was_refused(trip) && !trip->fault.ended)))
		p = problem_of_fault(ctx, trip, writing);
	else if (p == NULL)
		p = problem_of_wait(ctx, trip, writing);
	if (trip->failed && trip->fault.stale)
		link_drop(db);
	if (trip->failed && writing && fault_is_read_only(&trip->fault))
		link_unfit(db);
	session_roll_back(ctx);
	if (writing)
		db->tx = TX_FAILED;
	return p;
}

/* Send what waits in db->out, on a new connection once more if need be. */
static const Problem *
run_trip(Ctx *ctx, DbTrip *trip)
{
	Db *db = ctx->db;
	bool first = db->tx != TX_SENT;
	DbTrip fresh = *trip;

	for (bool repeated = false;; repeated = true) {
		if (first) {
			/* a write that cannot be repeated does not trust a kept connection */
			const Problem *p = session_ready(ctx, trip->commit != TRIP_NONE);

			if (p != NULL)
				return p;
		}
		trip_go(ctx, &db->out, trip);
		if (trip_well(&db->out, trip))
			return NULL;
		if (repeated || !first || !may_repeat(trip))
			return run_failed(ctx, trip);
		trip_done(trip);
		link_drop(db);
		*trip = fresh;
	}
}

const Problem *
statement_run(Ctx *ctx, const DbQuery *q, const void *const *args, bool commit, DbTrip *trip)
{
	Db *db = ctx->db;
	bool reads_alone = db->tx == TX_NONE && !db->named;
	const Problem *p = NULL;

	TRY(run_allowed(ctx));
	trip->wanted = trip->commit = TRIP_NONE;
	if (reads_alone)
		p = begin_add(ctx, &begin_read_query);
	if (p == NULL && q != NULL) {
		p = batch_add(ctx, &db->out, q, args);
		trip->wanted = db->out.n - 1;
	}
	if (p == NULL && (commit || reads_alone))
		p = batch_add(ctx, &db->out, &commit_query, NULL);
	if (p == NULL && commit)
		trip->commit = db->out.n - 1;
	if (p == NULL)
		p = run_trip(ctx, trip);
	if (p == NULL && db->tx != TX_NONE)
		db->tx = commit ? TX_DONE : db->conn == NULL ? TX_FAILED : TX_SENT;
	if (p == NULL || db->tx == TX_NONE)
		batch_clear(&db->out);
	return p;
}

/* ------------------------------------------------------------------ transactions */

const Problem *
db_begin(Ctx *ctx)
{
	Db *db = ctx->db;

	if (db->tx != TX_NONE || db->streaming)
		return problem_inside(ctx, P_internal, "db_begin inside a transaction");
	batch_clear(&db->out);
	TRY(begin_add(ctx, &begin_query));
	db->tx = TX_OPEN;
	db->last = false;
	return NULL;
}

void
db_last(Ctx *ctx)
{
	ctx->db->last = ctx->db->tx == TX_OPEN || ctx->db->tx == TX_SENT;
}

const Problem *
db_commit(Ctx *ctx)
{
	Db *db = ctx->db;
	size_t begins = db->named ? 1 : 2; /* statements that db_begin() has queued */
	DbTrip trip = { 0 };
	const Problem *p = NULL;

	if (db->tx == TX_FAILED && db->conn != NULL)
		return problem_inside(ctx, P_internal, "commit of a failed transaction");
	if (db->tx == TX_SENT || db->tx == TX_FAILED ||
	    (db->tx == TX_OPEN && db->out.n > begins))
		p = statement_run(ctx, NULL, NULL, true, &trip);
	trip_done(&trip);
	if (p == NULL) {
		batch_clear(&db->out);
		db->tx = TX_NONE;
		db->last = false;
	}
	return p;
}

void
db_rollback(Ctx *ctx)
{
	Db *db = ctx->db;

	session_roll_back(ctx);
	db->tx = TX_NONE;
	db->last = false;
}

const Problem *
db_queue(Ctx *ctx, const DbQuery *q, const void *const *args)
{
	Db *db = ctx->db;
	DbTrip trip = { 0 };
	const Problem *p;

	TRY(run_allowed(ctx));
	if (db->tx == TX_NONE)
		return problem_inside(ctx, P_internal, "query %s queued outside a transaction",
		                      q->name);
	if (db->out.n < DB_QUEUE_MAX)
		return batch_add(ctx, &db->out, q, args);
	p = statement_run(ctx, q, args, false, &trip);
	trip_done(&trip);
	return p;
}
