#include "common/db_inner.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/db_codec.h"

enum { BATCH_CEILING_BYTES = 1 << 30, DRAIN_MS = 20 };

/* ------------------------------------------------------------------ what is to be sent */

void
batch_open(DbBatch *batch)
{
	batch->arena = arena_open(BATCH_CEILING_BYTES);
	batch_clear(batch);
}

void
batch_close(DbBatch *batch)
{
	arena_close(batch->arena);
}

void
batch_clear(DbBatch *batch)
{
	arena_reset(batch->arena);
	batch->params = (Buf){ .arena = batch->arena };
	batch->n = 0;
}

const Problem *
batch_add(Ctx *ctx, DbBatch *batch, const DbQuery *q, const void *const *args)
{
	size_t number = codec_variant(q, args), start = batch->params.n;
	const DbVariant *variant;

	CHECK(batch->n < DB_BATCH_MAX);
	if (number >= q->n_variants)
		return problem_inside(ctx, P_internal, "query %s: no such choice", q->name);
	variant = &q->variants[number];
	if (variant->n_params > DB_PARAMS_MAX)
		return problem_inside(ctx, P_internal, "query %s: %d parameters", q->name,
		                      variant->n_params);
	for (size_t i = 0; i < variant->n_params; i++) {
		const char *wrong =
		    codec_put(&batch->params, &q->params[variant->params[i]], args);

		if (wrong != NULL) {
			batch->params.n = start;
			return problem_inside(ctx, P_internal, "query %s, $%zu: %s", q->name,
			                      i + 1, wrong);
		}
	}
	batch->v[batch->n++] = (DbStmt){ .query = q, .variant = variant, .params = start };
	return NULL;
}

/* ------------------------------------------------------------------ sending */

/* The parameters of a statement as libpq takes them. */
typedef struct Values {
	const char *v[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX];
} Values;

static void
values_read(const DbBatch *batch, const DbStmt *stmt, Values *values)
{
	const char *at = batch->params.p + stmt->params;

	for (size_t i = 0; i < stmt->variant->n_params; i++) {
		uint32_t bytes;
		int length;

		memcpy(&bytes, at, sizeof bytes);
		length = (int32_t)be32toh(bytes);
		at += sizeof bytes;
		values->v[i] = length < 0 ? NULL : at;
		values->lengths[i] = MAX(length, 0);
		at += MAX(length, 0);
	}
}

/* Has a statement before this one in the batch prepared the same? */
static bool
is_preparing(const DbBatch *batch, size_t before, const DbVariant *variant)
{
	for (size_t i = 0; i < before; i++)
		if (batch->v[i].variant == variant)
			return true;
	return false;
}

static bool
stmt_send(Db *db, DbBatch *batch, size_t i)
{
	static const int binary[DB_PARAMS_MAX] = { [0 ... DB_PARAMS_MAX - 1] = 1 };
	DbStmt *stmt = &batch->v[i];
	const DbVariant *variant = stmt->variant;
	Values values;

	values_read(batch, stmt, &values);
	if (!db->named || variant->anew)
		return PQsendQueryParams(db->conn, variant->sql, variant->n_params, NULL,
		                         values.v, values.lengths, binary, 1) == 1;
	stmt->preparing = !known_has(&db->known, variant) && !is_preparing(batch, i, variant);
	if (stmt->preparing && !PQsendPrepare(db->conn, variant->name, variant->sql, 0, NULL))
		return false;
	return PQsendQueryPrepared(db->conn, variant->name, variant->n_params, values.v,
	                           values.lengths, binary, 1) == 1;
}

static bool
batch_send(Db *db, DbBatch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		if (!stmt_send(db, batch, i))
			return false;
	db->cost.statements += (uint32_t)batch->n;
	db->cost.trips++;
	return PQpipelineSync(db->conn) == 1;
}

/* ------------------------------------------------------------------ reading */

typedef enum Answer {
	ANSWER_GOOD,
	ANSWER_BAD,  /* refused, or not carried out since one before it was */
	ANSWER_NONE, /* no whole answer: lost or late */
} Answer;

static void
fault_keep(DbTrip *trip, const DbFault *fault)
{
	if (!trip->failed) /* what follows a fault follows from it */
		trip->fault = *fault;
	trip->failed = true;
}

/* Take one result of a statement that goes well. */
static void
result_take(const DbBatch *batch, DbTrip *trip, size_t number, PGresult *result)
{
	if (number == trip->commit) {
		trip->committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
		if (!trip->committed)
			fault_keep(trip, &(DbFault){ .query = batch->v[number].query,
			                             .message = "it rolled back" });
	}
	if (number == trip->wanted && trip->take == NULL) {
		PQclear(trip->rows);
		trip->rows = result;
		return;
	}
	if (number == trip->wanted && trip->problem == NULL) {
		trip->taken++;
		trip->problem = trip->take(trip->to, result);
		if (trip->problem != NULL) /* nobody wants the rest */
			trip->until = deadline_min(trip->until, deadline_in_ms(DRAIN_MS));
	}
	PQclear(result);
}

static Answer
result_read(Ctx *ctx, const DbBatch *batch, DbTrip *trip, size_t number, PGresult *result)
{
	DbFault fault;

	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
		result_take(batch, trip, number, result);
		return ANSWER_GOOD;
	case PGRES_PIPELINE_ABORTED:
		PQclear(result);
		return ANSWER_BAD;
	default: /* libpq's enum, which may grow */
		fault_note(ctx, &fault, batch->v[number].query, result);
		PQclear(result);
		fault_keep(trip, &fault);
		/* without a state these are libpq's own words: it gave up */
		if (fault.ended || fault.sqlstate[0] == '\0')
			trip->wait = WAIT_LOST;
		return ANSWER_BAD;
	}
}

/* All results of what was sent for a statement, up to the NULL that ends them. */
static Answer
answer_read(Ctx *ctx, const DbBatch *batch, DbTrip *trip, size_t number)
{
	Answer answer = ANSWER_NONE;

	while (trip->wait == WAIT_READY) {
		PGresult *result = NULL;

		/* rows may come for ever */
		if (trip->taken > 0 && deadline_passed(trip->until))
			trip->wait = WAIT_LATE;
		else
			trip->wait = link_result(ctx->db, trip->until, &result);
		if (result == NULL)
			return trip->wait == WAIT_READY ? answer : ANSWER_NONE;
		answer = result_read(ctx, batch, trip, number, result);
	}
	return ANSWER_NONE;
}

/* The answer to the preparation of a statement, where it was sent, and to the statement. */
static Answer
stmt_read(Ctx *ctx, const DbBatch *batch, DbTrip *trip, size_t number)
{
	const DbStmt *stmt = &batch->v[number];
	DbTrip preparation = { .wanted = TRIP_NONE, .commit = TRIP_NONE, .until = trip->until };

	if (stmt->preparing) {
		Answer answer = answer_read(ctx, batch, &preparation, number);

		trip->wait = preparation.wait;
		if (preparation.failed)
			fault_keep(trip, &preparation.fault);
		if (answer == ANSWER_NONE)
			return answer;
		if (answer == ANSWER_GOOD)
			known_add(&ctx->db->known, stmt->variant);
	}
	/* refused: take() gets all rows at once */
	if (number == trip->wanted && trip->take != NULL)
		PQsetSingleRowMode(ctx->db->conn);
	return answer_read(ctx, batch, trip, number);
}

void
trip_go(Ctx *ctx, DbBatch *batch, DbTrip *trip)
{
	PGresult *sync = NULL;

	trip->until = ctx->deadline;
	trip->wait = batch_send(ctx->db, batch) ? WAIT_READY : WAIT_LOST;
	for (size_t i = 0; i < batch->n && trip->wait == WAIT_READY; i++)
		trip->answered += stmt_read(ctx, batch, trip, i) == ANSWER_GOOD;
	if (trip->wait == WAIT_READY)
		trip->wait = link_result(ctx->db, trip->until, &sync);
	if (trip->wait == WAIT_READY && PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
		trip->wait = WAIT_LOST; /* libpq and we have lost count */
	PQclear(sync);
	if (trip->wait != WAIT_READY)
		link_drop(ctx->db);
}

void
trip_done(DbTrip *trip)
{
	PQclear(trip->rows);
	trip->rows = NULL;
}
