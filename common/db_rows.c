#include "common/db.h"

#include <string.h>

#include "common/db_codec.h"
#include "common/db_inner.h"

/* Are these the columns that the query promised? */
static const Problem *
rows_check(Ctx *ctx, const DbQuery *q, const PGresult *rows)
{
	if (PQnfields(rows) != q->n_columns)
		return problem_inside(ctx, P_internal, "query %s: %d columns, not %d", q->name,
		                      PQnfields(rows), q->n_columns);
	for (int i = 0; i < q->n_columns; i++) {
		if (!codec_fits(q->columns[i].type, PQftype(rows, i)) ||
		    PQfformat(rows, i) != 1)
			return problem_inside(ctx, P_internal,
			                      "query %s, column %s: of another type, %u",
			                      q->name, q->columns[i].name, PQftype(rows, i));
	}
	return NULL;
}

static Str
value_of(const PGresult *rows, int i, int column)
{
	size_t n = (size_t)PQgetlength(rows, i, column);

	if (n == 0 && PQgetisnull(rows, i, column))
		return STR_NONE;
	return (Str){ PQgetvalue(rows, i, column), n };
}

/* One row into a zeroed struct. */
static const Problem *
row_get(Ctx *ctx, const DbQuery *q, const PGresult *rows, int i, void *out)
{
	for (int c = 0; c < q->n_columns; c++) {
		const DbColumn *column = &q->columns[c];
		const char *wrong = codec_get(ctx->arena, column, value_of(rows, i, c), out);

		if (wrong != NULL)
			return problem_inside(ctx, P_internal, "query %s, column %s: %s",
			                      q->name, column->name, wrong);
	}
	return NULL;
}

/* The number of rows of a trip that went well, checked to have the promised columns. */
static const Problem *
rows_count(Ctx *ctx, const DbQuery *q, const DbTrip *trip, int *n)
{
	if (trip->rows == NULL)
		return problem_inside(ctx, P_internal, "query %s: no result", q->name);
	TRY(rows_check(ctx, q, trip->rows));
	*n = PQntuples(trip->rows);
	return NULL;
}

static const Problem *
row_take(Ctx *ctx, const DbQuery *q, const DbTrip *trip, void *out, bool *found)
{
	void *row = arena_take(ctx->arena, 1, q->row_size, _Alignof(max_align_t));
	int n = 0;

	TRY(rows_count(ctx, q, trip, &n));
	if (n > 1)
		return problem_inside(ctx, P_internal, "query %s: %d rows", q->name, n);
	if (n == 1) {
		TRY(row_get(ctx, q, trip->rows, 0, row));
		memcpy(out, row, q->row_size);
	}
	*found = n == 1;
	return NULL;
}

const Problem *
db_maybe(Ctx *ctx, const DbQuery *q, const void *const *args, void *out, bool *found)
{
	DbTrip trip = { 0 };
	const Problem *p = statement_run(ctx, q, args, ctx->db->last, &trip);

	if (p == NULL)
		p = row_take(ctx, q, &trip, out, found);
	trip_done(&trip);
	return p;
}

const Problem *
db_one(Ctx *ctx, const DbQuery *q, const void *const *args, void *out, ProblemCode none)
{
	bool found = false;

	TRY(db_maybe(ctx, q, args, out, &found));
	if (found)
		return NULL;
	return none == P_internal ? problem_inside(ctx, none, "query %s: no row", q->name)
	                          : problem(none);
}

static const Problem *
rows_take(Ctx *ctx, const DbQuery *q, const DbTrip *trip, List *out)
{
	char *rows;
	int n = 0;

	TRY(rows_count(ctx, q, trip, &n));
	rows = arena_take(ctx->arena, (size_t)n, q->row_size, _Alignof(max_align_t));
	for (int i = 0; i < n; i++)
		TRY(row_get(ctx, q, trip->rows, i, rows + (size_t)i * q->row_size));
	*out = (List){ rows, (size_t)n };
	return NULL;
}

const Problem *
db_many(Ctx *ctx, const DbQuery *q, const void *const *args, List *out)
{
	DbTrip trip = { 0 };
	const Problem *p = statement_run(ctx, q, args, ctx->db->last, &trip);

	if (p == NULL)
		p = rows_take(ctx, q, &trip, out);
	trip_done(&trip);
	return p;
}

const Problem *
db_exec(Ctx *ctx, const DbQuery *q, const void *const *args, int64_t *n)
{
	DbTrip trip = { 0 };
	const Problem *p = statement_run(ctx, q, args, ctx->db->last, &trip);

	if (p == NULL && n != NULL && !str_i64(str_of(PQcmdTuples(trip.rows)), n))
		*n = 0; /* a command that has no such number */
	trip_done(&trip);
	return p;
}

typedef struct Each {
	Ctx *ctx;
	const DbQuery *q;
	DbEach each;
	void *to, *row;
} Each;

static const Problem *
each_take(void *to, const PGresult *rows)
{
	Each *each = to;

	TRY(rows_check(each->ctx, each->q, rows));
	for (int i = 0, n = PQntuples(rows); i < n; i++) {
		ArenaMark mark = arena_mark(each->ctx->arena);

		memset(each->row, 0, each->q->row_size);
		TRY(row_get(each->ctx, each->q, rows, i, each->row));
		TRY(each->each(each->ctx, each->row, each->to));
		arena_back(each->ctx->arena, mark);
	}
	return NULL;
}

/* each() has a connection that is in the middle of an answer. */
static const Problem *
each_guarded(void *to, const PGresult *rows)
{
	Db *db = ((Each *)to)->ctx->db;
	const Problem *p;

	db->streaming = true;
	p = each_take(to, rows);
	db->streaming = false;
	return p;
}

const Problem *
db_each(Ctx *ctx, const DbQuery *q, const void *const *args, DbEach each, void *to)
{
	Each rows = { ctx, q, each, to,
		      arena_take(ctx->arena, 1, q->row_size, _Alignof(max_align_t)) };
	DbTrip trip = { .take = each_guarded, .to = &rows };
	const Problem *p = statement_run(ctx, q, args, ctx->db->last, &trip);

	trip_done(&trip);
	return p;
}
