#include "schema/models/models.h"

#include "common/db.h"
#include "fcgi/audit.h"
#include "fcgi/cursor.h"
#include "fcgi/handlers.h"
#include "fcgi/infer.h"
#include "queries.gen.h"

static const size_t model_bytes = MIB(128); /* far above what reading one declaration takes */

/* What only those who may change a model see of it. */
static void
inside_hide(const Req *rq, InferModel *model)
{
	if (caller_may(rq, models_write))
		return;
	model->endpoints = (OptStrList){ 0 };
	model->upstream_name = (OptStr){ 0 };
	model->upstream_version = (OptStr){ 0 };
	model->credential = (OptStr){ 0 };
}

/*
 * The tag of a row as the caller sees it. A version alone would come back with a name that is
 * removed and made anew; what is hidden from a caller makes another body.
 */
static Str
tag_of(const Req *rq, const InferModel *model)
{
	return str_print(rq->ctx->arena, "\"%lld.%llx%s\"", (long long)model->version,
	                 (unsigned long long)model->created_at.us,
	                 caller_may(rq, models_write) ? "" : ".part");
}

/* A model that is not active is nobody's to use. */
static const Problem *
usable(const Req *rq, const InferModel *model)
{
	if (!caller_holds(rq, model->permission))
		return problem(P_forbidden);
	return model->status == MODEL_ACTIVE ? NULL : problem(P_not_found);
}

static void
specs_show(Arena *arena, const TensorSpecs *specs, OptJson *out)
{
	Buf text = { .arena = arena };

	*out = (OptJson){ .given = true, .has = specs->n > 0 };
	tensor_specs_write(&text, specs);
	out->v.text = buf_str(&text);
}

/* In our words: a jsonb has an order of its own. */
static void
plan_show(Arena *arena, const TensorPlan *plan, InferModel *model)
{
	specs_show(arena, &plan->inputs, &model->inputs);
	specs_show(arena, &plan->outputs, &model->outputs);
}

/* What the row declares. aside: for what is read meanwhile, many times the text. */
static void
declared_show(Arena *arena, Arena *aside, InferModel *model)
{
	TensorPlan declared;

	infer_declared(aside, model, &declared);
	plan_show(aside, &declared, model);
	model->inputs.v.text = str_keep(arena, model->inputs.v.text);
	model->outputs.v.text = str_keep(arena, model->outputs.v.text);
}

/* The cursor behind the last model shown: its name. */
static const Problem *
page_end(Req *rq, int64_t limit, ModelPage *page)
{
	const InferModel *models = page->items.v;
	Str cursor;

	page->items.n = (size_t)limit;
	TRY(cursor_make(rq, STR_NONE, models[page->items.n - 1].name, &cursor));
	page->next_cursor = (OptStr){ .given = true, .has = true, .v = cursor };
	answer_link_next(rq, str_print(rq->ctx->arena, "limit=%lld&cursor=%.*s",
	                               (long long)limit, STR_ARG(cursor)));
	return NULL;
}

/* Writers see every model, others those that they may use. */
const Problem *
model_list(Req *rq, const ModelFilter *in, ModelPage *out)
{
	OptStrList permissions = { .has = !caller_may(rq, models_write),
		                   .v = rq->caller.permissions };
	OptStr after = { .has = in->cursor.has };
	CLEANUP(arena_closep) Arena *aside = arena_open(model_bytes);
	InferModel *models;

	if (in->cursor.has)
		TRY(cursor_read(rq, STR_NONE, in->cursor.v, &after.v));
	TRY(q_model_list(rq->ctx, after, permissions, in->limit + 1, &out->items));
	models = out->items.v;
	for (size_t i = 0; i < out->items.n; i++) {
		declared_show(rq->ctx->arena, aside, &models[i]);
		arena_reset(aside);
		inside_hide(rq, &models[i]);
	}
	return out->items.n > (size_t)in->limit ? page_end(rq, in->limit, out) : NULL;
}

/*
 * What its server does not tell, or not now, is null: the row can be read while no server runs.
 * What a server tells may change while the row does not: then no tag.
 */
const Problem *
model_get(Req *rq, const ModelKey *in, InferModel *out)
{
	TensorPlan declared, plan = { 0 };
	InferResult asked = { 0 };
	const Problem *p;

	TRY(q_model_get(rq->ctx, in->name, out));
	if (!caller_may(rq, models_write))
		TRY(usable(rq, out));
	infer_declared(rq->ctx->arena, out, &declared);
	if (declared.inputs.n > 0 && declared.outputs.n > 0)
		rq->etag = tag_of(rq, out);
	p = infer_plan(rq->ctx, out, &asked, &plan);
	board_count_add(rq->board, COUNT_UPSTREAM_FAULTS, p != NULL);
	plan_show(rq->ctx->arena, &plan, out);
	inside_hide(rq, out);
	return NULL;
}

static bool
is_word(Str word)
{
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if ((c < 'a' || c > 'z') &&
		    (i == 0 || ((c < '0' || c > '9') && c != '_' && c != '-')))
			return false;
	}
	return word.n > 0;
}

/* noun:verb */
static bool
permission_ok(Str permission)
{
	size_t colon = str_find(permission, ':');

	return is_word(str_sub(permission, 0, colon)) &&
	       is_word(str_sub(permission, colon + 1, permission.n));
}

/* URLs that a path can be put behind, none twice. */
static void
endpoints_check(Arena *arena, StrList endpoints, FieldErrors *errors)
{
	for (size_t i = 0; i < endpoints.n; i++) {
		Str at = str_print(arena, "/endpoints/%zu", i);

		if (str_find(endpoints.v[i], '?') < endpoints.v[i].n)
			field_errors_add(errors, at, F_url, 0);
		for (size_t k = 0; k < i; k++)
			if (str_eq(endpoints.v[k], endpoints.v[i])) {
				field_errors_add(errors, at, F_repeated, 0);
				break;
			}
	}
}

static void
specs_check(Arena *arena, const OptJson *list, Str at, FieldErrors *errors)
{
	TensorSpecs specs;

	if (list->has)
		tensor_specs_read(arena, list->v.text, at, false, &specs, errors);
}

/*
 * What nothing serves yet: another kind of server, a quota, a secret that the configuration
 * does not have, and what else would change nothing.
 */
static void
served_check(const ModelPut *in, FieldErrors *errors)
{
	if (in->kind != MODEL_KSERVE_V2)
		field_errors_add(errors, S("/kind"), F_not_allowed, 0);
	if (in->max_concurrency != MODEL_CONCURRENCY)
		field_errors_add(errors, S("/max_concurrency"), F_not_allowed, 0);
	if (in->daily_quota.has)
		field_errors_add(errors, S("/daily_quota"), F_not_allowed, 0);
	if (in->cache_ttl_s != 0)
		field_errors_add(errors, S("/cache_ttl_s"), F_not_allowed, 0);
	if (in->retry_on_timeout)
		field_errors_add(errors, S("/retry_on_timeout"), F_not_allowed, 0);
	if (in->credential.has)
		field_errors_add(errors, S("/credential"), F_not_allowed, 0);
}

/* What the fields' own bounds do not say. A row that could not be served whole is refused. */
static const Problem *
put_check(Ctx *ctx, const ModelPut *in)
{
	FieldErrors *errors = arena_new(ctx->arena, FieldErrors, 1);

	if (!infer_name_ok(in->name))
		field_errors_add(errors, S("/name"), F_format, 0);
	served_check(in, errors);
	endpoints_check(ctx->arena, in->endpoints, errors);
	if (in->upstream_name.has && !infer_name_ok(in->upstream_name.v))
		field_errors_add(errors, S("/upstream_name"), F_format, 0);
	if (in->upstream_version.has && !infer_name_ok(in->upstream_version.v))
		field_errors_add(errors, S("/upstream_version"), F_format, 0);
	if (!permission_ok(in->permission))
		field_errors_add(errors, S("/permission"), F_format, 0);
	specs_check(ctx->arena, &in->inputs, S("/inputs"), errors);
	specs_check(ctx->arena, &in->outputs, S("/outputs"), errors);
	return problem_fields(ctx, P_validation_failed, errors);
}

/* A row that was not there could not be locked: another has made it since. Look again. */
static const Problem *
overtaken(Ctx *ctx)
{
	Problem *p = arena_new(ctx->arena, Problem, 1);

	p->code = P_unavailable;
	p->again = true;
	p->inside = "another made the model meanwhile";
	return p;
}

/* The tag is the row's, for If-Match, also where a GET has none. */
const Problem *
model_put(Req *rq, const ModelPut *in, InferModel *out)
{
	InferModel now = { 0 };
	bool found = false;

	TRY(put_check(rq->ctx, in));
	TRY(q_model_lock(rq->ctx, in->name, &now, &found));
	TRY(match_check_tag(rq, found ? tag_of(rq, &now) : STR_NONE, false));
	TRY(audit(rq, "model.put", &rq->caller.user_id, in->name, STR_NONE));
	if (found)
		db_last(rq->ctx);
	TRY(q_model_put(rq->ctx, in, out));
	if (!found && out->version != 1)
		return overtaken(rq->ctx);
	declared_show(rq->ctx->arena, rq->ctx->arena, out);
	rq->etag = tag_of(rq, out);
	if (out->version == 1) {
		answer_status(rq, 201);
		answer_location(rq, "/v1/models/%.*s", STR_ARG(out->name));
	}
	return NULL;
}

const Problem *
model_delete(Req *rq, const ModelKey *in, Nothing *out)
{
	InferModel now = { 0 };
	bool found = false;
	Str name;

	(void)out;
	TRY(q_model_lock(rq->ctx, in->name, &now, &found));
	if (!found)
		return problem(P_not_found);
	TRY(match_check_tag(rq, tag_of(rq, &now), false));
	TRY(q_model_delete(rq->ctx, in->name, &name));
	return audit(rq, "model.delete", &rq->caller.user_id, in->name, STR_NONE);
}

/*
 * Which endpoint was called, how often any was, and how long that took; also beside a problem.
 */
static void
result_tell(Req *rq, const InferResult *result)
{
	Arena *arena = rq->ctx->arena;

	if (result->attempts == 0)
		return;
	board_count_add(rq->board, COUNT_UPSTREAM_CALLS, result->attempts);
	answer_header(rq, "X-Postern-Upstream", str_print(arena, "%zu", result->endpoint));
	answer_header(rq, "X-Postern-Attempts", str_print(arena, "%zu", result->attempts));
	answer_header(rq, "Server-Timing",
	              str_print(arena, "upstream;dur=%lld.%03lld",
	                        (long long)(result->us / 1000),
	                        (long long)(result->us % 1000)));
}

/*
 * Run a model on the body, which is the protocol's own and goes to the server as it is; so does
 * its answer. The time that the request has is the model's.
 */
const Problem *
model_infer(Req *rq, const ModelKey *in, InferOut *out)
{
	InferModel model = { 0 };
	InferResult result = { 0 };
	TensorPlan plan = { 0 };
	const Problem *p;

	(void)out;
	TRY(q_model_get(rq->ctx, in->name, &model));
	TRY(usable(rq, &model));
	rq->ctx->deadline = (Deadline){ rq->start_us + model.timeout_ms * 1000 };
	board_request_deadline(rq->board, rq->slot, rq->ctx->deadline);
	p = infer_plan(rq->ctx, &model, &result, &plan);
	TRY(tensor_request_check(rq->ctx, rq->body, &plan)); /* wrong is wrong, server or not */
	if (p == NULL) {
		result = (InferResult){ 0 };
		p = infer_call(rq->ctx, &model, rq->body, &result);
	}
	result_tell(rq, &result);
	if (p != NULL && p->code != P_invalid_tensor)
		board_count_add(rq->board, COUNT_UPSTREAM_FAULTS, 1);
	TRY(p);
	answer_raw(rq, result.body);
	return NULL;
}
