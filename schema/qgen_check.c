#include "schema/qgen.h"

static bool
said_has(const Said *said, Str name)
{
	for (size_t i = 0; i < said->n_columns; i++)
		if (str_eq(said->columns[i].name, name))
			return true;
	return false;
}

/* A query and its member that a column has to land in. */
typedef struct Landing {
	const Query *query;
} Landing;

static void
leaf_check(Run *run, Str path, const Field *field, void *to)
{
	const Query *query = ((const Landing *)to)->query;

	(void)field;
	if (!said_has(query->said, path))
		qgen_fault(run, query->source, query->at, "no column lands in %.*s.%.*s",
		           STR_ARG(query->gives), STR_ARG(path));
}

/* Labels of a database's enum and names of a field's, in the same order. */
static void
labels_check(Run *run, const Query *query, size_t at, Str type, const Field *field)
{
	const Said *said = query->said;
	Str labels = STR_NONE, label;
	size_t n = 0;
	bool same = field->names != NULL;

	for (size_t i = 0; i < said->n_facts; i++)
		if (str_starts(said->facts[i], type) &&
		    str_starts(str_sub(said->facts[i], type.n, type.n + 1), S(" ")))
			labels = str_sub(said->facts[i], type.n + 1, said->facts[i].n);
	for (Str rest = labels; same && str_next(&rest, ' ', &label); n++)
		same = field->names[n] != NULL && str_eq(label, str_of(field->names[n]));
	if (!same || field->names[n] != NULL)
		qgen_fault(run, query->source, at,
		           "%.*s has the labels %.*s, and the names of \"%s\" differ",
		           STR_ARG(type), STR_ARG(labels), field->name);
}

static void
type_check(Run *run, const Query *query, size_t at, Str what, Str type, Member member)
{
	const char *db_type;

	if (member.given ? !str_eq(type, S("bool"))
	                 : !qgen_type_fits(type, member.kind, &db_type))
		qgen_fault(run, query->source, at, "%.*s is %.*s, which %s does not hold",
		           STR_ARG(what), STR_ARG(type),
		           member.given ? "a flag" : qgen_kind_text(member.kind));
	else if (member.kind == KIND_ENUM && !member.given)
		labels_check(run, query, at, type, member.field);
}

/* Where a name first stands in the statement, so that its line can be told. */
static size_t
param_at(const Query *query, Str name)
{
	for (size_t i = 0; i < query->n_pieces; i++)
		if (query->pieces[i].kind == PIECE_PARAM && str_eq(query->pieces[i].text, name))
			return query->pieces[i].at;
	return query->body;
}

/*
 * The same of a result column: its alias, else its name: the first in a SELECT, the last where
 * columns stand before their RETURNING; the statement's begin when it is not there at all.
 */
static size_t
column_at(Run *run, const Query *query, Str name)
{
	Str marked = str_print(run->arena, "\"%.*s", STR_ARG(name)), before = STR_NONE;
	bool selects = query->n_pieces > 0 && str_eq_nocase(query->pieces[0].text, S("select"));
	size_t found = query->body;

	for (size_t i = 0; i < query->n_pieces; i++) {
		const Piece *piece = &query->pieces[i];

		if (piece->kind != PIECE_TEXT || str_eq(piece->text, S(" ")))
			continue;
		if ((str_starts(piece->text, marked) && piece->text.n <= marked.n + 2) ||
		    (str_eq(piece->text, name) && str_eq_nocase(before, S("as"))))
			return piece->at;
		if (str_eq(piece->text, name) && !(selects && found != query->body))
			found = piece->at;
		before = piece->text;
	}
	return found;
}

void
qgen_names(Run *run, const Query *query)
{
	for (size_t i = 0; i < query->n_params; i++) {
		Str name = query->params[i];
		Member member = qgen_param(run, query, name);

		if (!member.found)
			qgen_fault(run, query->source, param_at(query, name),
			           "nothing is named \":%.*s\" here", STR_ARG(name));
		else if (!member.given &&
		         (member.kind == KIND_MODEL || member.kind == KIND_LIST))
			qgen_fault(run, query->source, param_at(query, name),
			           ":%.*s is a %s; name a member of it", STR_ARG(name),
			           member.kind == KIND_MODEL ? "model" : "list");
	}
}

static void
params_check(Run *run, const Query *query)
{
	const Said *said = query->said;

	for (size_t i = 0; i < said->n_params; i++)
		type_check(run, query, param_at(query, said->params[i].name),
		           str_print(run->arena, ":%.*s", STR_ARG(said->params[i].name)),
		           said->params[i].type, qgen_param(run, query, said->params[i].name));
	for (size_t i = 0; i < query->n_args; i++) {
		bool used = false;

		for (size_t k = 0; k < query->n_params + query->n_choices; k++) {
			Str name = k < query->n_params
			               ? query->params[k]
			               : query->choices[k - query->n_params].name;

			if (str_ends(name, S(".given")))
				name = str_sub(name, 0, name.n - 6);
			used = used || str_eq(name, query->args[i].name);
		}
		if (!used)
			qgen_fault(run, query->source, query->at,
			           "the parameter %.*s is not used",
			           STR_ARG(query->args[i].name));
	}
}

static void
column_check(Run *run, const Query *query, size_t i)
{
	const ColumnSaid *column = &query->said->columns[i];
	size_t at = column_at(run, query, column->name);
	Member member = qgen_column(run, query, column->name);

	for (size_t k = 0; k < i; k++)
		if (str_eq(query->said->columns[k].name, column->name))
			qgen_fault(run, query->source, at, "two columns are named %.*s",
			           STR_ARG(column->name));
	if (!member.found) {
		qgen_fault(run, query->source, at, "%.*s has no member \"%.*s\" for a column",
		           STR_ARG(query->gives), STR_ARG(column->name));
		return;
	}
	type_check(run, query, at, column->name, column->type, member);
	if (column->nullable && !member.optional)
		qgen_fault(run, query->source, at,
		           "a NULL unaccounted for: %.*s may be NULL (%.*s), and what it lands "
		           "in cannot; use an Opt member, or mark it \"%.*s!\"",
		           STR_ARG(column->name), STR_ARG(column->why), STR_ARG(column->name));
}

static void
promise_check(Run *run, const Query *query)
{
	size_t n = query->said->n_columns;
	bool gives = query->gives_model != NULL || query->gives_type != NULL;

	if (query->promise == PROMISE_EXEC) {
		if (n > 0 && !(n == 1 && str_eq(query->said->columns[0].type, S("void"))))
			qgen_fault(run, query->source, query->at,
			           "%.*s promises :exec and gives columns",
			           STR_ARG(query->name));
	} else if (n == 0) {
		qgen_fault(run, query->source, query->at,
		           "%.*s promises rows and gives no column", STR_ARG(query->name));
	} else if (!gives) {
		qgen_fault(run, query->source, query->at, "%.*s does not say what it gives",
		           STR_ARG(query->name));
	} else if (query->gives_type != NULL && n != 1) {
		qgen_fault(run, query->source, query->at, "%.*s gives %zu columns, not one",
		           STR_ARG(query->name), n);
	}
}

/*
 * The constraint is there, of this kind, on a table that the statement touches (foreign keys:
 * on any).
 */
static void
rule_check(Run *run, const Query *query, const Rule *rule)
{
	const Said *said = query->said;
	Str head =
	    str_print(run->arena, "%.*s %.*s on ", STR_ARG(rule->what), STR_ARG(rule->name));

	for (size_t i = 0; i < said->n_facts; i++) {
		Str table;

		if (!str_starts(said->facts[i], head))
			continue;
		table = str_print(run->arena, "table %.*s",
		                  STR_ARG(str_sub(said->facts[i], head.n, said->facts[i].n)));
		if (str_eq(rule->what, S("foreign")) ||
		    qgen_has(said->facts, said->n_facts, table))
			return;
		qgen_fault(run, query->source, rule->at,
		           "the statement does not touch the %.*s of %.*s", STR_ARG(table),
		           STR_ARG(rule->name));
		return;
	}
	qgen_fault(run, query->source, rule->at, "the database has no %.*s constraint %.*s",
	           STR_ARG(rule->what), STR_ARG(rule->name));
}

void
qgen_check(Run *run, const Query *query)
{
	Landing landing = { query };

	promise_check(run, query);
	params_check(run, query);
	for (size_t i = 0; i < query->n_rules; i++)
		rule_check(run, query, &query->rules[i]);
	if (query->promise == PROMISE_EXEC || query->said->n_columns == 0 ||
	    (query->gives_model == NULL && query->gives_type == NULL))
		return;
	for (size_t i = 0; i < query->said->n_columns; i++)
		column_check(run, query, i);
	if (query->gives_model != NULL)
		qgen_leaves(run, query->gives_model, S(""), leaf_check, &landing);
}
