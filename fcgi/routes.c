#include "fcgi/handlers.h"

/* The table keeps a handler by the type that work.c calls it by. */
#define ROUTE(METHOD, path, who, tx, name, takes, gives, status, ...)                          \
	static const Problem *call_##name(Req *rq, const void *in, void *out)                  \
	{                                                                                      \
		return name(rq, in, out);                                                      \
	}
#include "fcgi/routes.def"
#undef ROUTE

#define PROBLEMS(...) ((const ProblemCode[]){ __VA_ARGS__, PROBLEM_CODES })
#define ROUTE(METHOD, template, may, kind, name, in, gives_, code, ...)                        \
	{ .id = #name,                                                                         \
	  .method = METHOD,                                                                    \
	  .path = template,                                                                    \
	  .who = may,                                                                          \
	  .tx = kind,                                                                          \
	  .handler = call_##name,                                                              \
	  .takes = &in##_model,                                                                \
	  .gives = &gives_##_model,                                                            \
	  .status = code,                                                                      \
	  __VA_ARGS__ },
const Route routes[] = {
#include "fcgi/routes.def"
};
#undef ROUTE

const size_t route_count = COUNT(routes);
_Static_assert(COUNT(routes) <= BOARD_ROUTES, "the board counts by route");

const char *const permission_names[WHOS] = {
#define PERMISSION(name, text) [name] = text,
#include "schema/permissions.def"
#undef PERMISSION
};
