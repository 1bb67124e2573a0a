#pragma once

/*
 * Calls to the inference servers of a model: over which endpoint, within which time, and what
 * an answer means for the client.
 *
 * The Open Inference Protocol v2 in JSON. Endpoints are tried in the order of the row; only a
 * server that could not be reached, where nothing was done, makes way for the next. Nothing of
 * a server's address or inside reaches the client; the log has it.
 */

#include "fcgi/tensor.h"

typedef struct InferResult {
	Str body;        /* the answer, checked */
	size_t endpoint; /* number of the endpoint that was called last, from 1; 0: none was */
	size_t attempts; /* endpoints that were called */
	int64_t us;      /* what the calls took, all together */
} InferResult;

/*
 * Run the model on a request that has been checked; within ctx->deadline.
 *
 * body    of the request, sent as it is
 * out     endpoint, attempts and us are filled on failure, too
 * errors  invalid_tensor (with the server's words: it refuses the input), upstream_error,
 *         upstream_unavailable, upstream_timeout; deadline_exceeded when nothing was called
 */
const Problem *infer_call(Ctx *ctx, const InferModel *model, Str body,
                          InferResult *out) MUST_USE;

/* What the model's row declares of it; n 0: nothing, its server is asked. */
void infer_declared(Arena *arena, const InferModel *model, TensorPlan *out);

/*
 * What the model takes and gives: as its row declares, else as its server tells. That is asked
 * within a part of ctx->deadline and remembered by the process for some seconds, also that it
 * does not tell.
 *
 * asked   of the calls that were made for it, also on failure; without a body
 * errors  upstream_unavailable when no server could be reached
 */
const Problem *infer_plan(Ctx *ctx, const InferModel *model, InferResult *asked,
                          TensorPlan *out) MUST_USE;

/*
 * A part of a URL's path that is sent upstream: of [A-Za-z0-9_.-], 1 to 128 of them, not "." or
 * "..".
 */
bool infer_name_ok(Str name);
