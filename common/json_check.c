#include "common/json.h"

#include <stdlib.h>
#include <string.h>

#include "common/encode.h"
#include "common/json_scan.h"
#include "common/number.h"

/* A member's name in an object that is still open. */
typedef struct Key {
	Str text;
	size_t at; /* byte where it stands */
} Key;

/* An object or array that is open. */
typedef struct Nest {
	bool object;
	size_t first_key;
} Nest;

typedef struct Lexer {
	Arena *arena;
	Str text;
	size_t at;
	Nest *nests; /* depth_max of them */
	size_t depth, depth_max;
	size_t members, members_max;
	Key *keys;
	size_t n_keys, room;
	const char *fault; /* NULL while all is well */
} Lexer;

typedef enum State { VALUE, FIRST_VALUE, NAME, FIRST_NAME, AFTER } State;

static bool
fail(Lexer *lexer, const char *fault)
{
	if (lexer->fault == NULL)
		lexer->fault = fault;
	return false;
}

/* The byte where the lexer stands; -1 at the end. */
static int
now(const Lexer *lexer)
{
	return lexer->at < lexer->text.n ? (unsigned char)lexer->text.p[lexer->at] : -1;
}

static void
skip_space(Lexer *lexer)
{
	int c = now(lexer);

	while (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
		lexer->at++;
		c = now(lexer);
	}
}

/* The four hex digits after "\u"; -1 when they are none. */
static int32_t
unit_at(const Lexer *lexer, size_t at)
{
	int32_t unit = 0;

	if (lexer->text.n - at < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = hex_digit(lexer->text.p[at + i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* At "\u". A pair of surrogates is taken at once. */
static bool
unicode_escape(Lexer *lexer)
{
	int32_t unit = unit_at(lexer, lexer->at + 2), low;

	if (unit < 0)
		return fail(lexer, "bad \\u escape");
	if (unit == 0)
		return fail(lexer, "\\u0000");
	if (unit >= 0xD800 && unit <= 0xDFFF) {
		if (unit >= 0xDC00 || lexer->text.n - lexer->at < 12 ||
		    memcmp(lexer->text.p + lexer->at + 6, "\\u", 2) != 0)
			return fail(lexer, "lone surrogate");
		low = unit_at(lexer, lexer->at + 8);
		if (low < 0xDC00 || low > 0xDFFF)
			return fail(lexer, "lone surrogate");
		lexer->at += 6;
	}
	lexer->at += 6;
	return true;
}

/* At a '\'. */
static bool
escape(Lexer *lexer)
{
	if (lexer->text.n - lexer->at < 2)
		return fail(lexer, "string without end");
	switch (lexer->text.p[lexer->at + 1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		lexer->at += 2;
		return true;
	case 'u':
		return unicode_escape(lexer);
	default:
		return fail(lexer, "bad escape");
	}
}

/* At the opening quote. *raw: what is between the quotes. */
static bool
string(Lexer *lexer, Str *raw)
{
	size_t start = ++lexer->at, step;
	int c;

	for (;;) {
		while (lexer->text.n - lexer->at >= 8 && json_plain8(lexer->text.p + lexer->at))
			lexer->at += 8;
		c = now(lexer);
		if (c == '"')
			break;
		if (c < 0)
			return fail(lexer, "string without end");
		if (c < 0x20)
			return fail(lexer, "control character in a string");
		if (c == '\\') {
			if (!escape(lexer))
				return false;
			continue;
		}
		step = str_utf8_step(str_sub(lexer->text, lexer->at, lexer->text.n));
		if (step == 0)
			return fail(lexer, "bad UTF-8");
		lexer->at += step;
	}
	*raw = str_sub(lexer->text, start, lexer->at++);
	return true;
}

static bool
number(Lexer *lexer)
{
	Str rest = str_sub(lexer->text, lexer->at, lexer->text.n);
	bool whole;
	size_t n = number_scan(rest, &whole);

	if (n == 0)
		return fail(lexer, "bad number");
	if (!number_finite(str_sub(rest, 0, n)))
		return fail(lexer, "number too large");
	lexer->at += n;
	return true;
}

static bool
word(Lexer *lexer, Str wanted)
{
	if (!str_starts(str_sub(lexer->text, lexer->at, lexer->text.n), wanted))
		return fail(lexer, "no value");
	lexer->at += wanted.n;
	return true;
}

/*
 * Names and objects are counted together: in json-c an empty object is the dearest of all
 * values.
 */
static bool
count_member(Lexer *lexer)
{
	return ++lexer->members <= lexer->members_max || fail(lexer, "too many members");
}

static bool
nest_open(Lexer *lexer, bool object)
{
	if (lexer->depth == lexer->depth_max)
		return fail(lexer, "nested too deep");
	if (object && !count_member(lexer))
		return false;
	lexer->nests[lexer->depth++] = (Nest){ object, lexer->n_keys };
	lexer->at++;
	return true;
}

static int
key_order(const void *left, const void *right)
{
	const Key *a = left, *b = right;

	if (a->text.n != b->text.n)
		return a->text.n < b->text.n ? -1 : 1;
	return a->text.n == 0 ? 0 : memcmp(a->text.p, b->text.p, a->text.n);
}

/*
 * The names of the object that is closed, from the first one on. Sorted: no choice of names is
 * slow.
 */
static bool
keys_differ(Lexer *lexer, size_t first)
{
	size_t n = lexer->n_keys - first;
	Key *keys;

	lexer->n_keys = first;
	if (n < 2)
		return true;
	keys = lexer->keys + first;
	qsort(keys, n, sizeof *keys, key_order);
	for (size_t i = 1; i < n; i++) {
		if (key_order(&keys[i - 1], &keys[i]) == 0) {
			lexer->at = MAX(keys[i - 1].at, keys[i].at);
			return fail(lexer, "repeated member");
		}
	}
	return true;
}

static bool
nest_close(Lexer *lexer)
{
	const Nest *nest = &lexer->nests[--lexer->depth];

	lexer->at++;
	return !nest->object || keys_differ(lexer, nest->first_key);
}

static bool
key_add(Lexer *lexer, Str raw, size_t at)
{
	if (!count_member(lexer))
		return false;
	if (lexer->n_keys == lexer->room) {
		size_t room = MAX(lexer->room * 2, (size_t)32);
		Key *grown = arena_new(lexer->arena, Key, room);

		if (lexer->n_keys > 0)
			memcpy(grown, lexer->keys, lexer->n_keys * sizeof *grown);
		lexer->keys = grown;
		lexer->room = room;
	}
	lexer->keys[lexer->n_keys++] = (Key){ json_unescape(lexer->arena, raw), at };
	return true;
}

/* A member's name and the colon after it. */
static bool
name(Lexer *lexer)
{
	size_t at = lexer->at;
	Str raw;

	if (now(lexer) != '"')
		return fail(lexer, "no name");
	if (!string(lexer, &raw) || !key_add(lexer, raw, at))
		return false;
	skip_space(lexer);
	if (now(lexer) != ':')
		return fail(lexer, "no colon");
	lexer->at++;
	return true;
}

static bool
value(Lexer *lexer, State *state)
{
	Str raw;

	*state = AFTER;
	switch (now(lexer)) {
	case '{':
		*state = FIRST_NAME;
		return nest_open(lexer, true);
	case '[':
		*state = FIRST_VALUE;
		return nest_open(lexer, false);
	case '"':
		return string(lexer, &raw);
	case 't':
		return word(lexer, S("true"));
	case 'f':
		return word(lexer, S("false"));
	case 'n':
		return word(lexer, S("null"));
	case -1:
		return fail(lexer, "no value");
	default:
		return number(lexer);
	}
}

/* After a value inside an array or object. */
static bool
after(Lexer *lexer, State *state)
{
	bool object = lexer->nests[lexer->depth - 1].object;

	if (now(lexer) == ',') {
		lexer->at++;
		*state = object ? NAME : VALUE;
		return true;
	}
	if (now(lexer) != (object ? '}' : ']'))
		return fail(lexer, lexer->at == lexer->text.n ? "unfinished" : "no comma");
	return nest_close(lexer);
}

static bool
step(Lexer *lexer, State *state)
{
	skip_space(lexer);
	switch (*state) {
	case FIRST_NAME:
		if (now(lexer) == '}') {
			*state = AFTER;
			return nest_close(lexer);
		}
		*state = VALUE;
		return name(lexer);
	case NAME:
		*state = VALUE;
		return name(lexer);
	case FIRST_VALUE:
		if (now(lexer) == ']') {
			*state = AFTER;
			return nest_close(lexer);
		}
		return value(lexer, state);
	case VALUE:
		return value(lexer, state);
	case AFTER:
		return after(lexer, state);
	}
	return false;
}

const Problem *
json_check(Ctx *ctx, Str text, size_t depth_max, size_t members_max)
{
	ArenaMark mark = arena_mark(ctx->arena);
	Lexer lexer = {
		.arena = ctx->arena,
		.text = text,
		.depth_max = depth_max,
		.members_max = members_max,
		.nests = arena_new(ctx->arena, Nest, depth_max),
	};
	State state = VALUE;

	if (str_starts(text, S("\xEF\xBB\xBF")))
		fail(&lexer, "byte order mark");
	while (lexer.fault == NULL && (state != AFTER || lexer.depth > 0))
		step(&lexer, &state);
	if (lexer.fault == NULL) {
		skip_space(&lexer);
		if (lexer.at < text.n)
			fail(&lexer, "something after the value");
	}
	arena_back(ctx->arena, mark);
	if (lexer.fault == NULL)
		return NULL;
	return problem_inside(ctx, P_malformed_json, "%s at byte %zu", lexer.fault, lexer.at);
}
