#include "fcgi/infer_inner.h"

#include <stdlib.h>
#include <string.h>

enum {
	KEPT_MAX = 64,          /* models that a process remembers */
	KEPT_BYTES = 64 * 1024, /* longer metadata are asked for each time */
	KEPT_S = 10,            /* a server may get another version of its model */
	ASK_MS = 2000,          /* for metadata, at most, and at most half of what is left */
};

/* What a server told of a model. A row that was written anew is another: its time differs. */
typedef struct Kept {
	char name[129];
	int64_t updated_us;
	int64_t until_us; /* monotonic; 0: the place is free */
	char *text;       /* {"inputs": …, "outputs": …} in our words */
	size_t n;
} Kept;

static Kept kept[KEPT_MAX];

static Kept *
kept_find(const InferModel *model)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (kept[i].until_us > clock_mono_us() &&
		    kept[i].updated_us == model->updated_at.us &&
		    str_eq(str_of(kept[i].name), model->name))
			return &kept[i];
	return NULL;
}

/* Remember it in the place of the one that is over first. */
static void
kept_put(const InferModel *model, Str text)
{
	Kept *place = &kept[0];
	char *copy;

	if (text.n > KEPT_BYTES || model->name.n >= sizeof place->name)
		return;
	for (size_t i = 1; i < KEPT_MAX; i++)
		if (kept[i].until_us < place->until_us)
			place = &kept[i];
	copy = realloc(place->text, text.n);
	CHECK(copy != NULL);
	memcpy(copy, text.p, text.n);
	place->text = copy;
	place->n = text.n;
	memcpy(place->name, model->name.p, model->name.n);
	place->name[model->name.n] = '\0';
	place->updated_us = model->updated_at.us;
	place->until_us = clock_mono_us() + (int64_t)KEPT_S * 1000000;
}

/* Ask the server; what it says in our words, "{}" when it does not tell. */
static const Problem *
metadata_ask(Ctx *ctx, const InferModel *model, InferResult *asked, TensorPlan *out)
{
	Ctx brief = *ctx;
	UpstreamAnswer answer = { .words = "" };
	Buf text = { .arena = ctx->arena };

	brief.deadline = deadline_in_ms(MIN(deadline_left_ms(ctx->deadline) / 2, ASK_MS));
	infer_ask(&brief, model, "GET", "", STR_NONE, asked, &answer);
	if (answer.error == UPSTREAM_REFUSED)
		return infer_judge(ctx, model, &answer, asked->endpoint);
	if (answer.error == UPSTREAM_OK && answer.status == 200)
		tensor_plan_read(ctx, answer.body, out);
	buf_puts(&text, "{\"inputs\":");
	tensor_specs_write(&text, &out->inputs);
	buf_puts(&text, ",\"outputs\":");
	tensor_specs_write(&text, &out->outputs);
	buf_byte(&text, '}');
	kept_put(model, buf_str(&text));
	return NULL;
}

/* It was checked when it was written. */
static TensorSpecs
specs_declared(Arena *arena, const OptJson *list)
{
	TensorSpecs specs = { 0 };

	if (list->has)
		tensor_specs_read(arena, list->v.text, STR_NONE, true, &specs,
		                  arena_new(arena, FieldErrors, 1));
	return specs;
}

void
infer_declared(Arena *arena, const InferModel *model, TensorPlan *out)
{
	out->inputs = specs_declared(arena, &model->inputs);
	out->outputs = specs_declared(arena, &model->outputs);
}

const Problem *
infer_plan(Ctx *ctx, const InferModel *model, InferResult *asked, TensorPlan *out)
{
	TensorPlan ours, told = { 0 };
	const Kept *known = kept_find(model);
	const Problem *p = NULL;

	infer_declared(ctx->arena, model, &ours);
	if (ours.inputs.n == 0 || ours.outputs.n == 0) {
		if (known != NULL) /* copied: what is read borrows from it */
			tensor_plan_read(
			    ctx, str_keep(ctx->arena, (Str){ known->text, known->n }), &told);
		else if (!deadline_passed(ctx->deadline))
			p = metadata_ask(ctx, model, asked, &told);
	}
	out->inputs = ours.inputs.n > 0 ? ours.inputs : told.inputs;
	out->outputs = ours.outputs.n > 0 ? ours.outputs : told.outputs;
	return p;
}
