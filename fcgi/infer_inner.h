#pragma once

/* What infer.c and infer_plan.c share. */

#include "common/upstream.h"
#include "fcgi/infer.h"

/*
 * Call the model's endpoints in their order until one could be reached, at most max_attempts.
 *
 * verb    behind the model in the path: "/infer", or ""
 * body    none: no body
 * out     endpoint, attempts and us go on from what they are
 * answer  of the last call
 */
void infer_ask(Ctx *ctx, const InferModel *model, const char *method, const char *verb,
               Str body, InferResult *out, UpstreamAnswer *answer);

/* What that answer means: NULL for a 200, which has still to be checked. */
const Problem *infer_judge(Ctx *ctx, const InferModel *model, const UpstreamAnswer *answer,
                           size_t endpoint) MUST_USE;
