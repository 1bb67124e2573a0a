#include "fcgi/rooms.h"

#include <ctype.h>
#include <stddef.h>

#include "common/json.h"
#include "common/params.h"

/* A header by its name in lower case, as the models write it. */
static Str
header_of(const void *of, const char *name)
{
	char cgi[128] = "HTTP_";
	size_t n = 5;

	for (; *name != '\0' && n < sizeof cgi - 1; name++)
		cgi[n++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
	CHECK(*name == '\0');
	cgi[n] = '\0';
	return req_header(of, cgi);
}

/* A path that cannot name anything is a path where nothing is. */
static bool
path_is_wrong(const Model *model, const FieldErrors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		const Field *field =
		    model_field(model, str_sub(errors->v[i].pointer, 1, SIZE_MAX));

		if (field != NULL && field->from == FROM_PATH)
			return true;
	}
	return false;
}

static const Problem *
params_intake(Req *rq)
{
	const Model *takes = rq->route->takes;
	FieldErrors *errors = arena_new(rq->ctx->arena, FieldErrors, 1);

	params_read(rq->ctx,
	            &(Params){ .path = rq->route->path,
	                       .path_values = rq->path_values,
	                       .query = rq->query,
	                       .header = header_of,
	                       .of = rq },
	            takes, rq->in, errors);
	if (path_is_wrong(takes, errors))
		return problem(P_not_found);
	return problem_fields(rq->ctx, P_invalid_parameter, errors);
}

static bool
has_body_fields(const Model *model)
{
	for (size_t i = 0; i < model->n; i++)
		if (model->fields[i].from == FROM_BODY)
			return true;
	return false;
}

static const Problem *
body_intake(Req *rq)
{
	const Model *takes = rq->route->takes;
	FieldErrors *errors;

	TRY(wire_body(rq->wire, rq->ctx, body_limit(rq), &rq->body));
	if (rq->route->reads != NULL)
		return NULL;
	if (!has_body_fields(takes))
		return rq->body.n == 0 ? NULL
		                       : problem_inside(rq->ctx, P_bad_request,
		                                        "a body, where none is taken");
	if (rq->body.n == 0 && rq->route->empty_body) {
		model_start(takes, true, rq->in);
		return NULL;
	}
	if (rq->body.n > 0 && wire_param(rq->wire, "CONTENT_TYPE").n == 0)
		return problem(P_unsupported_media_type);
	errors = arena_new(rq->ctx->arena, FieldErrors, 1);
	TRY(json_read(rq->ctx, rq->body, takes, rq->in, errors));
	return problem_fields(rq->ctx, P_validation_failed, errors);
}

const Problem *
intake_read(Req *rq)
{
	rq->in = arena_take(rq->ctx->arena, 1, rq->route->takes->size, _Alignof(max_align_t));
	TRY(params_intake(rq));
	return body_intake(rq);
}
