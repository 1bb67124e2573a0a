/* Pages for people: the whole API, and each problem. No script, nothing from elsewhere. */

#include "fcgi/handlers.h"

#include "common/params.h"
#include "common/settings.h"
#include "fcgi/openapi.h"
#include "fcgi/page.h"

/* --- a problem */

static void
problem_page(Req *rq, const ProblemAbout *about)
{
	Buf out = { .arena = rq->ctx->arena };

	page_begin(&out, str_text(out.arena, about->code));
	buf_print(&out, "<p>Status %lld</p>\n<h2>English</h2>", (long long)about->status);
	page_element(&out, "p", about->title.en);
	page_element(&out, "p", about->detail.en);
	buf_puts(&out, "\n<div lang=\"th\"><h2>ภาษาไทย</h2>");
	page_element(&out, "p", about->title.th);
	page_element(&out, "p", about->detail.th);
	buf_puts(&out, "</div>\n");
	page_answer(rq, &out);
}

const Problem *
docs_problem(Req *rq, const ProblemKey *in, ProblemAbout *out)
{
	int i = problem_code_of(in->code);

	if (i < 0)
		return problem(P_not_found);
	out->code = str_of(problem_rows[i].code);
	out->status = problem_rows[i].status;
	out->title = (Words){ str_of(problem_rows[i].title[LANG_EN]),
		              str_of(problem_rows[i].title[LANG_TH]) };
	out->detail =
	    (Words){ str_of(problem_details[i][LANG_EN]), str_of(problem_details[i][LANG_TH]) };
	if (str_eq(rq->media, S("text/html")))
		problem_page(rq, out);
	return NULL;
}

/* --- the whole API */

/* One row a field: its name, its schema, what it is about. */
static void
field_put(Buf *out, const Uses *uses, const Field *field, const char *name, Side side)
{
	Buf schema = { .arena = out->arena };

	buf_puts(out, "<tr><td>");
	page_element(out, "code", str_of(name));
	buf_puts(out,
	         field->required && side == SIDE_IN ? "<br>required</td><td>" : "</td><td>");
	schema_field_put(&schema, uses, field, side);
	page_element(out, "code", buf_str(&schema));
	buf_puts(out, "</td></tr>\n");
}

static void
params_put(Buf *out, const Uses *uses, const Model *model)
{
	static const char *const places[] = {
		[FROM_PATH] = "path",
		[FROM_QUERY] = "query",
		[FROM_HEADER] = "header",
	};
	bool any = false;

	for (size_t i = 0; i < model->n; i++) {
		const Field *field = &model->fields[i];

		if (field->from == FROM_BODY)
			continue;
		buf_puts(out, any ? "" : "<table>");
		any = true;
		field_put(
		    out, uses, field,
		    arena_print(out->arena, "%s: %s", places[field->from], param_name(field)),
		    SIDE_IN);
	}
	buf_puts(out, any ? "</table>\n" : "");
}

static void
body_schema_put(Buf *out, const Uses *uses, const char *what, const Model *model, Side side)
{
	Buf schema = { .arena = out->arena };

	buf_print(out, "<p>%s: ", what);
	schema_ref_put(&schema, uses, model, side);
	page_element(out, "code", buf_str(&schema));
	buf_puts(out, "</p>\n");
}

static void
problems_put(Buf *out, const Route *route)
{
	bool listed[PROBLEM_CODES];

	route_problems(route, listed);
	buf_puts(out, "<p>Problems:");
	for (int i = 0; i < PROBLEM_CODES; i++)
		if (listed[i])
			buf_print(out, " <a href=\"%s/problems/%s\">%s</a>",
			          conf->http_base_path, problem_rows[i].code,
			          problem_rows[i].code);
	buf_puts(out, "</p>\n");
}

static void
route_put(Buf *out, const Uses *uses, const Route *route)
{
	const Model *body = route_body(route);
	const char *permission = permission_names[route->who == ops ? ops_read : route->who];

	buf_print(out, "<h3 id=\"%s\"><code>%s %s</code></h3>", route->id,
	          method_name(route->method), route->path);
	page_element(out, "p", str_of(route->about));
	if (permission != NULL)
		buf_print(out, "<p>Needs <code>%s</code>.</p>", permission);
	else if (route->who == bearer)
		buf_puts(out, "<p>Needs an access token.</p>");
	params_put(out, uses, route->takes);
	if (body != NULL)
		body_schema_put(out, uses, "Body", body, SIDE_IN);
	if (model_has(route->gives, FROM_BODY))
		body_schema_put(out, uses, arena_print(out->arena, "Answer %d", route->status),
		                route->gives, SIDE_OUT);
	problems_put(out, route);
}

/* Is this the first route of its noun? */
static bool
begins_tag(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(route_tag(&routes[k]), route_tag(&routes[i])))
			return false;
	return true;
}

static void
tag_put(Buf *out, const Uses *uses, Str tag)
{
	page_element(out, "h2", tag);
	for (size_t i = 0; i < route_count; i++)
		if (str_eq(route_tag(&routes[i]), tag))
			route_put(out, uses, &routes[i]);
}

/* A table for each shape; where what is sent differs from what is answered, one for each. */
static void
schemas_page_put(Buf *out, const Uses *uses)
{
	static const char *const words[] = { [SIDE_IN] = "sent", [SIDE_OUT] = "answered" };

	for (size_t i = 0; i < uses->n; i++) {
		const Model *model = uses->v[i].model;

		for (int side = SIDE_IN; side <= SIDE_OUT; side++) {
			if (!uses->v[i].met[side])
				continue;
			buf_print(out, "<h3>%s, %s</h3><table>\n", model->name, words[side]);
			for (size_t k = 0; k < model->n; k++)
				if (model->fields[k].from == FROM_BODY)
					field_put(out, uses, &model->fields[k],
					          model->fields[k].name, (Side)side);
			buf_puts(out, "</table>\n");
		}
	}
}

const Problem *
docs_page(Req *rq, const Nothing *in, Nothing *none)
{
	Buf out = { .arena = rq->ctx->arena };
	Uses *uses = arena_new(rq->ctx->arena, Uses, 1);

	(void)in;
	(void)none;
	openapi_uses(uses);
	page_begin(&out, "Postern");
	buf_print(&out, "<p>For programs: <a href=\"%s/openapi.json\">openapi.json</a>.</p>\n",
	          conf->http_base_path);
	for (size_t i = 0; i < route_count; i++)
		if (begins_tag(i))
			tag_put(&out, uses, route_tag(&routes[i]));
	page_element(&out, "h2", S("shapes"));
	schemas_page_put(&out, uses);
	page_answer(rq, &out);
	return NULL;
}
