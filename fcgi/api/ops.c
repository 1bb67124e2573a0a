#include "fcgi/handlers.h"

#include "common/cache.h"
#include "common/db.h"
#include "fcgi/keys.h"
#include "fcgi/openapi.h"
#include "fcgi/page.h"
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

/* Everything works without it, so this is never a reason not to be ready. */
static Str
redis_state(Ctx *ctx)
{
	if (ctx->cache == NULL)
		return S("off");
	return cache_writes(ctx) ? S("ok") : S("degraded");
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
	out->redis = redis_state(rq->ctx);
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

static void
number_put(Buf *out, int64_t number)
{
	buf_puts(out, "<td>");
	buf_i64(out, number);
	buf_puts(out, "</td>");
}

static void
workers_put(Buf *out, const Status *status)
{
	const StatusWorker *rows = status->workers.v;

	buf_puts(out, "<table><tr><th>slot</th><th>pid</th><th>state</th><th>since, ms</th>"
	              "<th>requests</th><th>memory, bytes</th><th>route</th>"
	              "<th>request id</th></tr>\n");
	for (size_t i = 0; i < status->workers.n; i++) {
		buf_puts(out, "<tr>");
		number_put(out, rows[i].slot);
		number_put(out, rows[i].pid);
		page_element(out, "td", rows[i].state);
		number_put(out, rows[i].since_ms);
		number_put(out, rows[i].requests);
		number_put(out, rows[i].memory_bytes);
		page_element(out, "td", rows[i].route.v);
		page_element(out, "td", rows[i].request_id.v);
		buf_puts(out, "</tr>\n");
	}
	buf_puts(out, "</table>\n");
}

static void
status_page(Req *rq, const Status *status)
{
	const StatusLane *lanes = status->lanes.v;
	Buf out = { .arena = rq->ctx->arena };

	page_begin(&out, "Postern");
	buf_print(&out, "<p>Version %.*s, pid %lld, since ", STR_ARG(status->version),
	          (long long)status->pid);
	instant_put(&out, status->started_at);
	buf_print(&out, "</p>\n<p>Keeper: pid %lld</p>\n<p>Connections that wait: %lld</p>\n",
	          (long long)status->keeper.pid, (long long)status->listen_queue);
	buf_puts(&out, "<p>Workers held by lanes:");
	for (size_t i = 0; i < status->lanes.n; i++)
		buf_print(&out, " %.*s %lld", STR_ARG(lanes[i].name),
		          (long long)lanes[i].in_use);
	buf_puts(&out, "</p>\n<h2>Workers</h2>\n");
	workers_put(&out, status);
	page_answer(rq, &out);
}

const Problem *
ops_status(Req *rq, const Nothing *in, Status *out)
{
	Buf text = { .arena = rq->ctx->arena };

	(void)in;
	status_fill(rq->ctx->arena, rq->board, out);
	out->listen_queue = queue_length(rq->listen_fd);
	if (str_eq(rq->media, S("text/html"))) {
		status_page(rq, out);
	} else if (str_eq(rq->media, S("text/plain"))) {
		report_status(&text, out);
		answer_raw(rq, buf_str(&text));
	}
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
