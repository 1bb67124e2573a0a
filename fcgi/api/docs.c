/* Pages for people: the whole API, and each problem. No script, nothing from elsewhere. */

#include "fcgi/handlers.h"

#include "common/params.h"
#include "common/settings.h"
#include "fcgi/openapi.h"

/* The hash is that of the style's bytes: a browser takes this style and no other. */
static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font:14px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;border-top:1px solid #8884;padding:.25rem .5rem}"
    "h2{margin-top:3rem}h3{margin-top:2rem}:root{color-scheme:light dark}";
static const char policy[] =
    "default-src 'none'; style-src 'sha256-Pt6uOR7BI6Q6tuLUGY8g5pD+NbDiguBwDw74NwhT7PI='; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void
text_put(Buf *out, Str text)
{
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		default:
			buf_byte(out, text.p[i]);
		}
	}
}

/* <tag>text</tag> */
static void
element_put(Buf *out, const char *tag, Str text)
{
	buf_print(out, "<%s>", tag);
	text_put(out, text);
	buf_print(out, "</%s>", tag);
}

static void
page_begin(Buf *out, const char *title)
{
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	              "<meta name=\"viewport\" content=\"width=device-width\">");
	element_put(out, "title", str_of(title));
	buf_puts(out, "<style>");
	buf_puts(out, style);
	buf_puts(out, "</style></head><body>\n");
	element_put(out, "h1", str_of(title));
}

static void
page_answer(Req *rq, Buf *out)
{
	buf_puts(out, "</body></html>\n");
	answer_header(rq, "Content-Security-Policy", str_of(policy));
	answer_raw(rq, buf_str(out));
	rq->media = S("text/html; charset=utf-8");
}

/* --- a problem */

static void
problem_page(Req *rq, const ProblemAbout *about)
{
	Buf out = { .arena = rq->ctx->arena };

	page_begin(&out, str_text(out.arena, about->code));
	buf_print(&out, "<p>Status %lld</p>\n<h2>English</h2>", (long long)about->status);
	element_put(&out, "p", about->title.en);
	element_put(&out, "p", about->detail.en);
	buf_puts(&out, "\n<div lang=\"th\"><h2>ภาษาไทย</h2>");
	element_put(&out, "p", about->title.th);
	element_put(&out, "p", about->detail.th);
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
	element_put(out, "code", str_of(name));
	buf_puts(out,
	         field->required && side == SIDE_IN ? "<br>required</td><td>" : "</td><td>");
	schema_field_put(&schema, uses, field, side);
	element_put(out, "code", buf_str(&schema));
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
	element_put(out, "code", buf_str(&schema));
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
	element_put(out, "p", str_of(route->about));
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
	element_put(out, "h2", tag);
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
	element_put(&out, "h2", S("shapes"));
	schemas_page_put(&out, uses);
	page_answer(rq, &out);
	return NULL;
}
