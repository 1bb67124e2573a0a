#include "common/db_inner.h"

#include <string.h>

typedef struct FaultRow {
	const char *sqlstate; /* or the beginning of it */
	ProblemCode code;
	bool again;
} FaultRow;

/* The first that fits; what is not here is `internal`. Source: PostgreSQL, appendix A. */
static const FaultRow rows[] = {
	{ "40001", P_unavailable, true },        /* serialization failure */
	{ "40P01", P_unavailable, true },        /* deadlock */
	{ "57014", P_deadline_exceeded, false }, /* statement_timeout, or cancelled by hand */
	{ "55P03", P_unavailable, false },       /* lock_timeout */
	{ "25P03", P_unavailable, false },       /* idle in transaction for too long */
	{ "53", P_unavailable, false },          /* no room: connections, memory, disk */
	{ "57P", P_unavailable, false },         /* shut down, crashed, starting */
	{ "08", P_unavailable, false },          /* connection, as a pooler says it */
	{ "22021", P_validation_failed, false }, /* not a character */
	{ "22P05", P_validation_failed, false }, /* a character that text cannot hold */
};

static bool
text_starts(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

static const char *
field_of(Ctx *ctx, const PGresult *result, int field)
{
	const char *text = PQresultErrorField(result, field);

	return text == NULL ? NULL : arena_print(ctx->arena, "%s", text);
}

/*
 * After a change of a table, when a type was made anew under its name (a plan holds on to the
 * one that is gone; these words are never translated), or when a pooler gave us a session that
 * we did not prepare in.
 */
static bool
is_stale(const char *sqlstate, const PGresult *result)
{
	const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
	const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0 ||
	       (strcmp(sqlstate, "0A000") == 0 && function != NULL &&
	        strcmp(function, "RevalidateCachedQuery") == 0) ||
	       (strcmp(sqlstate, "XX000") == 0 && words != NULL &&
	        text_starts(words, "cache lookup failed"));
}

void
fault_note(Ctx *ctx, DbFault *fault, const DbQuery *q, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	*fault = (DbFault){ .query = q };
	if (sqlstate == NULL || strlen(sqlstate) >= sizeof fault->sqlstate) {
		fault->message = arena_print(ctx->arena, "%s", PQresultErrorMessage(result));
		return;
	}
	memcpy(fault->sqlstate, sqlstate, strlen(sqlstate));
	fault->ended = severity != NULL && strcmp(severity, "FATAL") == 0;
	fault->stale = is_stale(sqlstate, result);
	fault->constraint = field_of(ctx, result, PG_DIAG_CONSTRAINT_NAME);
	if (!text_starts(sqlstate, "22")) /* data exceptions quote the data */
		fault->message = field_of(ctx, result, PG_DIAG_MESSAGE_PRIMARY);
}

const Problem *
fault_of_constraint(Ctx *ctx, const DbFault *fault, const DbQuery *q)
{
	if (fault->constraint == NULL || !text_starts(fault->sqlstate, "23"))
		return NULL;
	for (size_t i = 0; i < q->n_constraints; i++) {
		const DbConstraint *constraint = &q->constraints[i];

		if (strcmp(constraint->name, fault->constraint) != 0)
			continue;
		if (constraint->code == P_validation_failed && constraint->pointer != NULL)
			return problem_field(ctx, constraint->pointer, constraint->field);
		return problem(constraint->code);
	}
	return NULL;
}

bool
fault_is_read_only(const DbFault *fault)
{
	/* a standby refuses BEGIN READ WRITE as a feature that it lacks */
	return strcmp(fault->sqlstate, "25006") == 0 ||
	       (strcmp(fault->sqlstate, "0A000") == 0 && !fault->stale &&
	        strcmp(fault->query->name, "begin") == 0);
}

Problem *
fault_unavailable(Ctx *ctx, const char *words)
{
	Problem *p = arena_new(ctx->arena, Problem, 1);

	p->code = P_unavailable;
	p->inside = words;
	p->retry_after_s = DB_RETRY_AFTER_S;
	return p;
}

const Problem *
fault_problem(Ctx *ctx, const DbFault *fault, bool writing)
{
	Problem *p = fault_unavailable(
	    ctx, arena_print(ctx->arena, "query %s: SQLSTATE %s%s%s", fault->query->name,
	                     fault->sqlstate[0] == '\0' ? "none" : fault->sqlstate,
	                     fault->message == NULL ? "" : ": ",
	                     fault->message == NULL ? "" : fault->message));

	p->again = fault->stale;
	if (fault->stale || (writing && fault_is_read_only(fault)))
		return p;
	p->code = P_internal;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!text_starts(fault->sqlstate, rows[i].sqlstate))
			continue;
		p->code = rows[i].code;
		p->again = rows[i].again;
		break;
	}
	if (p->code != P_unavailable)
		p->retry_after_s = 0;
	return p;
}
