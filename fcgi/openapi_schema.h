#pragma once

/* Models as JSON schemas (draft 2020-12, as OpenAPI 3.1 has them). */

#include "common/model.h"

typedef enum Side {
	SIDE_IN,  /* what a client sends: bounds, defaults, only what is required is */
	SIDE_OUT, /* what it is answered: every member is there, null where there is nothing */
} Side;

/* Which models occur on which side, in the order in which they were met. */
#define USES_MAX 256
typedef struct Uses {
	struct {
		const Model *model;
		bool met[2];
	} v[USES_MAX];
	size_t n;
} Uses;

/* Remember a model and those inside it. */
void uses_add(Uses *uses, const Model *model, Side side);

/* {"$ref": …} to a model's schema. */
void schema_ref_put(Buf *out, const Uses *uses, const Model *model, Side side);

/* The schema of one field's value. */
void schema_field_put(Buf *out, const Uses *uses, const Field *field, Side side);

/* A member for each model that was met. One that differs by side is there as NameInput too. */
void schemas_put(Buf *out, const Uses *uses);
