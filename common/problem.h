#pragma once

/*
 * What may go wrong, as the client sees it and as the log does.
 *
 * NULL is success. A Problem has an outside (code, field errors: for the client, in its
 * language) and an inside (for the log); they never mix. problems.def and messages.def are the
 * only places where codes and their words are written.
 */

#include "common/ctx.h"

typedef enum ProblemCode {
#define PROBLEM(code, status, english, thai) P_##code,
#include "common/problems.def"
#undef PROBLEM
	PROBLEM_CODES
} ProblemCode;

typedef enum FieldCode {
#define MESSAGE(name, code, english, thai) F_##name,
#include "common/messages.def"
#undef MESSAGE
	FIELD_CODES
} FieldCode;

typedef enum Lang { LANG_EN, LANG_TH, LANGS } Lang;

typedef struct FieldError {
	Str pointer; /* RFC 6901, of the body; of parameters "/name" */
	FieldCode code;
	int64_t number; /* the bound, for the messages that name one */
} FieldError;

typedef struct Problem {
	ProblemCode code;
	const FieldError *fields;
	size_t n_fields;
	bool again;         /* the whole transaction may be run anew */
	const char *inside; /* NULL, or what only the log may say */
	Str outside;        /* none, or a detail for the client that is no text of ours */
	int retry_after_s;  /* 0: the code's own */
} Problem;

typedef struct ProblemRow {
	const char *code;
	int status;
	const char *title[LANGS];
} ProblemRow;

typedef struct MessageRow {
	const char *code;
	const char *text[LANGS]; /* may hold one %lld, the bound, and {one|several} */
} MessageRow;

extern const ProblemRow problem_rows[PROBLEM_CODES];
/* What a client can do about it. */
extern const char *const problem_details[PROBLEM_CODES][LANGS];
extern const MessageRow message_rows[FIELD_CODES];

/* Return what is not success. The only macro that leaves a function. */
#define TRY(call)                                                                              \
	do {                                                                                   \
		const Problem *try_problem = (call);                                           \
		if (try_problem != NULL)                                                       \
			return try_problem;                                                    \
	} while (0)

/* The bare problem, from a static table. */
const Problem *problem(ProblemCode code) NEVER_NULL MUST_USE;

/* With words for the log. */
const Problem *problem_inside(Ctx *ctx, ProblemCode code, const char *format, ...)
    PRINTF(3, 4) NEVER_NULL MUST_USE;

/* With a Retry-After of its own. */
const Problem *problem_later(Ctx *ctx, ProblemCode code, int retry_after_s) NEVER_NULL MUST_USE;

/* validation_failed with one field. */
const Problem *problem_field(Ctx *ctx, const char *pointer,
                             FieldCode field) NEVER_NULL MUST_USE;

/* Field errors found so far; at most 100 are kept, the rest is dropped. */
#define FIELD_ERRORS_MAX 100
typedef struct FieldErrors {
	FieldError v[FIELD_ERRORS_MAX];
	size_t n;
} FieldErrors;

void field_errors_add(FieldErrors *errors, Str pointer, FieldCode code, int64_t number);

/* NULL when there are none; otherwise a problem of this code with them. */
const Problem *problem_fields(Ctx *ctx, ProblemCode code, const FieldErrors *errors) MUST_USE;

/* A field's message with its bound put in. */
Str message_text(Arena *arena, FieldCode code, Lang lang, int64_t number);

/*
 * The body of the answer, RFC 9457: type (below http.base_path), title, status, detail, code,
 * instance, errors (empty when no field is named). instance: the request's UUID.
 */
void problem_write(Buf *out, const Problem *problem, Lang lang, Uuid instance);

/*
 * RFC 4647 lookup in an Accept-Language value; English when nothing fits. Elements that are
 * garbage are passed over.
 */
Lang lang_choose(Str accept_language);
const char *lang_tag(Lang lang);

/* The row of a wire code; -1 when there is none. */
int problem_code_of(Str code);
