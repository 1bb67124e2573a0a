#include "fcgi/limit.h"

#include <string.h>

enum { WINDOW_S = 60, WINDOW_MS = WINDOW_S * 1000 };

typedef enum Policy { POLICY_ANONYMOUS, POLICY_USER, POLICY_AUTH } Policy;

/* As the answer's fields name them. */
static const char *const policy_names[] = {
	[POLICY_ANONYMOUS] = "anonymous",
	[POLICY_USER] = "user",
	[POLICY_AUTH] = "auth",
};

static Policy
policy_of(const Req *rq)
{
	if (str_starts(str_of(rq->route->path), S("/v1/auth/")))
		return POLICY_AUTH;
	return rq->caller.known ? POLICY_USER : POLICY_ANONYMOUS;
}

static int64_t
quota_of(Policy policy)
{
	switch (policy) {
	case POLICY_ANONYMOUS:
		return conf->limits_anonymous_per_minute;
	case POLICY_USER:
		return conf->limits_user_per_minute;
	case POLICY_AUTH:
		return conf->limits_auth_per_minute;
	}
	return 0;
}

/* id: room for 16 bytes */
static void
caller_id(const Req *rq, Policy policy, uint8_t *id)
{
	Address network = address_network(rq->address);

	memcpy(id, policy == POLICY_USER ? rq->caller.user_id.b : network.b, sizeof network.b);
}

const Problem *
limit_admit(Req *rq)
{
	Policy policy = policy_of(rq);
	RateRule rule = { quota_of(policy), WINDOW_MS };
	const char *name = policy_names[policy];
	Arena *arena = rq->ctx->arena;
	int64_t reset_s;
	RateState state;
	uint8_t id[16];
	bool passes;

	if (rq->route->unlimited || rule.quota == 0)
		return NULL;
	caller_id(rq, policy, id);
	passes = board_rate_take(rq->board, policy, id, &rule, clock_mono_us(), &state);
	reset_s = (state.reset_ms + 999) / 1000;
	answer_header(
	    rq, "RateLimit-Policy",
	    str_print(arena, "\"%s\";q=%lld;w=%d", name, (long long)rule.quota, WINDOW_S));
	answer_header(rq, "RateLimit",
	              str_print(arena, "\"%s\";r=%lld;t=%lld", name, (long long)state.left,
	                        (long long)reset_s));
	if (passes)
		return NULL;
	board_count_add(rq->board, COUNT_RATE_LIMITED, 1);
	return problem_later(rq->ctx, P_rate_limited, (int)reset_s);
}
