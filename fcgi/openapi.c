#include "fcgi/openapi.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_put.h"
#include "common/params.h"
#include "common/settings.h"

static const char json_type[] = "application/json";

static void
text_put(Buf *out, const char *key, const char *text)
{
	json_put_key(out, key);
	json_put_str(out, str_of(text));
}

static void
open_put(Buf *out, const char *key, char bracket)
{
	json_put_key(out, key);
	buf_byte(out, bracket);
}

/* --- what a route's row and the rules say */

const char *
method_name(Method method)
{
	switch (method) {
	case GET:
		return "get";
	case HEAD:
		return "head";
	case POST:
		return "post";
	case PUT:
		return "put";
	case PATCH:
		return "patch";
	case DELETE:
		return "delete";
	case OPTIONS:
		return "options";
	}
	return NULL;
}

Str
route_tag(const Route *route)
{
	Str path = str_of(route->path);

	if (!str_starts(path, S("/v1/")))
		return str_of(lane_names[route->lane]);
	path = str_sub(path, 4, path.n);
	return str_sub(path, 0, str_find(path, '/'));
}

const Model *
route_body(const Route *route)
{
	if (route->reads != NULL)
		return route->reads;
	return model_has(route->takes, FROM_BODY) ? route->takes : NULL;
}

static bool
own_problem(const Route *route, ProblemCode code)
{
	const ProblemCode *own = route->problems;

	for (; own != NULL && *own != P_internal && *own != PROBLEM_CODES; own++)
		if (*own == code)
			return true;
	return false;
}

void
route_problems(const Route *route, bool listed[PROBLEM_CODES])
{
	/* a token is looked at, and its session asked for, wherever one is sent */
	static const ProblemCode always[] = {
		P_bad_request,     P_invalid_parameter, P_token_invalid,  P_token_expired,
		P_session_revoked, P_not_acceptable,    P_body_too_large, P_head_too_large,
		P_internal,        P_unavailable,       P_overloaded,     P_deadline_exceeded,
	};
	bool guarded = route->who != anyone;

	for (int i = 0; i < PROBLEM_CODES; i++)
		listed[i] = own_problem(route, (ProblemCode)i);
	for (size_t i = 0; i < COUNT(always); i++)
		listed[always[i]] = true;
	listed[P_rate_limited] |= !route->unlimited;
	listed[P_token_missing] |= guarded;
	listed[P_forbidden] |= guarded && route->who != bearer;
	listed[P_not_found] |= model_has(route->takes, FROM_PATH);
	if (route_body(route) == NULL)
		return;
	listed[P_malformed_json] = true;
	listed[P_unsupported_media_type] = true;
	listed[P_validation_failed] = true;
}

/* --- parameters and bodies */

static void
param_put(Buf *out, const Uses *uses, const Field *field)
{
	static const char *const places[] = {
		[FROM_BODY] = "",
		[FROM_PATH] = "path",
		[FROM_QUERY] = "query",
		[FROM_HEADER] = "header",
	};

	json_put_next(out);
	buf_byte(out, '{');
	text_put(out, "name", param_name(field));
	text_put(out, "in", places[field->from]);
	if (field->about != NULL)
		text_put(out, "description", field->about);
	json_put_key(out, "required");
	json_put_bool(out, field->required || field->from == FROM_PATH);
	json_put_key(out, "schema");
	schema_field_put(out, uses, field, SIDE_IN);
	buf_byte(out, '}');
}

static void
header_param_put(Buf *out, const char *name, bool required, const char *about)
{
	json_put_next(out);
	buf_byte(out, '{');
	text_put(out, "name", name);
	text_put(out, "in", "header");
	text_put(out, "description", about);
	json_put_key(out, "required");
	json_put_bool(out, required);
	buf_puts(out, ",\"schema\":{\"type\":\"string\"}}");
}

static void
params_put(Buf *out, const Uses *uses, const Route *route)
{
	const Model *takes = route->takes;

	open_put(out, "parameters", '[');
	for (size_t i = 0; i < takes->n; i++)
		if (takes->fields[i].from != FROM_BODY)
			param_put(out, uses, &takes->fields[i]);
	if (own_problem(route, P_precondition_failed))
		header_param_put(out, "If-Match", own_problem(route, P_precondition_required),
		                 "the ETag that was read last; another version is 412");
	if (route->method == GET && route->versioned)
		header_param_put(out, "If-None-Match", false,
		                 "an ETag that is at hand; the same version is 304");
	buf_byte(out, ']');
}

/* Each of the media types, separated by spaces, with one schema; what is not JSON is text. */
static void
content_put(Buf *out, const Uses *uses, const char *types, const Model *model, Side side)
{
	Str rest = str_of(types), type = STR_NONE;

	open_put(out, "content", '{');
	while (str_next(&rest, ' ', &type)) {
		if (str_find(type, '/') == type.n)
			continue; /* a parameter of the type before it */
		type = str_sub(type, 0, str_find(type, ';'));
		json_put_key(out, str_text(out->arena, type));
		buf_puts(out, "{\"schema\":");
		if (!str_ends(type, S("json")))
			buf_puts(out, "{\"type\":\"string\"}");
		else if (model_has(model, FROM_BODY))
			schema_ref_put(out, uses, model, side);
		else
			buf_puts(out, "{\"type\":\"object\"}");
		buf_byte(out, '}');
	}
	buf_byte(out, '}');
}

static void
body_put(Buf *out, const Uses *uses, const Route *route)
{
	if (route_body(route) == NULL)
		return;
	open_put(out, "requestBody", '{');
	json_put_key(out, "required");
	json_put_bool(out, !route->empty_body);
	content_put(out, uses, route->body_types != NULL ? route->body_types : json_type,
	            route_body(route), SIDE_IN);
	buf_byte(out, '}');
}

/* --- answers */

static void
header_ref_put(Buf *out, const char *name)
{
	json_put_key(out, name);
	buf_puts(out, "{\"$ref\":\"#/components/headers/");
	buf_puts(out, name);
	buf_puts(out, "\"}");
}

/* Every answer that was counted has them; those that were refused before have not. */
static void
limit_headers_put(Buf *out, const Route *route)
{
	if (route->unlimited)
		return;
	header_ref_put(out, "RateLimit-Policy");
	header_ref_put(out, "RateLimit");
}

static void
success_put(Buf *out, const Uses *uses, const Route *route, int status, const char *about)
{
	open_put(out, arena_print(out->arena, "%d", status), '{');
	text_put(out, "description", about);
	open_put(out, "headers", '{');
	header_ref_put(out, "X-Request-Id");
	limit_headers_put(out, route);
	if (route->versioned)
		header_ref_put(out, "ETag");
	if (status == 201)
		header_ref_put(out, "Location");
	if (model_field(route->gives, S("next_cursor")) != NULL)
		header_ref_put(out, "Link");
	buf_byte(out, '}');
	if (status != 204 && status != 304)
		content_put(out, uses, route->media != NULL ? route->media : json_type,
		            route->gives, SIDE_OUT);
	buf_byte(out, '}');
}

/* PUT makes or replaces: its row has one of the two statuses. */
static void
successes_put(Buf *out, const Uses *uses, const Route *route)
{
	static const struct {
		int status;
		const char *about;
	} words[] = {
		{ 200, "Done" },
		{ 201, "Made" },
		{ 202, "Accepted" },
		{ 204, "Done; there is no body" },
		{ 304, "Not changed since" },
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		bool made = route->method == PUT && words[i].status == 201;
		bool same = route->method == GET && words[i].status == 304 && route->versioned;

		if (words[i].status == route->status || made || same)
			success_put(out, uses, route, words[i].status, words[i].about);
	}
}

/* One status with all of its codes. */
static void
problem_put(Buf *out, const Route *route, int status, const bool listed[PROBLEM_CODES])
{
	Buf about = { .arena = out->arena }, codes = { .arena = out->arena };

	for (int i = 0; i < PROBLEM_CODES; i++) {
		const ProblemRow *row = &problem_rows[i];

		if (!listed[i] || row->status != status)
			continue;
		buf_print(&about, "%s%s", about.n > 0 ? "; " : "", row->title[LANG_EN]);
		json_put_next(&codes);
		json_put_str(&codes, str_of(row->code));
	}
	open_put(out, arena_print(out->arena, "%d", status), '{');
	text_put(out, "description", str_text(out->arena, buf_str(&about)));
	open_put(out, "headers", '{');
	header_ref_put(out, "X-Request-Id");
	header_ref_put(out, "Content-Language");
	limit_headers_put(out, route);
	if (status == 401)
		header_ref_put(out, "WWW-Authenticate");
	if (status == 429 || status == 503)
		header_ref_put(out, "Retry-After");
	buf_puts(out, "},\"content\":{\"application/problem+json\":{\"schema\":"
	              "{\"$ref\":\"#/components/schemas/Problem\"}}},\"x-codes\":[");
	buf_put(out, buf_str(&codes));
	buf_puts(out, "]}");
}

/* problems.def is in the order of its statuses. */
static void
problems_put(Buf *out, const Route *route)
{
	bool listed[PROBLEM_CODES];
	int last = 0;

	route_problems(route, listed);
	for (int i = 0; i < PROBLEM_CODES; i++) {
		if (!listed[i] || problem_rows[i].status == last)
			continue;
		last = problem_rows[i].status;
		problem_put(out, route, last, listed);
	}
}

/* --- operations and paths */

static void
security_put(Buf *out, const Route *route)
{
	bool open = route->who == anyone || route->who == ops;
	const char *permission =
	    route->who == ops ? permission_names[ops_read] : permission_names[route->who];

	json_put_key(out, "security");
	buf_puts(out, open ? "[{},{\"bearer\":[]}]" : "[{\"bearer\":[]}]");
	if (permission != NULL)
		text_put(out, "x-permission", permission);
}

static void
operation_put(Buf *out, const Uses *uses, const Route *route)
{
	open_put(out, method_name(route->method), '{');
	text_put(out, "operationId", route->id);
	text_put(out, "summary", route->about);
	open_put(out, "tags", '[');
	json_put_str(out, route_tag(route));
	buf_byte(out, ']');
	security_put(out, route);
	params_put(out, uses, route);
	body_put(out, uses, route);
	open_put(out, "responses", '{');
	successes_put(out, uses, route);
	problems_put(out, route);
	buf_puts(out, "}}");
}

static bool
same_path_before(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(routes[k].path, routes[i].path) == 0)
			return true;
	return false;
}

static void
paths_put(Buf *out, const Uses *uses)
{
	open_put(out, "paths", '{');
	for (size_t i = 0; i < route_count; i++) {
		if (same_path_before(i))
			continue;
		open_put(out, routes[i].path, '{');
		buf_puts(
		    out,
		    "\"parameters\":[{\"$ref\":\"#/components/parameters/Accept-Language\"},"
		    "{\"$ref\":\"#/components/parameters/X-Request-Id\"}]");
		for (size_t k = i; k < route_count; k++)
			if (strcmp(routes[k].path, routes[i].path) == 0)
				operation_put(out, uses, &routes[k]);
		buf_byte(out, '}');
	}
	buf_byte(out, '}');
}

static void
tags_put(Buf *out)
{
	open_put(out, "tags", '[');
	for (size_t i = 0; i < route_count; i++) {
		bool known = false;

		for (size_t k = 0; k < i; k++)
			known |= str_eq(route_tag(&routes[k]), route_tag(&routes[i]));
		if (known)
			continue;
		json_put_next(out);
		buf_puts(out, "{\"name\":");
		json_put_str(out, route_tag(&routes[i]));
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

/* --- components */

static void
problem_codes_put(Buf *out)
{
	buf_byte(out, '[');
	for (int i = 0; i < PROBLEM_CODES; i++) {
		json_put_next(out);
		json_put_str(out, str_of(problem_rows[i].code));
	}
	buf_byte(out, ']');
}

static void
field_codes_put(Buf *out)
{
	buf_byte(out, '[');
	for (int i = 0; i < FIELD_CODES; i++) {
		bool known = *message_rows[i].code == '\0';

		for (int k = 0; k < i; k++)
			known |= strcmp(message_rows[k].code, message_rows[i].code) == 0;
		if (known)
			continue;
		json_put_next(out);
		json_put_str(out, str_of(message_rows[i].code));
	}
	buf_byte(out, ']');
}

static void
problem_schemas_put(Buf *out)
{
	buf_puts(
	    out,
	    "\"Problem\":{\"type\":\"object\",\"description\":\"RFC 9457\",\"properties\":{"
	    "\"type\":{\"type\":\"string\",\"format\":\"uri-reference\",\"description\":"
	    "\"explains the code\"},"
	    "\"title\":{\"type\":\"string\",\"description\":\"in the language of "
	    "Content-Language\"},"
	    "\"status\":{\"type\":\"integer\",\"minimum\":400,\"maximum\":599},"
	    "\"detail\":{\"type\":\"string\",\"description\":\"in the language of "
	    "Content-Language\"},"
	    "\"code\":{\"type\":\"string\",\"description\":\"never changes, never "
	    "localised\",\"enum\":");
	problem_codes_put(out);
	buf_print(out,
	          "},\"instance\":{\"type\":\"string\",\"format\":\"uri\",\"description\":"
	          "\"the request\"},"
	          "\"errors\":{\"type\":\"array\",\"maxItems\":%d,\"description\":\"what is "
	          "wrong with each field; empty"
	          " when no field is to "
	          "blame\",\"items\":{\"$ref\":\"#/components/schemas/FieldError\"}}},"
	          "\"required\":[\"type\",\"title\",\"status\",\"detail\",\"code\","
	          "\"instance\",\"errors\"],"
	          "\"additionalProperties\":false},",
	          FIELD_ERRORS_MAX);
	buf_puts(out, "\"FieldError\":{\"type\":\"object\",\"properties\":{"
	              "\"pointer\":{\"type\":\"string\",\"format\":\"json-pointer\","
	              "\"description\":\"RFC 6901, into the body;"
	              " of a parameter its name\"},"
	              "\"code\":{\"type\":\"string\",\"enum\":");
	field_codes_put(out);
	buf_puts(
	    out,
	    "},\"detail\":{\"type\":\"string\",\"description\":\"in the language of "
	    "Content-Language\"}},"
	    "\"required\":[\"pointer\",\"code\",\"detail\"],\"additionalProperties\":false}");
}

static const struct {
	const char *name;
	bool always; /* in every answer that lists it */
	const char *about;
} headers[] = {
	{ "X-Request-Id", true, "the request's name in our logs" },
	{ "Content-Language", true, "en or th" },
	{ "ETag", false, "the version, for If-Match and If-None-Match" },
	{ "Location", true, "where the new resource is" },
	{ "RateLimit-Policy", false, "how many requests the caller has in how many seconds" },
	{ "RateLimit", false, "how many of them are left, and for how many seconds" },
	{ "Link", false, "the next page, RFC 8288" },
	{ "WWW-Authenticate", true, "what kind of credentials are asked for, RFC 6750" },
	{ "Retry-After", true, "seconds to wait before the next try" },
};

static void
components_put(Buf *out, const Uses *uses)
{
	buf_puts(out, ",\"components\":{\"schemas\":{");
	problem_schemas_put(out);
	schemas_put(out, uses);
	buf_puts(out, "},\"parameters\":{\"Accept-Language\":");
	buf_puts(out, "{\"name\":\"Accept-Language\",\"in\":\"header\",\"description\":"
	              "\"language of problems: en or th\","
	              "\"schema\":{\"type\":\"string\"}},\"X-Request-Id\":{\"name\":\"X-"
	              "Request-Id\",\"in\":\"header\","
	              "\"description\":\"a name of the client's own for the request\","
	              "\"schema\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._-]{1,64}$\"}}"
	              "},\"headers\":{");
	for (size_t i = 0; i < COUNT(headers); i++) {
		open_put(out, headers[i].name, '{');
		text_put(out, "description", headers[i].about);
		json_put_key(out, "required");
		json_put_bool(out, headers[i].always);
		buf_puts(out, ",\"schema\":{\"type\":\"string\"}}");
	}
	buf_puts(out,
	         "},\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
	         "\"bearerFormat\":\"JWT\"}}}");
}

void
openapi_uses(Uses *uses)
{
	for (size_t i = 0; i < route_count; i++) {
		if (route_body(&routes[i]) != NULL)
			uses_add(uses, route_body(&routes[i]), SIDE_IN);
		if (model_has(routes[i].gives, FROM_BODY))
			uses_add(uses, routes[i].gives, SIDE_OUT);
	}
}

void
openapi_write(Buf *out)
{
	Uses *uses = arena_new(out->arena, Uses, 1);
	const char *base =
	    conf == NULL || *conf->http_base_path == '\0' ? "/" : conf->http_base_path;

	openapi_uses(uses);
	buf_puts(
	    out,
	    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Postern\",\"version\":"
	    "\"" PACKAGE_VERSION "\","
	    "\"description\":\"Accounts, products and models behind a web server. Errors are "
	    "problems of"
	    " RFC 9457; what goes in and out is closed: unknown members and parameters are "
	    "refused.\","
	    "\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}},\"servers\":[{\"url\":");
	json_put_str(out, str_of(base));
	buf_puts(out, "}]");
	tags_put(out);
	paths_put(out, uses);
	components_put(out, uses);
	buf_byte(out, '}');
}

Str
openapi_text(Ctx *ctx)
{
	static Str kept;
	Buf out = { .arena = ctx->arena };
	char *copy;

	if (kept.p == NULL) {
		openapi_write(&out);
		copy = malloc(out.n);
		CHECK(copy != NULL);
		memcpy(copy, out.p, out.n);
		kept = (Str){ copy, out.n };
	}
	return kept;
}
