#include "fcgi/cors.h"

#define CORS_EXPOSED                                                                           \
	"ETag, Link, Location, X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, "       \
	"Idempotency-Replayed, Server-Timing"

static bool
listed(SettingList list, Str text)
{
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(str_of(list.v[i]), text))
			return true;
	return false;
}

static Str
joined(Arena *arena, SettingList list)
{
	Buf text = { .arena = arena };

	for (size_t i = 0; i < list.n; i++) {
		buf_puts(&text, i == 0 ? "" : ", ");
		buf_puts(&text, list.v[i]);
	}
	return buf_str(&text);
}

void
cors_answer(Req *rq)
{
	Str origin;

	if (conf->cors_origins.n == 0)
		return;
	origin = req_header(rq, "HTTP_ORIGIN");
	answer_header(rq, "Vary", S("Origin"));
	if (origin.p == NULL || !listed(conf->cors_origins, origin))
		return;
	answer_header(rq, "Access-Control-Allow-Origin", origin);
	answer_header(rq, "Access-Control-Allow-Credentials", S("true"));
	answer_header(rq, "Access-Control-Expose-Headers", S(CORS_EXPOSED));
}

void
cors_preflight(Req *rq)
{
	Str origin = req_header(rq, "HTTP_ORIGIN");
	Str method = req_header(rq, "HTTP_ACCESS_CONTROL_REQUEST_METHOD");
	Arena *arena = rq->ctx->arena;

	if (origin.p == NULL || method.p == NULL || !listed(conf->cors_origins, origin))
		return;
	answer_header(rq, "Access-Control-Allow-Methods", joined(arena, conf->cors_methods));
	answer_header(rq, "Access-Control-Allow-Headers", joined(arena, conf->cors_headers));
	answer_header(rq, "Access-Control-Max-Age",
	              str_print(arena, "%lld", (long long)conf->cors_max_age_s));
	answer_header(rq, "Vary",
	              S("Access-Control-Request-Method, Access-Control-Request-Headers"));
}
