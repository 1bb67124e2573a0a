#pragma once

/*
 * What has expired is taken away, a batch at a time, by the keepers of all hosts at once: a
 * batch passes over rows that another has in hand.
 */

#include "common/ctx.h"

/*
 * Do the first job that is due, at most one batch within JOBS_MS; what went wrong is logged,
 * and tried again when the job is due next. Uses the context's connection and arena, which the
 * caller settles, and sets its deadline.
 */
#define JOBS_MS 1000
void jobs_step(Ctx *ctx);

/* When the next one is due, monotonic. */
Deadline jobs_due(void);
