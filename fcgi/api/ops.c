#include "fcgi/handlers.h"

#include "common/db.h"
#include "fcgi/keys.h"
#include "fcgi/openapi.h"
#include "fcgi/queue.h"
#include "fcgi/report.h"
#include "fcgi/status.h"
#include "schema/verify.h"

const Problem *
ops_health(Req *rq, const Nothing *in, Health *out)
{
	(void)rq;
	(void)in;
	out->status = S("ok");
	return NULL;
}

/* unavailable, with the names of what fails for the client. */
static const Problem *
not_ready(Ctx *ctx, Str names, const char *inside)
{
	Problem *p = arena_new(ctx->arena, Problem, 1);

	*p = (Problem){ .code = P_unavailable, .outside = names, .inside = inside };
	return p;
}

/* Each part is asked, so that all that fails is named at once. */
const Problem *
ops_ready(Req *rq, const Nothing *in, Ready *out)
{
	const struct {
		const char *name;
		const Problem *(*ask)(Ctx *ctx);
		Str *word;
	} parts[] = {
		{ "database", db_ready, &out->database },
		{ "schema", schema_verify, &out->schema },
		{ "keys", keys_ready, &out->keys },
	};
	Buf failed = { .arena = rq->ctx->arena };
	const Problem *first = NULL;

	(void)in;
	if (board_draining(rq->board))
		return problem(P_draining);
	for (size_t i = 0; i < COUNT(parts); i++) {
		const Problem *p = parts[i].ask(rq->ctx);

		*parts[i].word = p == NULL ? S("ok") : S("failed");
		if (p == NULL)
			continue;
		buf_print(&failed, "%s%s", failed.n > 0 ? ", " : "", parts[i].name);
		first = first == NULL ? p : first;
	}
	out->status = S("ok");
	return first == NULL ? NULL : not_ready(rq->ctx, buf_str(&failed), first->inside);
}

const Problem *
ops_metrics(Req *rq, const Nothing *in, Nothing *out)
{
	Buf text = { .arena = rq->ctx->arena };

	(void)in;
	(void)out;
	report_metrics(&text, rq->board);
	rq->media = S("text/plain; version=0.0.4; charset=utf-8");
	answer_raw(rq, buf_str(&text));
	return NULL;
}

const Problem *
ops_status(Req *rq, const Nothing *in, Status *out)
{
	Buf text = { .arena = rq->ctx->arena };

	(void)in;
	status_fill(rq->ctx->arena, rq->board, out);
	out->listen_queue = queue_length(rq->listen_fd);
	if (!str_eq(rq->media, S("text/plain")))
		return NULL;
	report_status(&text, out);
	answer_raw(rq, buf_str(&text));
	return NULL;
}

const Problem *
ops_openapi(Req *rq, const Nothing *in, Nothing *out)
{
	(void)in;
	(void)out;
	answer_raw(rq, openapi_text(rq->ctx));
	return NULL;
}
