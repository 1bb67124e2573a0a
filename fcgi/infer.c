#include "fcgi/infer.h"

#include "common/settings.h"
#include "fcgi/infer_inner.h"
#include "fcgi/infer_words.h"

enum {
	LOG_WORDS = 300, /* bytes of an error answer that the log keeps */
	RETRY_AFTER_MAX_S = 60,
};

bool
infer_name_ok(Str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if ((c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') &&
		    c != '_' && c != '.' && c != '-')
			return false;
	}
	return name.n >= 1 && name.n <= 128 && !str_eq(name, S(".")) && !str_eq(name, S(".."));
}

/* URL of the model at an endpoint; its parts have been checked when the row was written. */
static Str
url_of(Arena *arena, const InferModel *model, Str endpoint, const char *verb)
{
	Buf url = { .arena = arena };

	CHECK(infer_name_ok(model->upstream_name.v));
	while (str_ends(endpoint, S("/")))
		endpoint = str_sub(endpoint, 0, endpoint.n - 1);
	buf_put(&url, endpoint);
	buf_print(&url, "/v2/models/%.*s", STR_ARG(model->upstream_name.v));
	if (model->upstream_version.has) {
		CHECK(infer_name_ok(model->upstream_version.v));
		buf_print(&url, "/versions/%.*s", STR_ARG(model->upstream_version.v));
	}
	buf_puts(&url, verb);
	return buf_str(&url);
}

void
infer_ask(Ctx *ctx, const InferModel *model, const char *method, const char *verb, Str body,
          InferResult *out, UpstreamAnswer *answer)
{
	size_t most = MIN(model->endpoints.v.n, (size_t)model->max_attempts);

	for (size_t i = 0; i < most; i++) {
		UpstreamCall call = {
			.method = method,
			.url = url_of(ctx->arena, model, model->endpoints.v.v[i], verb),
			.content_type = S("application/json"),
			.body = body,
			.connect_ms = (int)conf->inference_connect_ms,
			.answer_max = (size_t)conf->inference_answer_bytes,
		};
		UpstreamError error;

		out->endpoint = i + 1;
		out->attempts++;
		error = upstream_call(ctx, &call, answer);
		out->us += answer->us;
		if (error != UPSTREAM_REFUSED)
			return;
	}
}

/* Seconds of a Retry-After; 0 when there is none that can be read. */
static int
retry_after(const UpstreamAnswer *answer)
{
	uint64_t seconds = 0;

	if (!str_u64(upstream_header(answer, "retry-after"), &seconds))
		return 0;
	return (int)MIN(seconds, (uint64_t)RETRY_AFTER_MAX_S);
}

/* What an answer that is no success means. Every other status: the server failed. */
static const struct {
	int status;
	ProblemCode code;
} meanings[] = {
	{ 400, P_invalid_tensor },       { 413, P_invalid_tensor },
	{ 422, P_invalid_tensor },       { 429, P_upstream_unavailable },
	{ 503, P_upstream_unavailable }, { 504, P_upstream_timeout },
};

static const Problem *
status_judge(Ctx *ctx, const InferModel *model, const UpstreamAnswer *answer, size_t endpoint)
{
	Problem *p = arena_new(ctx->arena, Problem, 1);
	Str words = str_sub(answer->body, 0, LOG_WORDS);

	p->code = P_upstream_error;
	for (size_t i = 0; i < COUNT(meanings); i++)
		if (answer->status == meanings[i].status)
			p->code = meanings[i].code;
	p->inside = arena_print(ctx->arena, "endpoint %zu answered %d: %.*s", endpoint,
	                        answer->status, STR_ARG(words));
	if (p->code == P_invalid_tensor)
		p->outside = infer_words(ctx, answer->body, model->endpoints.v);
	p->retry_after_s = retry_after(answer);
	return p;
}

const Problem *
infer_judge(Ctx *ctx, const InferModel *model, const UpstreamAnswer *answer, size_t endpoint)
{
	ProblemCode code = P_upstream_error;

	switch (answer->error) {
	case UPSTREAM_OK:
		return answer->status == 200 ? NULL
		                             : status_judge(ctx, model, answer, endpoint);
	case UPSTREAM_REFUSED:
		code = P_upstream_unavailable;
		break;
	case UPSTREAM_TIMEOUT:
		code = P_upstream_timeout;
		break;
	case UPSTREAM_RESET:
	case UPSTREAM_TOO_LARGE:
	case UPSTREAM_NO_HTTP:
	case UPSTREAM_UNTRUSTED:
	case UPSTREAM_BAD_CALL:
	case UPSTREAM_ERRORS:
		break;
	}
	return problem_inside(ctx, code, "endpoint %zu: %s: %s", endpoint,
	                      upstream_error_names[answer->error], answer->words);
}

const Problem *
infer_call(Ctx *ctx, const InferModel *model, Str body, InferResult *out)
{
	UpstreamAnswer answer = { .words = "" };

	if (deadline_passed(ctx->deadline))
		return problem_inside(ctx, P_deadline_exceeded,
		                      "no time was left for the model");
	infer_ask(ctx, model, "POST", "/infer", body, out, &answer);
	TRY(infer_judge(ctx, model, &answer, out->endpoint));
	TRY(tensor_answer_check(ctx, answer.body));
	out->body = answer.body;
	return NULL;
}
