#include "schema/qgen.h"

#include <stdlib.h>
#include <string.h>

/*
 * Code while it is written; lists of enum names are written once each, where they are first
 * met.
 */
typedef struct Emit {
	Run *run;
	Buf out;
	const char *const **names;
	size_t n_names;
} Emit;

static const char made[] =
    "/* Made by qgen from schema/queries and schema/queries.lock; not edited by hand. */\n";

/* A C string literal, broken where it would be long. */
static void
put_literal(Buf *out, Str text, const char *indent)
{
	size_t column = 0;

	buf_byte(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (column >= 80 && c == ' ') {
			buf_print(out, "\"\n%s\"", indent);
			column = 0;
		}
		if (c == '"' || c == '\\')
			buf_print(out, "\\%c", c);
		else if ((unsigned char)c < 0x20 || (unsigned char)c >= 0x7F || c == '?')
			buf_print(out, "\\%03o", (unsigned char)c);
		else
			buf_byte(out, c);
		column++;
	}
	buf_byte(out, '"');
}

/* --- the wrapper's declaration */

static const char *
gives_text(Run *run, const Query *query)
{
	if (query->gives_type != NULL)
		return query->gives_opt ? query->gives_type->opt : query->gives_type->plain;
	return arena_print(run->arena, "%.*s", STR_ARG(query->gives));
}

static void
put_arguments(Buf *out, Run *run, const Query *query, bool queue)
{
	buf_puts(out, "Ctx *ctx");
	for (size_t i = 0; i < query->n_args; i++) {
		const Arg *arg = &query->args[i];

		buf_print(out, ", %s %.*s", arg->optional ? arg->type->opt : arg->type->plain,
		          STR_ARG(arg->name));
	}
	if (query->takes_model != NULL)
		buf_print(out, ", const %.*s *in", STR_ARG(query->takes));
	if (queue)
		return;
	switch (query->promise) {
	case PROMISE_ONE:
		buf_print(out, ", %s *out", gives_text(run, query));
		break;
	case PROMISE_MAYBE:
		buf_print(out, ", %s *out, bool *found", gives_text(run, query));
		break;
	case PROMISE_MANY:
		buf_puts(out, ", List *out");
		break;
	case PROMISE_EACH:
		buf_print(
		    out,
		    ", const Problem *(*each)(Ctx *ctx, const %s *row, void *to), void *to",
		    gives_text(run, query));
		break;
	case PROMISE_EXEC:
		buf_puts(out, query->gives_rows ? ", int64_t *rows" : "");
		break;
	}
}

static void
put_about(Buf *out, const Query *query)
{
	Str rest = query->about, line;
	bool first = true;

	buf_print(out, "/* %.*s:%d", STR_ARG(query->source->base),
	          sql_line(query->source->text, query->at));
	while (str_next(&rest, '\n', &line)) {
		buf_print(out, "%s%.*s", first ? ": " : "\n   ", STR_ARG(line));
		first = false;
	}
	if (query->promise == PROMISE_MANY)
		buf_print(out, "%sout: of %.*s", first ? ": " : "\n   ", STR_ARG(query->gives));
	buf_puts(out, " */\n");
}

static bool
queues(const Query *query)
{
	return query->promise == PROMISE_EXEC && !query->gives_rows;
}

Str
qgen_header(Run *run, const char *const *includes, size_t n_includes)
{
	Buf out = { .arena = run->arena };

	buf_print(&out, "#pragma once\n\n%s\n#include \"common/db.h\"\n", made);
	for (size_t i = 0; i < n_includes; i++)
		buf_print(&out, "#include \"%s\"\n", includes[i]);
	buf_puts(&out, "\n/* The newest migration that the queries were checked against, and "
	               "what they need of the schema. */\n"
	               "extern const int64_t queries_migration;\n"
	               "extern const char *const queries_facts[];\n"
	               "extern const size_t queries_fact_count;\n"
	               "\n/* All of them, for tests. */\n"
	               "extern const DbQuery *const queries_all[];\n"
	               "extern const size_t queries_count;\n");
	for (size_t i = 0; i < run->n; i++) {
		const Query *query = &run->queries[i];

		buf_byte(&out, '\n');
		put_about(&out, query);
		buf_print(&out, "const Problem *q_%.*s(", STR_ARG(query->name));
		put_arguments(&out, run, query, false);
		buf_puts(&out, ") MUST_USE;\n");
		if (!queues(query))
			continue;
		buf_print(&out,
		          "\n/* The same, sent with the next statement: see db_queue(). "
		          "*/\nconst Problem *q_%.*s_queue(",
		          STR_ARG(query->name));
		put_arguments(&out, run, query, true);
		buf_puts(&out, ") MUST_USE;\n");
	}
	return buf_str(&out);
}

/* --- the descriptors */

/* The array that has these names. */
static const char *
names_text(Emit *emit, const Field *field)
{
	size_t i = 0;

	if (field == NULL || field->names == NULL)
		return "NULL";
	while (i < emit->n_names && emit->names[i] != field->names)
		i++;
	return arena_print(emit->run->arena, "names_%zu", i);
}

static void
names_see(Emit *emit, const Field *field)
{
	Buf *out = &emit->out;

	if (field == NULL || field->names == NULL)
		return;
	for (size_t i = 0; i < emit->n_names; i++)
		if (emit->names[i] == field->names)
			return;
	buf_print(out, "static const char *const names_%zu[] = { ", emit->n_names);
	for (const char *const *name = field->names; *name != NULL; name++)
		buf_print(out, "\"%s\", ", *name);
	buf_puts(out, "NULL };\n");
	*GROW(emit->run->arena, emit->names, emit->n_names) = field->names;
}

/* Have the compiler see that the struct's member still is what the lock was checked with. */
static void
put_assert(Buf *out, const Query *query, Member member)
{
	if (member.type == NULL || member.path == NULL || member.kind == KIND_MODEL)
		return;
	buf_print(out, "MEMBER_IS(%s, %s, %s, %s, \"%.*s\");\n", member.type, member.path,
	          qgen_kind_text(member.kind), member.optional ? "true" : "false",
	          STR_ARG(query->name));
}

static const char *
offset_text(Emit *emit, const char *type, const char *path)
{
	return type == NULL ? "0"
	                    : arena_print(emit->run->arena, "offsetof(%s, %s)", type, path);
}

static const ParamSaid *
param_said(const Query *query, Str name)
{
	for (size_t i = 0; i < query->said->n_params; i++)
		if (str_eq(query->said->params[i].name, name))
			return &query->said->params[i];
	return NULL;
}

/* Names and assertions of a query, before its tables. */
static void
put_before(Emit *emit, const Query *query)
{
	for (size_t i = 0; i < query->n_params; i++) {
		Member member = qgen_param(emit->run, query, query->params[i]);

		names_see(emit, member.field);
		put_assert(&emit->out, query, member);
	}
	for (size_t i = 0; query->promise != PROMISE_EXEC && i < query->said->n_columns; i++) {
		Member member = qgen_column(emit->run, query, query->said->columns[i].name);

		names_see(emit, member.field);
		put_assert(&emit->out, query, member);
	}
}

static void
put_params(Emit *emit, const Query *query)
{
	Buf *out = &emit->out;

	if (query->n_params == 0)
		return;
	buf_print(out, "static const DbParam %.*s_params[] = {\n", STR_ARG(query->name));
	for (size_t i = 0; i < query->n_params; i++) {
		Member member = qgen_param(emit->run, query, query->params[i]);
		const ParamSaid *said = param_said(query, query->params[i]);
		const char *db_type = "DB_BOOL";

		if (!member.given && said != NULL)
			(void)qgen_type_fits(said->type, member.kind, &db_type);
		buf_print(
		    out,
		    "\t{ .arg = %zu, .offset = %s, .kind = %s, .optional = %s, .given = %s",
		    member.arg, offset_text(emit, member.type, member.path),
		    qgen_kind_text(member.kind), member.optional ? "true" : "false",
		    member.given ? "true" : "false");
		if (member.outer != NULL)
			buf_print(out, ", .inside = true, .outer = offsetof(%s, %s)",
			          member.type, member.outer);
		buf_print(out, ", .type = %s, .names = %s }, /* %.*s */\n", db_type,
		          names_text(emit, member.field), STR_ARG(query->params[i]));
	}
	buf_puts(out, "};\n");
}

static void
put_columns(Emit *emit, const Query *query)
{
	Buf *out = &emit->out;

	if (query->promise == PROMISE_EXEC)
		return;
	buf_print(out, "static const DbColumn %.*s_columns[] = {\n", STR_ARG(query->name));
	for (size_t i = 0; i < query->said->n_columns; i++) {
		const ColumnSaid *column = &query->said->columns[i];
		Member member = qgen_column(emit->run, query, column->name);
		const char *db_type = "DB_TEXT";

		(void)qgen_type_fits(column->type, member.kind, &db_type);
		buf_print(out,
		          "\t{ .offset = %s, .kind = %s, .optional = %s, .type = %s, .names = "
		          "%s, .name = \"%.*s\" },\n",
		          offset_text(emit, member.type, member.path),
		          qgen_kind_text(member.kind), member.optional ? "true" : "false",
		          db_type, names_text(emit, member.field), STR_ARG(column->name));
	}
	buf_puts(out, "};\n");
}

static const char *
field_code_text(FieldCode code)
{
	static const char *const names[] = {
#define MESSAGE(name, code, english, thai) "F_" #name,
#include "common/messages.def"
#undef MESSAGE
	};

	return names[code];
}

static void
put_rules(Emit *emit, const Query *query)
{
	Buf *out = &emit->out;

	if (query->n_rules == 0)
		return;
	buf_print(out, "static const DbConstraint %.*s_constraints[] = {\n",
	          STR_ARG(query->name));
	for (size_t i = 0; i < query->n_rules; i++) {
		const Rule *rule = &query->rules[i];

		buf_print(out, "\t{ .name = \"%.*s\", .code = P_%s", STR_ARG(rule->name),
		          problem_rows[rule->code].code);
		if (rule->pointer.n > 0) {
			buf_puts(out, ", .pointer = ");
			put_literal(out, rule->pointer, "\t");
			buf_print(out, ", .field = %s", field_code_text(rule->field));
		}
		buf_puts(out, " },\n");
	}
	buf_puts(out, "};\n");
}

static void
put_choices(Emit *emit, const Query *query)
{
	Buf *out = &emit->out;

	if (query->n_choices == 0)
		return;
	buf_print(out, "static const DbChoice %.*s_choices[] = {\n", STR_ARG(query->name));
	for (size_t i = 0; i < query->n_choices; i++) {
		Member member = qgen_param(emit->run, query, query->choices[i].name);

		buf_print(out,
		          "\t{ .arg = %zu, .offset = %s, .kind = %s, .count = %zu, .fragment = "
		          "%s }, /* %.*s */\n",
		          member.arg, offset_text(emit, member.type, member.path),
		          qgen_kind_text(member.kind),
		          qgen_choice_count(emit->run, query, &query->choices[i]),
		          query->choices[i].fragment ? "true" : "false",
		          STR_ARG(query->choices[i].name));
	}
	buf_puts(out, "};\n");
}

static void
put_variants(Emit *emit, const Query *query)
{
	Buf *out = &emit->out;
	size_t n = qgen_variants(emit->run, query);

	buf_print(out, "static const DbVariant %.*s_variants[] = {\n", STR_ARG(query->name));
	for (size_t i = 0; i < n; i++) {
		Text text = qgen_text(emit->run, query, i);

		buf_print(out, "\t{ .name = \"%.*s_%zu\", .sql = ", STR_ARG(query->name), i);
		put_literal(out, text.sql, "\t  ");
		if (text.n_params > 0)
			buf_puts(out, ",\n\t  .params = (const uint16_t[]){ ");
		for (uint16_t k = 0; k < text.n_params; k++)
			buf_print(out, "%u, ", text.params[k]);
		buf_print(out, "%s, .n_params = %u%s },\n", text.n_params > 0 ? "}" : "",
		          text.n_params,
		          qgen_anew(emit->run, query, i) ? ", .anew = true" : "");
	}
	buf_puts(out, "};\n");
}

static void
put_part(Buf *out, const Query *query, const char *member, const char *count, bool there)
{
	if (there)
		buf_print(out, "\t.%s = %.*s_%s, .%s = COUNT(%.*s_%s),\n", member,
		          STR_ARG(query->name), member, count, STR_ARG(query->name), member);
}

static void
put_query(Emit *emit, const Query *query)
{
	Buf *out = &emit->out;

	buf_print(out, "static const DbQuery %.*s_query = {\n\t.name = \"%.*s\",\n",
	          STR_ARG(query->name), STR_ARG(query->name));
	put_part(out, query, "params", "n_params", query->n_params > 0);
	put_part(out, query, "columns", "n_columns", query->promise != PROMISE_EXEC);
	put_part(out, query, "constraints", "n_constraints", query->n_rules > 0);
	put_part(out, query, "choices", "n_choices", query->n_choices > 0);
	put_part(out, query, "variants", "n_variants", true);
	if (query->promise != PROMISE_EXEC)
		buf_print(out, "\t.row_size = sizeof(%s),\n", gives_text(emit->run, query));
	buf_puts(out, "};\n\n");
}

/* --- the wrapper's body */

static void
put_args_array(Buf *out, const Query *query)
{
	bool any = query->n_args > 0 || query->takes_model != NULL;

	if (!any)
		return;
	buf_puts(out, "\tconst void *const args[] = { ");
	for (size_t i = 0; i < query->n_args; i++)
		buf_print(out, "&%.*s, ", STR_ARG(query->args[i].name));
	buf_print(out, "%s};\n", query->takes_model != NULL ? "in " : "");
}

static void
put_wrapper(Emit *emit, const Query *query, bool queue)
{
	static const char *const calls[] = { "db_one", "db_maybe", "db_many", "db_each",
		                             "db_exec" };
	Buf *out = &emit->out;
	const char *args = query->n_args > 0 || query->takes_model != NULL ? "args" : "NULL";

	buf_print(out, "const Problem *\nq_%.*s%s(", STR_ARG(query->name),
	          queue ? "_queue" : "");
	put_arguments(out, emit->run, query, queue);
	buf_puts(out, ")\n{\n");
	put_args_array(out, query);
	if (query->promise == PROMISE_EACH)
		buf_print(out, "\tstruct %.*s_each pass = { each, to };\n",
		          STR_ARG(query->name));
	buf_print(out, "%s\treturn %s(ctx, &%.*s_query, %s",
	          strcmp(args, "args") == 0 ? "\n" : "",
	          queue ? "db_queue" : calls[query->promise], STR_ARG(query->name), args);
	if (!queue && query->promise == PROMISE_ONE)
		buf_print(out, ", out, P_%s", problem_rows[query->none].code);
	else if (!queue && query->promise == PROMISE_MAYBE)
		buf_puts(out, ", out, found");
	else if (!queue && query->promise == PROMISE_MANY)
		buf_puts(out, ", out");
	else if (!queue && query->promise == PROMISE_EACH)
		buf_print(out, ", %.*s_row, &pass", STR_ARG(query->name));
	else if (!queue)
		buf_puts(out, query->gives_rows ? ", rows" : ", NULL");
	buf_puts(out, ");\n}\n\n");
}

/* A row goes to a function of its own type through one of the type that db_each() calls. */
static void
put_each(Emit *emit, const Query *query)
{
	Str name = query->name;
	const char *row = gives_text(emit->run, query);

	if (query->promise != PROMISE_EACH)
		return;
	buf_print(&emit->out,
	          "struct %.*s_each {\n\tconst Problem *(*each)(Ctx *ctx, const %s *row, void "
	          "*to);\n\tvoid *to;\n};\n\n",
	          STR_ARG(name), row);
	buf_print(&emit->out,
	          "static const Problem *\n%.*s_row(Ctx *ctx, const void *row, void *to)\n{\n"
	          "\tconst struct %.*s_each *pass = to;\n\n\treturn pass->each(ctx, row, "
	          "pass->to);\n}\n\n",
	          STR_ARG(name), STR_ARG(name));
}

static void
put_facts(Emit *emit)
{
	Run *run = emit->run;
	Buf *out = &emit->out;
	Str *facts = NULL, before = STR_NONE;
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++)
		for (size_t k = 0; k < run->queries[i].said->n_facts; k++)
			*GROW(run->arena, facts, n) = run->queries[i].said->facts[k];
	if (n > 0)
		qsort(facts, n, sizeof *facts, qgen_compare);
	buf_print(out,
	          "const int64_t queries_migration = %lld;\n\nconst char *const "
	          "queries_facts[] = {\n",
	          (long long)run->migration);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(facts[i], before))
			continue;
		buf_byte(out, '\t');
		put_literal(out, facts[i], "\t");
		buf_puts(out, ",\n");
		before = facts[i];
	}
	buf_puts(
	    out,
	    "\tNULL,\n};\n\nconst size_t queries_fact_count = COUNT(queries_facts) - 1;\n\n"
	    "const DbQuery *const queries_all[] = {\n");
	for (size_t i = 0; i < run->n; i++)
		buf_print(out, "\t&%.*s_query,\n", STR_ARG(run->queries[i].name));
	buf_puts(out, "\tNULL,\n};\n\nconst size_t queries_count = COUNT(queries_all) - 1;\n");
}

Str
qgen_code(Run *run, const char *header)
{
	Emit emit = { .run = run, .out = { .arena = run->arena } };

	buf_print(&emit.out, "%s\n#include \"%s\"\n\n", made, header);
	buf_puts(&emit.out, "#define MEMBER_IS(Type, member, wanted, opt, query)               "
	                    "                             \\\n"
	                    "\t_Static_assert(MEMBER_KIND(MEMBER(Type, member)) == (wanted) && "
	                    "                       \\\n"
	                    "\t               MEMBER_OPTIONAL(MEMBER(Type, member)) == (opt),  "
	                    "                       \\\n"
	                    "\t               #Type \".\" #member \" is not what \" query \" "
	                    "was checked with\")\n\n");
	for (size_t i = 0; i < run->n; i++) {
		const Query *query = &run->queries[i];

		put_before(&emit, query);
		put_params(&emit, query);
		put_columns(&emit, query);
		put_rules(&emit, query);
		put_choices(&emit, query);
		put_variants(&emit, query);
		put_query(&emit, query);
		put_each(&emit, query);
		put_wrapper(&emit, query, false);
		if (queues(query))
			put_wrapper(&emit, query, true);
	}
	put_facts(&emit);
	return buf_str(&emit.out);
}
