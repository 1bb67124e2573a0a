#include "schema/qgen.h"

#include <string.h>

enum { VARIANTS_MAX = 4096 };

/* A statement while it is cut into pieces. */
typedef struct Cut {
	Run *run;
	Query *query;
	Str text;        /* of the source, up to where this part ends */
	size_t open[16]; /* where the fragments that are open began */
	size_t depth;
	bool broken;
} Cut;

static void
piece_add(Cut *cut, PieceKind kind, Str text, size_t choice, size_t at)
{
	Query *query = cut->query;

	*GROW(cut->run->arena, query->pieces, query->n_pieces) =
	    (Piece){ kind, text, choice, at };
}

/* The choice of this name, made when it is new. */
static size_t
choice_of(Cut *cut, Str name, bool fragment, size_t at)
{
	Query *query = cut->query;

	for (size_t i = 0; i < query->n_choices; i++)
		if (query->choices[i].fragment == fragment &&
		    str_eq(query->choices[i].name, name))
			return i;
	*GROW(cut->run->arena, query->choices, query->n_choices) =
	    (Choice){ name, fragment, at };
	return query->n_choices - 1;
}

static void
param_add(Cut *cut, SqlToken token)
{
	Query *query = cut->query;
	Str name = str_sub(token.text, 1, token.text.n);
	size_t i = 0;

	while (i < query->n_params && !str_eq(query->params[i], name))
		i++;
	if (i == query->n_params)
		*GROW(cut->run->arena, query->params, query->n_params) = name;
	piece_add(cut, PIECE_PARAM, name, i, token.at);
}

static void
fragment_open(Cut *cut, Str name, size_t at)
{
	if (cut->depth == COUNT(cut->open)) {
		qgen_fault(cut->run, cut->query->source, at, "fragments are nested too deeply");
		cut->broken = true;
		return;
	}
	cut->open[cut->depth++] = at;
	piece_add(cut, PIECE_IF, name, choice_of(cut, name, true, at), at);
}

static void
fragment_close(Cut *cut, size_t at)
{
	if (cut->depth == 0) {
		qgen_fault(cut->run, cut->query->source, at,
		           "a fragment ends that did not begin");
		cut->broken = true;
		return;
	}
	cut->depth--;
	piece_add(cut, PIECE_CLOSE, STR_NONE, 0, at);
}

/* The entry's name, up to its colon; at becomes the byte behind it. */
static Str
entry_name(Cut *cut, size_t *at)
{
	size_t from = *at;
	SqlToken token = sql_token(cut->text, from);

	if (token.kind == SQL_SPACE)
		from += token.text.n;
	*at = from;
	while ((token = sql_token(cut->text, *at)).kind == SQL_WORD ||
	       str_eq(token.text, S("-")))
		*at += token.text.n;
	if (*at == from || !str_eq(token.text, S(":"))) {
		qgen_fault(cut->run, cut->query->source, from,
		           "an entry of a list begins with its name, a colon and a space");
		cut->broken = true;
		return STR_NONE;
	}
	return str_sub(cut->text, from, (*at)++);
}

static size_t piece_token(Cut *cut, SqlToken token);

/* sort name: ORDER BY name, id | price: … , inside its comment. */
static void
list_read(Cut *cut, SqlToken block)
{
	Cut in = *cut;
	size_t at = block.at + 3;
	SqlToken token;

	in.text = str_sub(cut->text, 0, block.at + block.text.n - 2);
	token = sql_token(in.text, at);
	if (token.kind == SQL_SPACE)
		token = sql_token(in.text, at += token.text.n);
	if (token.kind != SQL_WORD) {
		qgen_fault(cut->run, cut->query->source, block.at,
		           "a marked list begins with a member's name");
		cut->broken = true;
		return;
	}
	piece_add(&in, PIECE_LIST, token.text, choice_of(&in, token.text, false, block.at),
	          block.at);
	at += token.text.n;
	do {
		Str name = entry_name(&in, &at);

		piece_add(&in, PIECE_ENTRY, name, 0, at);
		while (!in.broken && (token = sql_token(in.text, at)).kind != SQL_END &&
		       token.kind != SQL_BAR)
			at = piece_token(&in, token);
		at = token.at + token.text.n;
	} while (!in.broken && token.kind == SQL_BAR);
	piece_add(&in, PIECE_CLOSE, STR_NONE, 0, block.at);
	cut->broken = in.broken;
}

/* A comment: a marker of ours, or nothing. */
static void
block_read(Cut *cut, SqlToken token)
{
	Str inside = str_sub(token.text, 3, token.text.n - 2);
	Str name = str_trim(inside);

	if (str_starts(token.text, S("/*?"))) {
		if (name.n == 0)
			fragment_close(cut, token.at);
		else
			fragment_open(cut, name, token.at);
	} else if (str_starts(token.text, S("/*!"))) {
		list_read(cut, token);
	}
}

/* One token of a statement; returns the byte behind it. */
static size_t
piece_token(Cut *cut, SqlToken token)
{
	switch (token.kind) {
	case SQL_PARAM:
		param_add(cut, token);
		break;
	case SQL_BLOCK:
		block_read(cut, token);
		break;
	case SQL_LINE:
	case SQL_SPACE:
		piece_add(cut, PIECE_TEXT, S(" "), 0, token.at);
		break;
	case SQL_NUMBERED:
		qgen_fault(cut->run, cut->query->source, token.at,
		           "parameters have names here: :name, not %.*s", STR_ARG(token.text));
		cut->broken = true;
		break;
	case SQL_BROKEN:
		qgen_fault(cut->run, cut->query->source, token.at,
		           "a quote or comment begins that never ends");
		cut->broken = true;
		break;
	case SQL_WORD:
	case SQL_QUOTED:
	case SQL_BAR:
	case SQL_OTHER:
	case SQL_SEMICOLON:
	case SQL_END:
		piece_add(cut, PIECE_TEXT, token.text, 0, token.at);
		break;
	}
	return token.at + token.text.n;
}

bool
qgen_template(Run *run, Query *query)
{
	Cut cut = { .run = run, .query = query, .text = query->source->text };
	size_t at = query->body;
	SqlToken token;

	while ((token = sql_token(cut.text, at)).kind != SQL_SEMICOLON) {
		if (token.kind == SQL_END) {
			qgen_fault(run, query->source, query->body,
			           "the statement of %.*s has no end (;)",
			           STR_ARG(query->name));
			return false;
		}
		at = piece_token(&cut, token);
		if (cut.broken)
			return false;
	}
	query->end = at + 1;
	if (cut.depth > 0)
		qgen_fault(run, query->source, cut.open[cut.depth - 1],
		           "a fragment begins that never ends (/*?*/)");
	return true;
}

static size_t
names_count(const Field *field)
{
	size_t n = 0;

	while (field != NULL && field->names != NULL && field->names[n] != NULL)
		n++;
	return n;
}

size_t
qgen_choice_count(Run *run, const Query *query, const Choice *choice)
{
	return choice->fragment ? 2 : names_count(qgen_param(run, query, choice->name).field);
}

/* How many times the list at piece i has this entry. */
static size_t
entries_named(const Query *query, size_t i, Str name)
{
	size_t n = 0;

	for (i++; query->pieces[i].kind != PIECE_CLOSE; i++)
		n +=
		    query->pieces[i].kind == PIECE_ENTRY && str_eq(query->pieces[i].text, name);
	return n;
}

/* The list at piece i has each name of its enum once, and no other. */
static void
list_check(Run *run, const Query *query, size_t i, const Field *field)
{
	const Piece *list = &query->pieces[i];

	for (size_t n = 0; n < names_count(field); n++)
		if (entries_named(query, i, str_of(field->names[n])) != 1)
			qgen_fault(run, query->source, list->at,
			           "the list of %.*s wants one entry \"%s\"",
			           STR_ARG(list->text), field->names[n]);
	for (i++; query->pieces[i].kind != PIECE_CLOSE; i++) {
		bool known = query->pieces[i].kind != PIECE_ENTRY;

		for (size_t n = 0; n < names_count(field); n++)
			known = known || str_eq(query->pieces[i].text, str_of(field->names[n]));
		if (!known)
			qgen_fault(run, query->source, query->pieces[i].at,
			           "%.*s is never \"%.*s\"", STR_ARG(list->text),
			           STR_ARG(query->pieces[i].text));
	}
}

static bool
fragment_named(const Query *query, Str name)
{
	for (size_t i = 0; i < query->n_choices; i++)
		if (query->choices[i].fragment && str_eq(query->choices[i].name, name))
			return true;
	return false;
}

void
qgen_choices(Run *run, const Query *query)
{
	size_t variants = 1;

	for (size_t i = 0; i < query->n_choices; i++) {
		const Choice *choice = &query->choices[i];
		Member member = qgen_param(run, query, choice->name);

		if (!member.found)
			qgen_fault(run, query->source, choice->at,
			           "nothing is named \"%.*s\" here", STR_ARG(choice->name));
		else if (choice->fragment &&
		         (!member.optional || member.given || member.outer != NULL))
			qgen_fault(run, query->source, choice->at,
			           "a fragment hangs on something optional; %.*s is not",
			           STR_ARG(choice->name));
		else if (!choice->fragment &&
		         (member.kind != KIND_ENUM || member.optional || member.outer != NULL))
			qgen_fault(run, query->source, choice->at,
			           "a list hangs on an enum; %.*s is none",
			           STR_ARG(choice->name));
		else if (__builtin_mul_overflow(variants, qgen_choice_count(run, query, choice),
		                                &variants) ||
		         variants > VARIANTS_MAX)
			qgen_fault(run, query->source, choice->at,
			           "more than %d statements would be made of %.*s",
			           VARIANTS_MAX, STR_ARG(query->name));
	}
	for (size_t i = 0; i < query->n_anew; i++)
		if (!fragment_named(query, query->anew[i]))
			qgen_fault(run, query->source, query->at, "no fragment hangs on %.*s",
			           STR_ARG(query->anew[i]));
	for (size_t i = 0; i < query->n_pieces; i++)
		if (query->pieces[i].kind == PIECE_LIST)
			list_check(run, query, i,
			           qgen_param(run, query, query->pieces[i].text).field);
}

size_t
qgen_variants(Run *run, const Query *query)
{
	size_t n = 1;

	for (size_t i = 0; i < query->n_choices; i++)
		n *= qgen_choice_count(run, query, &query->choices[i]);
	return n;
}

bool
qgen_anew(Run *run, const Query *query, size_t variant)
{
	for (size_t i = 0; i < query->n_choices; i++) {
		const Choice *choice = &query->choices[i];
		size_t count = qgen_choice_count(run, query, choice);

		for (size_t k = 0;
		     choice->fragment && variant % count == 1 && k < query->n_anew; k++)
			if (str_eq(choice->name, query->anew[k]))
				return true;
		variant /= count;
	}
	return false;
}

/* A statement while it is put together. */
typedef struct Writer {
	Buf sql;
	size_t *at;
	size_t room;
} Writer;

static void
writer_put(Writer *writer, Str text, size_t at, bool steps)
{
	Arena *arena = writer->sql.arena;
	Buf *sql = &writer->sql;

	if (str_eq(text, S(" ")) && (sql->n == 0 || sql->p[sql->n - 1] == ' '))
		return;
	if (sql->n + text.n > writer->room) {
		size_t *old = writer->at;

		writer->room = MAX((size_t)1024, 2 * (sql->n + text.n));
		writer->at = arena_new(arena, size_t, writer->room);
		if (sql->n > 0)
			memcpy(writer->at, old, sql->n * sizeof *old);
	}
	for (size_t i = 0; i < text.n; i++)
		writer->at[sql->n + i] = at + (steps ? i : 0);
	buf_put(sql, text);
}

static void
writer_param(Writer *writer, Text *text, const Piece *piece)
{
	uint16_t i = 0;

	while (i < text->n_params && text->params[i] != piece->choice)
		i++;
	if (i == text->n_params)
		text->params[text->n_params++] = (uint16_t)piece->choice;
	writer_put(writer, str_print(writer->sql.arena, "$%d", i + 1), piece->at, false);
}

/* The name of the entry that a list's choice takes in this variant. */
static Str
chosen_name(Run *run, const Query *query, const Piece *list, const size_t *values)
{
	const Field *field = qgen_param(run, query, list->text).field;

	return str_of(field->names[values[list->choice]]);
}

Text
qgen_text(Run *run, const Query *query, size_t variant)
{
	Writer writer = { .sql = { .arena = run->arena } };
	Text text = { .params = arena_new(run->arena, uint16_t, query->n_params + 1) };
	size_t *values = arena_new(run->arena, size_t, query->n_choices + 1);
	bool shown[32] = { true }; /* by depth: fragments nest, lists do not */
	Str chosen[32] = { STR_NONE };
	size_t depth = 0;

	for (size_t i = 0; i < query->n_choices; i++) {
		size_t count = qgen_choice_count(run, query, &query->choices[i]);

		CHECK(count > 0); /* qgen_choices() has refused the others */
		values[i] = variant % count;
		variant /= count;
	}
	for (size_t i = 0; i < query->n_pieces; i++) {
		const Piece *piece = &query->pieces[i];

		switch (piece->kind) {
		case PIECE_IF:
			shown[depth + 1] = shown[depth] && values[piece->choice] == 1;
			depth++;
			break;
		case PIECE_LIST:
			chosen[++depth] = chosen_name(run, query, piece, values);
			shown[depth] = false;
			break;
		case PIECE_ENTRY:
			CHECK(depth > 0); /* it is of a list */
			shown[depth] = shown[depth - 1] && str_eq(piece->text, chosen[depth]);
			break;
		case PIECE_CLOSE:
			depth--;
			break;
		case PIECE_PARAM:
			if (shown[depth])
				writer_param(&writer, &text, piece);
			break;
		case PIECE_TEXT:
			if (shown[depth])
				writer_put(&writer, piece->text, piece->at, true);
			break;
		}
	}
	text.sql = str_trim(buf_str(&writer.sql));
	text.at = writer.at;
	return text;
}
