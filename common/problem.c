#include "common/problem.h"

#include <stdarg.h>
#include <string.h>

#include "common/json_put.h"
#include "common/settings.h"

const ProblemRow problem_rows[PROBLEM_CODES] = {
#define PROBLEM(code, status, english, thai) [P_##code] = { #code, status, { english, thai } },
#include "common/problems.def"
#undef PROBLEM
};

const char *const problem_details[PROBLEM_CODES][LANGS] = {
#define DETAIL(code, english, thai) [P_##code] = { english, thai },
#include "common/problem_details.def"
#undef DETAIL
};

const MessageRow message_rows[FIELD_CODES] = {
#define MESSAGE(name, code, english, thai) [F_##name] = { code, { english, thai } },
#include "common/messages.def"
#undef MESSAGE
};

static const Problem bare[PROBLEM_CODES] = {
#define PROBLEM(wire, status, english, thai) [P_##wire] = { .code = P_##wire },
#include "common/problems.def"
#undef PROBLEM
};

static const char *const lang_tags[LANGS] = { [LANG_EN] = "en", [LANG_TH] = "th" };

const Problem *
problem(ProblemCode code)
{
	return &bare[code];
}

static Problem *
problem_make(Ctx *ctx, ProblemCode code)
{
	Problem *p = arena_new(ctx->arena, Problem, 1);

	p->code = code;
	return p;
}

const Problem *
problem_inside(Ctx *ctx, ProblemCode code, const char *format, ...)
{
	Problem *p = problem_make(ctx, code);
	va_list args;

	va_start(args, format);
	p->inside = arena_vprint(ctx->arena, format, args);
	va_end(args);
	return p;
}

const Problem *
problem_later(Ctx *ctx, ProblemCode code, int retry_after_s)
{
	Problem *p = problem_make(ctx, code);

	p->retry_after_s = retry_after_s;
	return p;
}

const Problem *
problem_field(Ctx *ctx, const char *pointer, FieldCode field)
{
	FieldError *error = arena_new(ctx->arena, FieldError, 1);
	Problem *p = problem_make(ctx, P_validation_failed);

	error->pointer = str_keep(ctx->arena, str_of(pointer));
	error->code = field;
	p->fields = error;
	p->n_fields = 1;
	return p;
}

void
field_errors_add(FieldErrors *errors, Str pointer, FieldCode code, int64_t number)
{
	if (errors->n == FIELD_ERRORS_MAX)
		return;
	errors->v[errors->n++] = (FieldError){ pointer, code, number };
}

const Problem *
problem_fields(Ctx *ctx, ProblemCode code, const FieldErrors *errors)
{
	FieldError *fields;
	Problem *p;

	if (errors->n == 0)
		return NULL;
	fields = arena_new(ctx->arena, FieldError, errors->n);
	memcpy(fields, errors->v, errors->n * sizeof *fields);
	p = problem_make(ctx, code);
	p->fields = fields;
	p->n_fields = errors->n;
	return p;
}

/*
 * "{one|several}", of which *text is just past the brace; returns what stands for this number.
 */
static Str
plural(Str *text, int64_t number)
{
	size_t bar = str_find(*text, '|'), end = str_find(*text, '}');
	Str chosen = number == 1 ? str_sub(*text, 0, bar) : str_sub(*text, bar + 1, end);

	*text = str_sub(*text, end + 1, text->n);
	return chosen;
}

Str
message_text(Arena *arena, FieldCode code, Lang lang, int64_t number)
{
	Str rest = str_of(message_rows[code].text[lang]);
	Buf text = { .arena = arena };

	while (rest.n > 0) {
		size_t plain = strcspn(rest.p, "%{");

		buf_put(&text, str_sub(rest, 0, plain));
		rest = str_sub(rest, plain, rest.n);
		if (str_starts(rest, S("%lld"))) {
			buf_i64(&text, number);
			rest = str_sub(rest, 4, rest.n);
		} else if (rest.n > 0) {
			rest = str_sub(rest, 1, rest.n);
			buf_put(&text, plural(&rest, number));
		}
	}
	return buf_str(&text);
}

static void
put_member(Buf *out, const char *name, Str value)
{
	buf_print(out, ",\"%s\":", name);
	json_put_str(out, value);
}

static Str
detail_of(Arena *arena, const Problem *p, Lang lang)
{
	if (p->outside.n > 0)
		return p->outside;
	if (p->n_fields > 0)
		return message_text(arena, F_fields_invalid, lang, (int64_t)p->n_fields);
	return str_of(problem_details[p->code][lang]);
}

void
problem_write(Buf *out, const Problem *p, Lang lang, Uuid instance)
{
	const ProblemRow *row = &problem_rows[p->code];
	const char *base = conf == NULL ? "" : conf->http_base_path;

	buf_puts(out, "{\"type\":");
	json_put_str(out, str_print(out->arena, "%s/problems/%s", base, row->code));
	put_member(out, "title", str_of(row->title[lang]));
	buf_print(out, ",\"status\":%d", row->status);
	put_member(out, "detail", detail_of(out->arena, p, lang));
	put_member(out, "code", str_of(row->code));
	buf_puts(out, ",\"instance\":\"urn:uuid:");
	uuid_put(out, instance);
	buf_puts(out, "\",\"errors\":[");
	for (size_t i = 0; i < p->n_fields; i++) {
		const FieldError *error = &p->fields[i];

		buf_puts(out, i == 0 ? "{\"pointer\":" : ",{\"pointer\":");
		json_put_str(out, error->pointer);
		put_member(out, "code", str_of(message_rows[error->code].code));
		put_member(out, "detail",
		           message_text(out->arena, error->code, lang, error->number));
		buf_byte(out, '}');
	}
	buf_puts(out, "]}");
}

int
problem_code_of(Str code)
{
	for (int i = 0; i < PROBLEM_CODES; i++)
		if (str_eq(code, str_of(problem_rows[i].code)))
			return i;
	return -1;
}

const char *
lang_tag(Lang lang)
{
	return lang_tags[lang];
}
