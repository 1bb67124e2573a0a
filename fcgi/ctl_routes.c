/* What the server serves: the route table, and the document made from it. */

#include <sysexits.h>

#include "common/json_put.h"
#include "fcgi/ctl.h"
#include "fcgi/openapi.h"

static const size_t text_ceiling = MIB(64);

static const char *
who_text(Who who)
{
	if (who == anyone || who == bearer)
		return who == anyone ? "anyone" : "bearer";
	return who == ops ? "ops" : permission_names[who];
}

static void
routes_json(Buf *out)
{
	for (size_t i = 0; i < route_count; i++) {
		const Route *route = &routes[i];

		buf_print(out, "%s{\"method\":\"%.*s\",\"path\":\"%s%s\",\"who\":\"%s\",",
		          i == 0 ? "[" : ",", STR_ARG(methods_text(out->arena, route->method)),
		          conf->http_base_path, route->path, who_text(route->who));
		buf_print(out, "\"lane\":\"%s\",\"status\":%d,\"id\":\"%s\",\"about\":",
		          lane_names[route->lane], route->status, route->id);
		json_put_str(out, str_of(route->about));
		buf_byte(out, '}');
	}
	buf_puts(out, "]\n");
}

static void
routes_text(Buf *out)
{
	for (size_t i = 0; i < route_count; i++) {
		const Route *route = &routes[i];

		buf_print(out, "%-7.*s %s%-28s %-15s %s\n",
		          STR_ARG(methods_text(out->arena, route->method)),
		          conf->http_base_path, route->path, who_text(route->who),
		          route->about);
	}
}

int
ctl_routes(int argc, char **argv, const Settings *settings)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(text_ceiling);
	Buf out = { .arena = arena };
	bool json = ctl_flag(&argc, argv, "--json");

	conf = settings;
	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	if (json)
		routes_json(&out);
	else
		routes_text(&out);
	return ctl_print(buf_str(&out));
}

int
ctl_openapi(int argc, char **argv, const Settings *settings)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(text_ceiling);
	Buf out = { .arena = arena };

	conf = settings;
	(void)ctl_flag(&argc, argv, "--json"); /* it is JSON either way */
	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	openapi_write(&out);
	buf_byte(&out, '\n');
	return ctl_print(buf_str(&out));
}
