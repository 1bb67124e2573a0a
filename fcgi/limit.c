#include "fcgi/limit.h"

#include <string.h>

#include "common/cache.h"

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

/*
 * The same window in Redis. One without an end, or with an end too far away, is of a clock that
 * was turned back or of somebody else's command: it begins anew, as when what lies there is no
 * count at all. Other errors are Redis'.
 */
static const char window_script[] = "local n = redis.pcall('INCR', KEYS[1])\n"
				    "if type(n) == 'table' then\n"
				    "  if not n.err:find('WRONGTYPE') and\n"
				    "     not n.err:find('not an integer') and\n"
				    "     not n.err:find('would overflow') then\n"
				    "    return n\n"
				    "  end\n"
				    "  n = 0\n"
				    "end\n"
				    "local left = redis.call('PTTL', KEYS[1])\n"
				    "local window = tonumber(ARGV[1])\n"
				    "if n <= 1 or left < 0 or left > window then\n"
				    "  redis.call('SET', KEYS[1], 1, 'PX', window)\n"
				    "  n, left = 1, window\n"
				    "end\n"
				    "return {ARGV[2], n, left}\n";

/* Count the request where all hosts do; false: Redis does not say, or says what cannot be. */
static bool
shared_take(Req *rq, Policy policy, const RateRule *rule, bool *passes, RateState *state)
{
	Arena *arena = rq->ctx->arena;
	Str who = policy == POLICY_USER ? uuid_str(arena, rq->caller.user_id)
	                                : address_text(arena, address_network(rq->address));
	Str key = str_print(arena, "rate:%s:%.*s", policy_names[policy], STR_ARG(who));
	Str window = str_print(arena, "%lld", (long long)rule->window_ms);
	CacheItem said[2]; /* requests in this window, milliseconds to its end */

	if (rq->ctx->cache == NULL ||
	    !cache_eval(rq->ctx, window_script, key, &window, 1, "nn", said) ||
	    said[0].number < 1 || said[1].number < 0 || said[1].number > rule->window_ms)
		return false;
	*passes = said[0].number <= rule->quota;
	*state = (RateState){ MAX(rule->quota - said[0].number, 0), said[1].number };
	return true;
}

/* An item of a field: `"policy";q=100;w=60`. */
static void
limit_header(Req *rq, const char *field, Policy policy, const char *first, int64_t value,
             const char *second, int64_t other)
{
	Buf item = { .arena = rq->ctx->arena };

	buf_byte(&item, '"');
	buf_puts(&item, policy_names[policy]);
	buf_byte(&item, '"');
	buf_puts(&item, first);
	buf_i64(&item, value);
	buf_puts(&item, second);
	buf_i64(&item, other);
	answer_header(rq, field, buf_str(&item));
}

const Problem *
limit_admit(Req *rq)
{
	Policy policy = policy_of(rq);
	RateRule rule = { quota_of(policy), WINDOW_MS };
	int64_t reset_s;
	RateState state;
	uint8_t id[16];
	bool passes;

	if (rq->route->unlimited || rule.quota == 0)
		return NULL;
	caller_id(rq, policy, id);
	passes = board_rate_take(rq->board, policy, id, &rule, clock_mono_us(), &state);
	shared_take(rq, policy, &rule, &passes, &state);
	reset_s = (state.reset_ms + 999) / 1000;
	limit_header(rq, "RateLimit-Policy", policy, ";q=", rule.quota, ";w=", WINDOW_S);
	limit_header(rq, "RateLimit", policy, ";r=", state.left, ";t=", reset_s);
	if (passes)
		return NULL;
	board_count_add(rq->board, COUNT_RATE_LIMITED, 1);
	return problem_later(rq->ctx, P_rate_limited, (int)reset_s);
}
