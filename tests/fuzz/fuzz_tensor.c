/*
 * Bytes as a request to a model, as its server's answer, metadata and error. For libFuzzer:
 * clang -fsanitize=fuzzer.
 *
 * What must hold: what is taken is JSON; pointers and words are clean UTF-8; a declaration that
 * was read and written reads back the same.
 */

#include "common/json.h"
#include "fcgi/infer_words.h"
#include "fcgi/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_json(Ctx *ctx, Str text)
{
	return json_check(ctx, text, JSON_DEPTH_MAX, JSON_MEMBERS_MAX) == NULL;
}

static void
request_try(Ctx *ctx, Str text, const TensorPlan *plan)
{
	const Problem *p = tensor_request_check(ctx, text, plan);

	CHECK(p != NULL || is_json(ctx, text));
	if (p == NULL)
		return;
	CHECK((p->code == P_malformed_json) == !is_json(ctx, text));
	CHECK(p->code == P_malformed_json || p->n_fields > 0);
	for (size_t i = 0; i < p->n_fields; i++)
		CHECK(str_is_utf8(p->fields[i].pointer));
}

static void
specs_try(Ctx *ctx, const TensorSpecs *specs)
{
	Buf first = { .arena = ctx->arena }, second = { .arena = ctx->arena };
	FieldErrors errors = { .n = 0 };
	TensorSpecs again = { 0 };

	tensor_specs_write(&first, specs);
	CHECK(is_json(ctx, buf_str(&first)));
	tensor_specs_read(ctx->arena, buf_str(&first), STR_NONE, true, &again, &errors);
	CHECK(errors.n == 0);
	tensor_specs_write(&second, &again);
	CHECK(str_eq(buf_str(&first), buf_str(&second)));
}

static void
words_try(Ctx *ctx, Str text)
{
	static Str endpoints[] = { { "http://triton:8000/a", 20 }, { "https://[::1]", 13 } };
	Str words = infer_words(ctx, text, (StrList){ endpoints, COUNT(endpoints) });

	CHECK(str_is_utf8(words) && str_points(words) <= INFER_WORDS_MAX);
	for (size_t i = 0; i < words.n; i++)
		CHECK((unsigned char)words.p[i] >= ' ' && words.p[i] != 0x7F);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(256));
	Ctx ctx = { .arena = arena };
	Str text = { (const char *)data, size };
	TensorPlan plan;
	const Problem *p;

	request_try(&ctx, text, &(TensorPlan){ 0 });
	p = tensor_answer_check(&ctx, text);
	CHECK(p == NULL ? is_json(&ctx, text) : p->code == P_upstream_error);
	tensor_plan_read(&ctx, text, &plan);
	specs_try(&ctx, &plan.inputs);
	specs_try(&ctx, &plan.outputs);
	request_try(&ctx, text, &plan);
	words_try(&ctx, text);
	return 0;
}
