#include "schema/qgen.h"

/* A name line or constraint line while it is read. */
typedef struct Line {
	Run *run;
	const Source *source;
	Str rest;
	size_t at; /* of the line */
	bool wrong;
} Line;

static bool
name_byte(char c)
{
	return is_letter(c) || is_digit(c) || c == '_';
}

/* The name at the front; none when there is none. */
static Str
line_name(Line *line)
{
	size_t n = 0;
	Str name;

	line->rest = str_trim(line->rest);
	while (n < line->rest.n && name_byte(line->rest.p[n]))
		n++;
	name = str_sub(line->rest, 0, n);
	line->rest = str_trim(str_sub(line->rest, n, line->rest.n));
	return name;
}

static bool
line_take(Line *line, const char *text)
{
	Str want = str_of(text);

	if (!str_starts(line->rest, want))
		return false;
	line->rest = str_trim(str_sub(line->rest, want.n, line->rest.n));
	return true;
}

/* The word, as a whole, at the front. */
static bool
line_word(Line *line, const char *word)
{
	Line ahead = *line;

	if (!str_eq(line_name(&ahead), str_of(word)))
		return false;
	*line = ahead;
	return true;
}

#define WRONG(line, ...)                                                                       \
	((line)->wrong ? (void)0                                                               \
	               : qgen_fault((line)->run, (line)->source, (line)->at, __VA_ARGS__),     \
	 (line)->wrong = true)

/* A type of the name line: `timestamptz?`, `text[]`. */
static void
line_type(Line *line, const ArgType **type, bool *optional)
{
	Str name = line_name(line);

	if (line_take(line, "[]"))
		name = str_print(line->run->arena, "%.*s[]", STR_ARG(name));
	*type = qgen_arg_type(name);
	*optional = line_take(line, "?");
	if (*type == NULL)
		WRONG(line, "no type is named \"%.*s\" here", STR_ARG(name));
	else if (*optional && (*type)->opt == NULL)
		WRONG(line, "%s cannot be optional", (*type)->name);
}

static void
line_args(Line *line, Query *query)
{
	if (!line_take(line, "(") || line_take(line, ")"))
		return;
	do {
		Arg *arg = GROW(line->run->arena, query->args, query->n_args);

		arg->name = line_name(line);
		if (arg->name.n == 0)
			WRONG(line, "a parameter's name is missing");
		if (!line->wrong)
			line_type(line, &arg->type, &arg->optional);
	} while (!line->wrong && line_take(line, ","));
	if (!line->wrong && !line_take(line, ")"))
		WRONG(line, "the parameters end without a closing parenthesis");
}

static void
line_promise(Line *line, Query *query)
{
	static const char *const promises[] = { "one", "maybe", "many", "each", "exec" };
	Str name = line_take(line, ":") ? line_name(line) : STR_NONE;
	size_t i = 0;

	while (i < COUNT(promises) && !str_eq(name, str_of(promises[i])))
		i++;
	if (i == COUNT(promises)) {
		WRONG(line, "a promise is missing: :one, :maybe, :many, :each or :exec");
		return;
	}
	query->promise = (Promise)i;
	query->none = P_internal;
	if (!line_word(line, "else"))
		return;
	name = line_name(line);
	if (query->promise != PROMISE_ONE)
		WRONG(line, "only :one can say what no row means");
	else if (problem_code_of(name) < 0)
		WRONG(line, "no problem is named \"%.*s\"", STR_ARG(name));
	else
		query->none = (ProblemCode)problem_code_of(name);
}

static void
line_gives(Line *line, Query *query)
{
	Line ahead = *line;

	query->gives = line_name(&ahead);
	if (query->promise == PROMISE_EXEC) {
		query->gives_rows = str_eq(query->gives, S("rows"));
		if (!query->gives_rows)
			WRONG(line, ":exec gives nothing, or `rows`: their number");
		*line = ahead;
	} else if (query->gives.n > 0 && query->gives.p[0] >= 'A' && query->gives.p[0] <= 'Z') {
		*line = ahead;
		query->gives_model = qgen_model(line->run, query->gives);
		if (query->gives_model == NULL)
			WRONG(line, "no model is named \"%.*s\"", STR_ARG(query->gives));
	} else {
		line_type(line, &query->gives_type, &query->gives_opt);
	}
}

/* product_insert(id uuid) :one takes ProductNew gives Product */
static void
line_query(Line *line, Query *query)
{
	query->name = line_name(line);
	line_args(line, query);
	if (!line->wrong)
		line_promise(line, query);
	if (!line->wrong && line_word(line, "takes")) {
		query->takes = line_name(line);
		query->takes_model = qgen_model(line->run, query->takes);
		if (query->takes_model == NULL)
			WRONG(line, "no model is named \"%.*s\"", STR_ARG(query->takes));
	}
	if (!line->wrong && line_word(line, "gives"))
		line_gives(line, query);
	if (!line->wrong && line->rest.n > 0)
		WRONG(line, "\"%.*s\" is not understood", STR_ARG(line->rest));
	for (size_t i = 0; !line->wrong && i < line->run->n; i++)
		if (&line->run->queries[i] != query &&
		    str_eq(line->run->queries[i].name, query->name))
			WRONG(line, "another query is named %.*s", STR_ARG(query->name));
}

static int
field_code_of(Str name)
{
	static const char *const names[] = {
#define MESSAGE(name, code, english, thai) #name,
#include "common/messages.def"
#undef MESSAGE
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(name, str_of(names[i])))
			return (int)i;
	return -1;
}

/* unique products_sku_key: sku_taken; check NAME: validation_failed /pointer too_long */
static void
line_rule(Line *line, Query *query)
{
	Rule *rule = GROW(line->run->arena, query->rules, query->n_rules);
	int code;

	rule->at = line->at;
	rule->what = line_name(line);
	rule->name = line_name(line);
	if (!line_take(line, ":")) {
		WRONG(line, "a constraint's name is followed by a colon and its problem");
		return;
	}
	code = problem_code_of(line_name(line));
	if (code < 0) {
		WRONG(line, "no such problem for %.*s", STR_ARG(rule->name));
		return;
	}
	rule->code = (ProblemCode)code;
	if (rule->code == P_validation_failed) {
		size_t n = str_find(line->rest, ' ');
		int field;

		rule->pointer = str_sub(line->rest, 0, n);
		line->rest = str_sub(line->rest, n, line->rest.n);
		field = field_code_of(line_name(line));
		if (!str_starts(rule->pointer, S("/")) || field < 0)
			WRONG(
			    line,
			    "validation_failed wants a pointer and a message: /name too_long");
		rule->field = field < 0 ? F_required : (FieldCode)field;
	}
	if (line->rest.n > 0)
		WRONG(line, "\"%.*s\" is not understood", STR_ARG(line->rest));
}

/* plan anew: tag, q */
static void
line_anew(Line *line, Query *query)
{
	do {
		Str name = line_name(line);

		if (name.n == 0)
			WRONG(line, "a fragment's name is missing");
		*GROW(line->run->arena, query->anew, query->n_anew) = name;
	} while (!line->wrong && line_take(line, ","));
	if (!line->wrong && line->rest.n > 0)
		WRONG(line, "\"%.*s\" is not understood", STR_ARG(line->rest));
}

/* Does a comment's text open a query: name( or name :? */
static bool
opens_query(Str text)
{
	size_t n = 0;

	while (n < text.n && name_byte(text.p[n]))
		n++;
	if (n == 0)
		return false;
	return str_starts(str_sub(text, n, text.n), S("(")) ||
	       str_starts(str_sub(text, n, text.n), S(" :"));
}

/* word name: … */
static bool
looks_like_rule(Run *run, Str text)
{
	Line line = { .run = run, .rest = text };
	Str what = line_name(&line), name = line_name(&line);

	return what.n > 0 && name.n > 0 && str_starts(line.rest, S(":"));
}

static bool
is_rule(Str what)
{
	return str_eq(what, S("unique")) || str_eq(what, S("check")) ||
	       str_eq(what, S("foreign")) || str_eq(what, S("exclude"));
}

/*
 * One comment line above a statement. *query: the one that is open, NULL before its name line.
 */
static void
comment_read(Run *run, const Source *source, SqlToken token, Query **query, Str *about)
{
	Line line = { .run = run, .source = source, .at = token.at };

	line.rest = str_trim(str_sub(token.text, 2, token.text.n));
	if (opens_query(line.rest)) {
		if (*query != NULL)
			qgen_fault(run, source, token.at, "%.*s has no statement",
			           STR_ARG((*query)->name));
		*query = GROW(run->arena, run->queries, run->n);
		(*query)->source = source;
		(*query)->at = token.at;
		(*query)->about = *about;
		*about = STR_NONE;
		line_query(&line, *query);
	} else if (*query != NULL && str_eq(line.rest, S("as owner"))) {
		(*query)->by_owner = true;
	} else if (*query != NULL && line_take(&line, "plan anew:")) {
		line_anew(&line, *query);
	} else if (*query != NULL && looks_like_rule(run, line.rest)) {
		Line ahead = line;
		Str what = line_name(&ahead);

		if (is_rule(what))
			line_rule(&line, *query);
		else
			qgen_fault(run, source, token.at,
			           "\"%.*s\" is no kind of constraint: unique, check, foreign, "
			           "exclude",
			           STR_ARG(what));
	} else if (*query == NULL) {
		*about = about->n == 0 ? line.rest
		                       : str_print(run->arena, "%.*s\n%.*s", STR_ARG(*about),
		                                   STR_ARG(line.rest));
	}
}

void
qgen_read(Run *run, const Source *source)
{
	Query *query = NULL;
	Str about = STR_NONE;
	SqlToken token;

	for (size_t at = 0; (token = sql_token(source->text, at)).kind != SQL_END;
	     at = token.at + token.text.n) {
		if (token.kind == SQL_SPACE) {
			if (query == NULL && sql_line(token.text, token.text.n) > 2)
				about = STR_NONE; /* a paragraph of its own */
		} else if (token.kind == SQL_LINE) {
			comment_read(run, source, token, &query, &about);
		} else if (query == NULL) {
			qgen_fault(run, source, token.at,
			           "a statement without a name line (-- name() :promise …)");
			return;
		} else {
			query->body = token.at;
			if (!qgen_template(run, query))
				return;
			token = sql_token(source->text, query->end - 1);
			query = NULL;
			about = STR_NONE;
		}
	}
	if (query != NULL)
		qgen_fault(run, source, query->at, "%.*s has no statement",
		           STR_ARG(query->name));
}
