#include "common/db_inner.h"

#include "common/db_codec.h"

const Problem *
rows_check(Ctx *ctx, const DbQuery *q, const PGresult *rows)
{
	if (PQnfields(rows) != q->n_columns)
		return problem_inside(ctx, P_internal, "query %s: %d columns, not %d", q->name,
				      PQnfields(rows), q->n_columns);
	for (int i = 0; i < q->n_columns; i++) {
		if (!codec_fits(q->columns[i].type, PQftype(rows, i)) || PQfformat(rows, i) != 1)
			return problem_inside(ctx, P_internal,
					      "query %s, column %s: of another type, %u", q->name,
					      q->columns[i].name, PQftype(rows, i));
	}
	return NULL;
}

static Str
value_of(const PGresult *rows, int i, int column)
{
	if (PQgetisnull(rows, i, column))
		return STR_NONE;
	return (Str){ PQgetvalue(rows, i, column), (size_t)PQgetlength(rows, i, column) };
}

const Problem *
row_get(Ctx *ctx, const DbQuery *q, const PGresult *rows, int i, void *out)
{
	for (int c = 0; c < q->n_columns; c++) {
		const DbColumn *column = &q->columns[c];
		const char *wrong = codec_get(ctx->arena, column, value_of(rows, i, c), out);

		if (wrong != NULL)
			return problem_inside(ctx, P_internal, "query %s, column %s: %s", q->name,
					      column->name, wrong);
	}
	return NULL;
}
