#pragma once

/*
 * Requests and answers of the Open Inference Protocol v2 in JSON, and what a model declares.
 *
 * Pure: text in, problems out. The envelope is read; data are checked where they stand
 * (tensor_data.h). What JSON cannot carry here is refused: binary tensors, shared memory.
 */

#include "fcgi/tensor_data.h"
#include "schema/models/models.h"

#define TENSORS_MAX 256 /* of a request, an answer, a declaration */

/* n 0: it is not known what the model takes or gives. */
typedef struct TensorSpecs {
	TensorSpec *v;
	size_t n;
} TensorSpecs;

typedef struct TensorPlan {
	TensorSpecs inputs, outputs;
} TensorPlan;

/*
 * Check the body of a request and the tensors in it, also against what the model declares
 * where that is known. Members that the protocol does not have are unknown_field; `id`,
 * `parameters` and `outputs` may be null, as some clients write them.
 *
 * errors  malformed_json; invalid_tensor with fields; validation_failed with fields when only
 *         the frame around the tensors is wrong
 */
const Problem *tensor_request_check(Ctx *ctx, Str body, const TensorPlan *plan) MUST_USE;

/*
 * Check another server's answer: one JSON value (NaN is none), an object with outputs whose
 * datatypes, shapes and data fit together. Members beyond the protocol are its own business.
 *
 * errors  upstream_error, with the reason for the log
 */
const Problem *tensor_answer_check(Ctx *ctx, Str body) MUST_USE;

/*
 * Read a declaration, a list of {name, datatype, shape}, from JSON text that has been checked.
 *
 * at      where it stands, for pointers
 * open    it is another server's: unknown members are passed over, and datatypes without a
 *         form in JSON are taken
 * out     what could be read
 * errors  field errors, as for a body
 */
void tensor_specs_read(Arena *arena, Str list, Str at, bool open, TensorSpecs *out,
                       FieldErrors *errors);

/* The same list as JSON. */
void tensor_specs_write(Buf *out, const TensorSpecs *specs);

/* From another server's metadata; what it does not tell, or does not tell well, has n 0. */
void tensor_plan_read(Ctx *ctx, Str metadata, TensorPlan *out);
