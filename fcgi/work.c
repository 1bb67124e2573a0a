#include "fcgi/rooms.h"

#include <time.h>

#include "common/backoff.h"
#include "common/db.h"
#include "common/json.h"
#include "fcgi/revoke.h"
#include "fcgi/session.h"

enum { TRIES_MAX = 4, BACKOFF_BASE_MS = 2, BACKOFF_CAP_MS = 50 };

static void
back_off(uint32_t tries)
{
	uint32_t random, ms;

	random_bytes(&random, sizeof random);
	ms = backoff_ms(tries, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random);
	nanosleep(&(struct timespec){ .tv_nsec = (long)ms * 1000000 }, NULL);
}

/* The handler in a transaction of its own. */
static const Problem *
write_once(Req *rq, void *out)
{
	const Problem *p;

	TRY(db_begin(rq->ctx));
	p = rq->route->fresh ? session_confirm(rq) : NULL;
	if (p == NULL)
		p = rq->route->handler(rq, rq->in, out);
	if (p == NULL)
		p = db_commit(rq->ctx);
	if (p != NULL)
		db_rollback(rq->ctx);
	return p;
}

/* What a handler said of its answer, taken back before it runs anew. */
static void
forget_answer(Req *rq, Buf headers)
{
	rq->headers = headers;
	rq->out.n = 0;
	rq->etag = STR_NONE;
	rq->raw = false;
	rq->status = rq->route->status;
}

static const Problem *
handler_run(Req *rq, void **out)
{
	const Model *gives = rq->route->gives;
	Buf headers = rq->headers;

	for (uint32_t tries = 1;; tries++) {
		const Problem *p;

		forget_answer(rq, headers);
		*out = arena_take(rq->ctx->arena, 1, gives->size, _Alignof(max_align_t));
		p = rq->route->tx == WRITES ? write_once(rq, *out)
		                            : rq->route->handler(rq, rq->in, *out);
		if (p == NULL || !p->again || tries == TRIES_MAX ||
		    deadline_passed(rq->ctx->deadline))
			return p;
		back_off(tries);
	}
}

const Problem *
work_do(Req *rq)
{
	const Problem *p;
	void *out = NULL;

	p = handler_run(rq, &out);
	revoke_settle(rq->ctx, rq->board); /* also when a COMMIT's outcome is not known */
	if (p != NULL)
		return p;
	if (rq->raw || rq->status == 204)
		return NULL;
	json_write(&rq->out, rq->route->gives, out);
	return NULL;
}
