#include "fcgi/rooms.h"

#include <string.h>

#include "fcgi/cors.h"
#include "fcgi/path.h"

static const struct {
	Method method;
	const char *name;
} method_names[] = {
	{ GET, "GET" },     { HEAD, "HEAD" },     { POST, "POST" },       { PUT, "PUT" },
	{ PATCH, "PATCH" }, { DELETE, "DELETE" }, { OPTIONS, "OPTIONS" },
};

Str
methods_text(Arena *arena, unsigned methods)
{
	Buf text = { .arena = arena };

	for (size_t i = 0; i < COUNT(method_names); i++) {
		if ((methods & method_names[i].method) == 0)
			continue;
		if (text.n > 0)
			buf_puts(&text, ", ");
		buf_puts(&text, method_names[i].name);
	}
	return buf_str(&text);
}

/* The keeper is one process: it waits for nothing, and others wait for it. */
static bool
keeper_serves(const Route *route)
{
	return route->lane == LANE_OPS && route->tx == NO_DB;
}

const Problem *
route_find(Req *rq)
{
	rq->allow = 0;
	for (size_t i = 0; i < route_count && rq->route == NULL; i++) {
		Str values[COUNT(rq->path_values)];

		if ((rq->keeper && !keeper_serves(&routes[i])) ||
		    !path_fits(rq->path, routes[i].path, values, COUNT(values)))
			continue;
		rq->allow |= routes[i].method | (routes[i].method == GET ? HEAD : 0) | OPTIONS;
		if (routes[i].method == rq->method) {
			rq->route = &routes[i];
			memcpy(rq->path_values, values, sizeof values);
		}
	}
	if (rq->allow == 0)
		return problem(P_not_found);
	if (rq->method == OPTIONS) {
		answer_status(rq, 204);
		answer_header(rq, "Allow", methods_text(rq->ctx->arena, rq->allow));
		cors_preflight(rq);
		rq->done = true;
		return NULL;
	}
	if (rq->route == NULL)
		return problem(P_method_not_allowed);
	board_request_route(rq->board, rq->slot, (int)(rq->route - routes));
	return NULL;
}
