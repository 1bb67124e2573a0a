#include "fcgi/audit.h"

#include "queries.gen.h"

enum { AGENT_POINTS = 256 };

static OptStr
opt(Str text)
{
	return (OptStr){ .given = true, .has = text.n > 0, .v = text };
}

Str
user_agent(const Req *rq)
{
	Str agent = req_header(rq, "HTTP_USER_AGENT");

	return str_is_utf8(agent) && str_find(agent, '\0') == agent.n
	           ? str_points_cut(agent, AGENT_POINTS)
	           : STR_NONE;
}

const Problem *
audit(Req *rq, const char *action, const Uuid *actor, Str target, Str detail)
{
	AuditNew row = {
		.actor_id = { .given = true, .has = actor != NULL },
		.action = str_of(action),
		.target = opt(target),
		.address = opt(address_text(rq->ctx->arena, rq->address)),
		.user_agent = opt(user_agent(rq)),
		.request_id = opt(rq->request_id),
		.detail = { .given = true, .has = detail.n > 0, .v = { detail } },
	};

	if (actor != NULL)
		row.actor_id.v = *actor;
	return q_audit_insert_queue(rq->ctx, uuid7_make(), &row);
}
