/*
 * Bytes as a body, as a query and as an Accept-Language. For libFuzzer: clang
 * -fsanitize=fuzzer.
 *
 * What must hold: what our lexer takes json-c takes too; what was read can be written; what was
 * written passes the lexer and reads back the same; a name in an error is UTF-8.
 */

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const kind_names[] = { "a", "b", NULL };

typedef struct Thing {
	Str a;
	int64_t b;
	double c;
	bool d;
	unsigned e;
	Uuid f;
	Instant g;
	StrList h;
	IntList i;
	Json j;
	Money k;
	List l;
	OptStr m;
	OptMoney n;
	OptJson o;
	OptStrList p;
} Thing;

/* clang-format off */
MODEL(Thing,
	FIELD(Thing, a, .required = true, .max = 20),
	FIELD(Thing, b, .min = INT64_MIN),
	FIELD(Thing, c, .min = INT64_MIN),
	FIELD(Thing, d),
	FIELD(Thing, e, .names = kind_names),
	FIELD(Thing, f),
	FIELD(Thing, g),
	FIELD(Thing, h, .max = 5, .item_max = 5),
	FIELD(Thing, i),
	FIELD(Thing, j, .initial = "{}"),
	FIELD_OF(Thing, k, Money),
	FIELD_OF(Thing, l, Money),
	FIELD(Thing, m, .nullable = true, .format = FORMAT_EMAIL),
	FIELD_OF(Thing, n, Money, .nullable = true),
	FIELD(Thing, o, .nullable = true, .object = true),
	FIELD(Thing, p, .nullable = true, .format = FORMAT_URL));
/* clang-format on */

typedef struct Ask {
	OptStr a;
	OptInt b;
	OptNum c;
	OptTime d;
	StrList e;
	IntList f;
} Ask;

/* clang-format off */
MODEL(Ask,
	FIELD(Ask, a, .from = FROM_QUERY, .format = FORMAT_PASSWORD),
	FIELD(Ask, b, .from = FROM_QUERY),
	FIELD(Ask, c, .from = FROM_QUERY),
	FIELD(Ask, d, .from = FROM_QUERY),
	FIELD(Ask, e, .from = FROM_QUERY, .format = FORMAT_SLUG),
	FIELD(Ask, f, .from = FROM_QUERY));
/* clang-format on */

static void
errors_are_utf8(const FieldErrors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		CHECK(str_is_utf8(errors->v[i].pointer));
}

static void
body_try(Ctx *ctx, Str text)
{
	FieldErrors errors = { .n = 0 };
	Thing thing = { .b = 0 }, again = { .b = 0 };
	Buf first = { .arena = ctx->arena }, second = { .arena = ctx->arena };
	JsonValue *value;
	bool taken = json_check(ctx, text, JSON_DEPTH_MAX, JSON_MEMBERS_MAX) == NULL;

	CHECK(taken == (json_parse(ctx, text, &value) == NULL));
	CHECK(taken == (json_read(ctx, text, &Thing_model, &thing, &errors) == NULL));
	errors_are_utf8(&errors);
	if (!taken || errors.n > 0)
		return;
	json_write(&first, &Thing_model, &thing);
	CHECK(json_check(ctx, buf_str(&first), JSON_DEPTH_MAX, JSON_MEMBERS_MAX) == NULL);
	if (thing.k.currency.n == 0)
		return; /* was not given, and is required when it is */
	CHECK(json_read(ctx, buf_str(&first), &Thing_model, &again, &errors) == NULL);
	if (errors.n > 0)
		return; /* null for what has no null: a JSON member that was null */
	json_write(&second, &Thing_model, &again);
	CHECK(str_eq(buf_str(&first), buf_str(&second)));
}

static Str
no_header(const void *of, const char *name)
{
	(void)of;
	(void)name;
	return STR_NONE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(256));
	Ctx ctx = { .arena = arena };
	Str text = { (const char *)data, size };
	Params params = { .path = "/", .query = text, .header = no_header };
	FieldErrors errors = { .n = 0 };
	Ask ask = { .b = { .v = 0 } };
	Buf out = { .arena = arena };

	body_try(&ctx, text);
	params_read(&ctx, &params, &Ask_model, &ask, &errors);
	errors_are_utf8(&errors);
	CHECK(lang_choose(text) < LANGS);
	json_put_str(&out, text);
	CHECK(memchr(text.p, 0, size) != NULL ||
	      json_check(&ctx, buf_str(&out), JSON_DEPTH_MAX, JSON_MEMBERS_MAX) == NULL);
	return 0;
}
