#include "fcgi/rooms.h"

#include <string.h>

#include "fcgi/accept.h"
#include "fcgi/limit.h"
#include "fcgi/session.h"

static const char json_type[] = "application/json";

size_t
body_limit(const Req *rq)
{
	return (size_t)(rq->route->lane == LANE_INFERENCE ? conf->limits_infer_bytes
	                                                  : conf->limits_body_bytes);
}

/* Lanes whose work waits on something slow: three quarters of the workers, at least one. */
static int
lane_limit(Lane lane)
{
	int workers = (int)conf->pool_workers;
	int slow = MAX(workers * 3 / 4, 1);

	switch (lane) {
	case LANE_AUTH:
		return conf->lanes_auth > 0 ? (int)conf->lanes_auth : slow;
	case LANE_API:
		return conf->lanes_api > 0 ? (int)conf->lanes_api : workers;
	case LANE_INFERENCE:
		return conf->lanes_inference > 0 ? (int)conf->lanes_inference : slow;
	case LANE_OPS:
		return conf->lanes_ops > 0 ? (int)conf->lanes_ops : workers;
	case LANES:
		break;
	}
	return workers;
}

static const Problem *
lane_enter(Req *rq)
{
	Lane lane = rq->route->lane;

	if (rq->keeper)
		return NULL; /* lanes are of workers */
	if (!board_lane_enter(rq->board, rq->slot, lane, lane_limit(lane))) {
		board_count_add(rq->board, COUNT_LANE_REFUSED, 1);
		return problem_inside(rq->ctx, P_overloaded, "lane %s is full",
		                      lane_names[lane]);
	}
	rq->lane_held = true;
	if (clock_mono_us() - rq->start_us > conf->pool_request_deadline_ms * 1000 / 2)
		return problem_inside(rq->ctx, P_overloaded,
		                      "waited half of its time in the queue");
	return NULL;
}

static bool
takes_body(const Req *rq)
{
	for (size_t i = 0; i < rq->route->takes->n; i++)
		if (rq->route->takes->fields[i].from == FROM_BODY)
			return true;
	return rq->route->reads != NULL;
}

/* 413 by the declared length, 415 by the declared type. */
static const Problem *
body_admit(Req *rq)
{
	Str length = wire_param(rq->wire, "CONTENT_LENGTH");
	Str type = wire_param(rq->wire, "CONTENT_TYPE");
	const char *types = rq->route->body_types != NULL ? rq->route->body_types : json_type;
	uint64_t bytes = 0;

	if (str_u64(length, &bytes) && bytes > body_limit(rq))
		return problem(P_body_too_large);
	if (takes_body(rq) && (type.n > 0 || bytes > 0) &&
	    !media_is_one_of(type, str_of(types)))
		return problem(P_unsupported_media_type);
	return NULL;
}

static const Problem *
answer_admit(Req *rq)
{
	const char *offered = rq->route->media != NULL ? rq->route->media : json_type;
	Str media = media_choose(req_header(rq, "HTTP_ACCEPT"), str_of(offered));

	if (media.p == NULL && rq->route->status != 204) /* which has no body to accept */
		return problem(P_not_acceptable);
	rq->media = media;
	if (strchr(offered, ' ') != NULL)
		answer_header(rq, "Vary", S("Accept"));
	return NULL;
}

bool
caller_may(const Req *rq, Who permission)
{
	return (rq->caller.rights >> permission & 1) != 0;
}

bool
caller_holds(const Req *rq, Str permission)
{
	for (size_t i = 0; i < rq->caller.permissions.n; i++)
		if (str_eq(rq->caller.permissions.v[i], permission))
			return true;
	return false;
}

static const Problem *
caller_admit(Req *rq)
{
	Who who = rq->route->who;

	TRY(session_admit(rq));
	if (who == anyone || (who == ops && address_in(rq->address, conf->ops_networks)))
		return NULL;
	if (!rq->caller.known)
		return problem(P_token_missing);
	if (who == bearer || caller_may(rq, who == ops ? ops_read : who))
		return NULL;
	return problem(P_forbidden);
}

const Problem *
admit(Req *rq)
{
	TRY(lane_enter(rq));
	TRY(body_admit(rq));
	TRY(answer_admit(rq));
	TRY(caller_admit(rq));
	return limit_admit(rq);
}
