#include "fcgi/jobs.h"

#include "common/db.h"
#include "common/log.h"
#include "queries.gen.h"

enum {
	SESSIONS_KEPT_S = 86400,   /* whoever comes late is told that his session has ended */
	OUTBOX_KEPT_S = 7 * 86400, /* what is done, or was given up: for whoever asks why */
	PAUSE_MS = 50,             /* between batches */
};

typedef struct Job {
	const char *name;
	int64_t every_s, batch;
	const Problem *(*run)(Ctx *ctx, int64_t batch, int64_t *rows);
} Job;

static const Problem *
sessions_run(Ctx *ctx, int64_t batch, int64_t *rows)
{
	return q_sessions_expire(ctx, SESSIONS_KEPT_S, batch, rows);
}

static const Problem *
outbox_run(Ctx *ctx, int64_t batch, int64_t *rows)
{
	return q_outbox_expire(ctx, OUTBOX_KEPT_S, batch, rows);
}

static const Job jobs[] = {
	{ "sessions", 60, 500, sessions_run },
	{ "outbox", 600, 500, outbox_run },
};

static Deadline due[COUNT(jobs)]; /* the past: at once */

static const Problem *
batch_run(Ctx *ctx, const Job *job, int64_t *rows)
{
	const Problem *p = db_begin(ctx);

	if (p == NULL) {
		db_last(ctx);
		p = job->run(ctx, job->batch, rows);
	}
	if (p == NULL)
		p = db_commit(ctx);
	if (p != NULL)
		db_rollback(ctx);
	return p;
}

static void
job_log(const Job *job, const Problem *p, int64_t rows)
{
	LogLine line;

	if (p == NULL && rows == 0)
		return;
	log_start(&line, p == NULL ? LOG_INFO : LOG_WARNING, "job");
	log_str(&line, "job", str_of(job->name));
	log_num(&line, "rows", rows);
	if (p != NULL) {
		log_str(&line, "code", str_of(problem_rows[p->code].code));
		log_str(&line, "inside", str_of(p->inside));
	}
	log_end(&line);
}

/* A tenth more or less, so that hosts that began together do not go on together. */
static int64_t
jittered_ms(int64_t every_s)
{
	uint64_t random, ms = (uint64_t)every_s * 1000;

	random_bytes(&random, sizeof random);
	return (int64_t)(ms - ms / 10 + random % (ms / 5));
}

static size_t
first(void)
{
	size_t least = 0;

	for (size_t i = 1; i < COUNT(jobs); i++)
		if (due[i].at_us < due[least].at_us)
			least = i;
	return least;
}

Deadline
jobs_due(void)
{
	return due[first()];
}

void
jobs_step(Ctx *ctx)
{
	size_t i = first();
	const Problem *p;
	int64_t rows = 0;

	if (!deadline_passed(due[i]))
		return;
	ctx->deadline = deadline_in_ms(JOBS_MS);
	p = batch_run(ctx, &jobs[i], &rows);
	job_log(&jobs[i], p, rows);
	due[i] = deadline_in_ms(
	    p == NULL && rows >= jobs[i].batch ? PAUSE_MS : jittered_ms(jobs[i].every_s));
}
