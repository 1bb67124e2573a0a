#pragma once

/*
 * Parameters of the path, the query and the headers, through the models: fields whose from is
 * not FROM_BODY.
 *
 * Unlike a body, a query has no types: its text is read as the field's kind says. A parameter
 * that the model does not know is an error, and so is one that comes twice and is no list.
 * Headers that the model does not name are nobody's business.
 */

#include "common/model.h"

typedef struct Params {
	const char *path;       /* template: "/v1/products/{id}" */
	const Str *path_values; /* decoded, one for each brace of the template, in its order */
	Str query;              /* raw, without '?' */
	/* name in lower case; STR_NONE when absent */
	Str (*header)(const void *of, const char *name);
	const void *of; /* handed to header() */
} Params;

/*
 * Read the parameters into a model's struct, after its documented initial values.
 *
 * All that is wrong is found at once and added to errors with pointers "/name", where name is
 * the one on the wire. Texts and lists live in the arena or in what was given.
 */
void params_read(Ctx *ctx, const Params *in, const Model *model, void *out,
                 FieldErrors *errors);

/* The field's name as a client writes it. */
const char *param_name(const Field *field);

/*
 * The query that reads as this struct: FROM_QUERY fields that have a value, in the model's
 * order, percent-encoded, without those whose member is named in `but` (NULL at its end).
 */
Str params_text(Arena *arena, const Model *model, const void *object, const char *const *but);
