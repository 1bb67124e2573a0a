#include "schema/qgen.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a variant's description and its surroundings are kept in while it is asked about. */
typedef struct Asking {
	Run *run;
	Query *query;
	Said *said;
	Text text;
	PGresult *described;
} Asking;

static void
result_clear(PGresult **result)
{
	PQclear(*result);
}
#define RESULT CLEANUP(result_clear) PGresult *

/* The byte of the source that a server's message points at. */
static size_t
fault_at(const Asking *asking, const PGresult *result)
{
	const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	long chars = position == NULL ? 0 : strtol(position, NULL, 10);
	Str sql = asking->text.sql;
	size_t i = 0;

	if (chars < 1)
		return asking->query->body;
	while (i + 1 < sql.n && (chars > 1 || (sql.p[i] & 0xC0) == 0x80)) {
		i++;
		chars -= (sql.p[i] & 0xC0) != 0x80;
	}
	return asking->text.at[i];
}

/* Say in the server's own words what is wrong with the statement. */
static void
server_fault(const Asking *asking, const PGresult *result)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	qgen_fault(asking->run, asking->query->source, fault_at(asking, result),
	           "%s: %s%s%s%s%s", PQresultErrorField(result, PG_DIAG_SEVERITY), message,
	           detail == NULL ? "" : "; ", detail == NULL ? "" : detail,
	           hint == NULL ? "" : "; ", hint == NULL ? "" : hint);
}

static bool
succeeded(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_TUPLES_OK ||
	       PQresultStatus(result) == PGRES_COMMAND_OK;
}

/* A statement of the generator's own, which has to succeed. */
static PGresult *
own(Run *run, const char *sql, const char *value)
{
	PGresult *result =
	    PQexecParams(run->conn, sql, value == NULL ? 0 : 1, NULL, &value, NULL, NULL, 0);

	if (!succeeded(result)) {
		fprintf(stderr, "qgen: %s", PQresultErrorMessage(result));
		exit(1);
	}
	return result;
}

static void
own_done(Run *run, const char *sql)
{
	RESULT result = own(run, sql, NULL);

	(void)result;
}

static Str
value_at(Run *run, const PGresult *result, int row, int column)
{
	return str_keep(run->arena, str_of(PQgetvalue(result, row, column)));
}

static void
schema_load(Run *run)
{
	RESULT facts = own(run, "SELECT fact FROM schema_facts", NULL);
	RESULT version =
	    own(run, "SELECT coalesce(max(version), 0) FROM schema_migrations", NULL);

	run->n_schema = (size_t)PQntuples(facts);
	run->schema = arena_new(run->arena, Str, run->n_schema);
	for (size_t i = 0; i < run->n_schema; i++)
		run->schema[i] = value_at(run, facts, (int)i, 0);
	qsort(run->schema, run->n_schema, sizeof *run->schema, qgen_compare);
	CHECK(str_i64(value_at(run, version, 0, 0), &run->migration));
}

void
qgen_connect(Run *run, const char *dsn)
{
	run->conn = PQconnectdb(dsn);
	if (PQstatus(run->conn) != CONNECTION_OK) {
		fprintf(stderr, "qgen: %s", PQerrorMessage(run->conn));
		exit(1);
	}
	PQsetClientEncoding(run->conn, "UTF8");
	own_done(run, "SET client_min_messages = warning");
	own_done(run, "SET plan_cache_mode = force_generic_plan");
	schema_load(run);
}

void
qgen_disconnect(Run *run)
{
	PQfinish(run->conn);
	run->conn = NULL;
}

/* A type as the lock writes it, or as SQL writes it. */
static Str
type_text(Run *run, Oid oid, bool sql)
{
	RESULT result = own(run,
	                    "SELECT CASE WHEN b.typtype = 'e' THEN 'enum ' || b.typname"
	                    " WHEN e.oid IS NOT NULL THEN e.typname || '[]' ELSE b.typname "
	                    "END, format_type(t.oid, NULL)"
	                    " FROM pg_type AS t JOIN pg_type AS b ON b.oid = "
	                    "coalesce(nullif(t.typbasetype, 0), t.oid)"
	                    " LEFT JOIN pg_type AS e ON e.typarray = b.oid WHERE t.oid = $1",
	                    arena_print(run->arena, "%u", oid));

	return PQntuples(result) == 0 ? S("unknown") : value_at(run, result, 0, sql ? 1 : 0);
}

static void
fact_add(Asking *asking, Str line)
{
	Said *said = asking->said;

	for (size_t i = 0; i < said->n_facts; i++)
		if (str_eq(said->facts[i], line))
			return;
	*GROW(asking->run->arena, said->facts, said->n_facts) = line;
}

/* All lines of the schema that begin so; "table x" is meant whole. */
static void
facts_add(Asking *asking, Str head)
{
	const Run *run = asking->run;
	bool whole = str_starts(head, S("table "));

	for (size_t i = 0; i < run->n_schema; i++)
		if (whole ? str_eq(run->schema[i], head) : str_starts(run->schema[i], head))
			fact_add(asking, run->schema[i]);
}

static void
type_fact(Asking *asking, Str type)
{
	if (str_starts(type, S("enum ")))
		facts_add(asking, str_print(asking->run->arena, "%.*s ", STR_ARG(type)));
}

static void
ask_params(Asking *asking)
{
	Run *run = asking->run;
	Said *said = asking->said;

	for (uint16_t i = 0; i < asking->text.n_params; i++) {
		Str name = asking->query->params[asking->text.params[i]];
		Str type = type_text(run, PQparamtype(asking->described, i), false);
		size_t k = 0;

		while (k < said->n_params && !str_eq(said->params[k].name, name))
			k++;
		if (k == said->n_params)
			*GROW(run->arena, said->params, said->n_params) =
			    (ParamSaid){ name, type };
		else if (!str_eq(said->params[k].type, type))
			qgen_fault(
			    run, asking->query->source, asking->query->body,
			    ":%.*s is %.*s in one combination and %.*s in another; cast it",
			    STR_ARG(name), STR_ARG(said->params[k].type), STR_ARG(type));
		type_fact(asking, type);
	}
}

/*
 * The plan of the prepared statement, with parameters left open; NULL when the server refuses.
 */
static PGresult *
plan_ask(Asking *asking)
{
	Run *run = asking->run;
	Buf sql = { .arena = run->arena };
	bool role = run->role != NULL && !asking->query->by_owner;
	PGresult *result;

	if (role)
		own_done(run, arena_print(run->arena, "SET LOCAL ROLE %s", run->role));
	buf_puts(&sql, "EXPLAIN (VERBOSE, FORMAT JSON, COSTS OFF) EXECUTE qgen");
	for (uint16_t i = 0; i < asking->text.n_params; i++)
		buf_puts(&sql, i == 0 ? "(NULL" : ", NULL");
	buf_print(&sql, "%s", asking->text.n_params == 0 ? "" : ")");
	result = PQexec(run->conn, str_text(run->arena, buf_str(&sql)));
	if (!succeeded(result)) {
		server_fault(asking, result);
		PQclear(result);
		return NULL;
	}
	if (role)
		own_done(run, "RESET ROLE");
	return result;
}

/*
 * For each output of a plan: may a column that the catalogue calls NOT NULL be NULL there?
 *
 * Where nothing in the plan makes NULLs (outer joins, anti joins, grouping sets), none can.
 * Otherwise only a column that is read from a table, and that no such node stands above on its
 * NULL side, cannot. All else, such as a sub-select that was not pulled up, is taken as one
 * that can.
 */
static const char plan_sql[] =
    "WITH RECURSIVE node (plan, nulled) AS ("
    " SELECT $1::jsonb -> 0 -> 'Plan', false"
    " UNION ALL"
    " SELECT child, nulled OR plan ? 'Grouping Sets' OR CASE"
    " WHEN plan ->> 'Join Type' IN ('Left', 'Anti') THEN child ->> 'Parent Relationship' = "
    "'Inner'"
    " WHEN plan ->> 'Join Type' IN ('Right', 'Right Anti') THEN child ->> 'Parent "
    "Relationship' = 'Outer'"
    " ELSE coalesce(plan ->> 'Join Type' = 'Full', false) END"
    " FROM node, jsonb_array_elements(plan -> 'Plans') AS child"
    "), nulls (made) AS ("
    " SELECT bool_or(plan ? 'Grouping Sets' OR"
    " plan ->> 'Join Type' IN ('Left', 'Anti', 'Right', 'Right Anti', 'Full')) FROM node"
    ") SELECT coalesce(made, false) AND NOT EXISTS (SELECT FROM node WHERE plan ? 'Relation "
    "Name' AND NOT nulled"
    " AND starts_with(output, quote_ident(plan ->> 'Alias') || '.')"
    " AND substr(output, length(quote_ident(plan ->> 'Alias')) + 2) ~ "
    "'^(\"([^\"]|\"\")+\"|[a-z_][a-z0-9_$]*)$')"
    " FROM nulls, jsonb_array_elements_text($1::jsonb -> 0 -> 'Plan' -> 'Output') WITH "
    "ORDINALITY AS o (output, place)"
    " ORDER BY place";

/*
 * Table and column that a result column is read from, and whether it is NOT NULL there; none:
 * an expression.
 */
static Str
origin_of(Asking *asking, int column, bool *not_null)
{
	Run *run = asking->run;
	RESULT result =
	    own(run,
	        "SELECT format('%s.%s', c.relname, a.attname), a.attnotnull AND c.relkind IN "
	        "('r', 'p')"
	        " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid WHERE "
	        "(c.oid, a.attnum)"
	        " = (split_part($1, ' ', 1)::oid, split_part($1, ' ', 2)::int)",
	        arena_print(run->arena, "%u %d", PQftable(asking->described, column),
	                    PQftablecol(asking->described, column)));
	Str origin;

	if (PQntuples(result) == 0)
		return STR_NONE;
	*not_null = PQgetvalue(result, 0, 1)[0] == 't';
	origin = value_at(run, result, 0, 0);
	facts_add(asking, str_print(run->arena, "column %.*s ", STR_ARG(origin)));
	facts_add(asking,
	          str_print(run->arena, "table %.*s", (int)str_find(origin, '.'), origin.p));
	return origin;
}

static ColumnSaid
ask_column(Asking *asking, int i, const PGresult *plan)
{
	Arena *arena = asking->run->arena;
	Str name = str_keep(arena, str_of(PQfname(asking->described, i)));
	ColumnSaid column = { .type = type_text(asking->run, PQftype(asking->described, i),
		                                false) };
	bool not_null = false;
	Str origin = origin_of(asking, i, &not_null);
	bool nulled = plan == NULL || i >= PQntuples(plan) || PQgetvalue(plan, i, 0)[0] == 't';

	column.nullable = true;
	column.name = name;
	if (str_ends(name, S("!")) || str_ends(name, S("?"))) {
		column.nullable = str_ends(name, S("?"));
		column.name = str_sub(name, 0, name.n - 1);
		column.why = S("as marked");
	} else if (origin.n == 0) {
		column.why = S("an expression");
	} else if (!not_null) {
		column.why = str_print(arena, "%.*s may be", STR_ARG(origin));
	} else if (nulled) {
		column.why = str_print(arena, "%.*s behind an outer join", STR_ARG(origin));
	} else {
		column.nullable = false;
		column.why = origin;
	}
	type_fact(asking, column.type);
	return column;
}

static void
ask_columns(Asking *asking, PGresult *explained)
{
	Said *said = asking->said;
	int n = PQnfields(asking->described);
	bool first = said->variants == 0;
	RESULT plan = explained == NULL || n == 0
	                  ? NULL
	                  : own(asking->run, plan_sql, PQgetvalue(explained, 0, 0));

	if (!first && (size_t)n != said->n_columns) {
		qgen_fault(asking->run, asking->query->source, asking->query->body,
		           "the number of columns depends on the combination");
		return;
	}
	for (int i = 0; i < n; i++) {
		ColumnSaid column = ask_column(asking, i, plan);

		if (first)
			*GROW(asking->run->arena, said->columns, said->n_columns) = column;
		else if (!str_eq(column.name, said->columns[i].name) ||
		         !str_eq(column.type, said->columns[i].type))
			qgen_fault(asking->run, asking->query->source, asking->query->body,
			           "column %.*s depends on the combination",
			           STR_ARG(column.name));
		else if (column.nullable && !said->columns[i].nullable)
			said->columns[i] = column;
	}
}

/*
 * What the statement depends on. The server itself records it, down to columns, for a function
 * with the statement as its body; the transaction around it is rolled back. A statement that
 * cannot be a function's body (LOCK and the like) is left with what its columns told.
 */
static void
ask_facts(Asking *asking)
{
	Run *run = asking->run;
	Buf sql = { .arena = run->arena };

	buf_puts(&sql, "CREATE FUNCTION pg_temp.qgen(");
	for (uint16_t i = 0; i < asking->text.n_params; i++) {
		Str type = type_text(run, PQparamtype(asking->described, i), true);

		buf_print(&sql, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(type));
	}
	buf_print(&sql, ") RETURNS void LANGUAGE sql BEGIN ATOMIC %.*s; END",
	          STR_ARG(asking->text.sql));
	RESULT made = PQexec(run->conn, str_text(run->arena, buf_str(&sql)));
	if (!succeeded(made))
		return;
	RESULT heads =
	    own(run,
	        "SELECT DISTINCT CASE WHEN c.oid IS NOT NULL AND a.attnum IS NULL THEN "
	        "format('table %s', c.relname)"
	        " WHEN c.oid IS NOT NULL THEN format('column %s.%s ', c.relname, a.attname)"
	        " WHEN t.oid IS NOT NULL THEN format('enum %s ', t.typname)"
	        " WHEN p.oid IS NOT NULL THEN format('function %s(%s) ', p.proname,"
	        " pg_get_function_identity_arguments(p.oid)) END AS head"
	        " FROM pg_depend AS d"
	        " LEFT JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND c.oid = "
	        "d.refobjid"
	        " LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = "
	        "d.refobjsubid AND d.refobjsubid > 0"
	        " LEFT JOIN pg_type AS t ON d.refclassid = 'pg_type'::regclass AND t.oid = "
	        "d.refobjid"
	        " LEFT JOIN pg_proc AS p ON d.refclassid = 'pg_proc'::regclass AND p.oid = "
	        "d.refobjid"
	        " WHERE d.classid = 'pg_proc'::regclass AND d.objid = 'pg_temp.qgen'::regproc"
	        " AND coalesce(c.relnamespace, t.typnamespace, p.pronamespace) = "
	        "to_regnamespace(current_schema()::text)",
	        NULL);
	for (int i = 0; i < PQntuples(heads); i++) {
		Str head = value_at(run, heads, i, 0);

		facts_add(asking, head);
		if (str_starts(head, S("column ")))
			facts_add(asking,
			          str_print(run->arena, "table %.*s",
			                    (int)(str_find(head, '.') - 7), head.p + 7));
	}
}

/* False when the rest of the combinations need not be asked. */
static bool
ask_variant(Run *run, Query *query, size_t variant)
{
	Asking asking = { .run = run,
		          .query = query,
		          .said = query->said,
		          .text = qgen_text(run, query, variant) };
	int faults = run->faults;
	RESULT prepared =
	    PQprepare(run->conn, "qgen", str_text(run->arena, asking.text.sql), 0, NULL);

	if (!succeeded(prepared)) {
		server_fault(&asking, prepared);
		return false;
	}
	RESULT described = PQdescribePrepared(run->conn, "qgen");
	asking.described = described;
	own_done(run, "BEGIN");
	ask_params(&asking);
	RESULT explained = plan_ask(&asking);
	if (explained != NULL) {
		ask_columns(&asking, explained);
		ask_facts(&asking);
	}
	own_done(run, "ROLLBACK");
	own_done(run, "DEALLOCATE qgen");
	query->said->variants++;
	return faults == run->faults;
}

void
qgen_ask(Run *run, Query *query)
{
	size_t variants = qgen_variants(run, query);
	Said *said = arena_new(run->arena, Said, 1);
	bool more = true;

	query->said = said;
	said->sha256 = qgen_digest(run, query);
	for (size_t i = 0; more && i < variants; i++)
		more = ask_variant(run, query, i);
	for (size_t i = 0; i < query->n_rules; i++) {
		const Rule *rule = &query->rules[i];
		Str head = str_print(run->arena, "%.*s %.*s on ", STR_ARG(rule->what),
		                     STR_ARG(rule->name));

		for (size_t k = 0; k < run->n_schema; k++)
			if (str_starts(run->schema[k], head))
				*GROW(run->arena, said->facts, said->n_facts) = run->schema[k];
	}
	if (said->n_facts > 0)
		qsort(said->facts, said->n_facts, sizeof *said->facts, qgen_compare);
}
