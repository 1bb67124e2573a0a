#pragma once

/*
 * The document that describes the API (OpenAPI 3.1), made from the route table and the models.
 *
 * The same tables give the same bytes. What a table cannot say is said here by rules, which
 * hold for every route: who may be refused how, what travels in which header.
 */

#include "common/ctx.h"
#include "fcgi/openapi_schema.h"
#include "fcgi/req.h"

/* Write the document; http.base_path of the present settings is its server. */
void openapi_write(Buf *out);

/* The same, made when it is first asked for and kept by the process. */
Str openapi_text(Ctx *ctx);

/* --- what the document knows of a route, for the page that people read */

/* The models that all routes take and give. */
void openapi_uses(Uses *uses);

/* What may go wrong there: a mark for each code, those of its own and those of its kind. */
void route_problems(const Route *route, bool listed[PROBLEM_CODES]);

/* The shape of the body that it reads; NULL when it reads none. */
const Model *route_body(const Route *route);

/* The noun that it belongs to: "products" of "/v1/products/{id}", else the name of its lane. */
Str route_tag(const Route *route);
const char *method_name(Method method); /* in lower case */
