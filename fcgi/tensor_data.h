#pragma once

/*
 * The values of one tensor, as JSON text, against its datatype and shape.
 *
 * Pure, and quick: the text is walked where it stands, nothing is built from it, and memory is
 * taken for what is wrong alone.
 */

#include "common/model.h"

#define TENSOR_RANK_MAX 32

/* The datatypes of the Open Inference Protocol v2 that have a form in JSON. */
/* clang-format off */
typedef enum Datatype {
	TENSOR_BOOL,
	TENSOR_INT8, TENSOR_INT16, TENSOR_INT32, TENSOR_INT64,
	TENSOR_UINT8, TENSOR_UINT16, TENSOR_UINT32, TENSOR_UINT64,
	TENSOR_FP16, TENSOR_FP32, TENSOR_FP64,
	TENSOR_BYTES,
	TENSOR_DATATYPES
} Datatype;
/* clang-format on */

bool tensor_datatype_read(Str name, Datatype *out) MUST_USE;

/*
 * Check the data of one tensor; every value that is wrong is told, as far as there is room.
 *
 * data    a JSON value that json_check() has passed: prod(shape) values, row-major, flat or
 *         nested as the shape says. Truth values for BOOL, texts for BYTES, else numbers that
 *         the datatype holds: integers without fraction and exponent, reals that stay finite
 * shape   at most TENSOR_RANK_MAX lengths from 0 on
 * count   their product
 * at      where the data stand; pointers go on from there: "/inputs/0/data/1/3"
 * errors  type, out_of_range, shape (too few or too many, or nested otherwise)
 */
void tensor_data_check(Arena *arena, Str data, Datatype datatype, IntList shape, int64_t count,
                       Str at, FieldErrors *errors);
