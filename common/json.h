#pragma once

/*
 * JSON in and out (RFC 8259), strict, through the models. The only file that touches json-c.
 *
 * In: a lexer of ours refuses what json-c lets pass (json_check), then json-c parses and the
 * model reads. Out: streamed into one buffer, compact, members in the model's order, null
 * written.
 */

#include "common/json_put.h"
#include "common/model.h"

#define JSON_DEPTH_MAX 32
#define JSON_MEMBERS_MAX 20000 /* of what json-c parses: about 16 MiB at worst */

/*
 * Is this one JSON value and nothing else? UTF-8 without BOM, depth at most depth_max, no
 * duplicate members (compared after unescaping), no \u0000, no lone surrogates, numbers by the
 * grammar and finite as doubles, no control characters in strings. members_max bounds the
 * members of all objects and the objects themselves, together.
 *
 * returns  NULL, or malformed_json with a line for the log: what, at which byte
 */
const Problem *json_check(Ctx *ctx, Str text, size_t depth_max, size_t members_max) MUST_USE;

/*
 * Read an object into a model's struct: fields whose from is FROM_BODY, after their initial
 * values.
 *
 * All wrong fields are found at once and added to errors, with RFC 6901 pointers: required,
 * unknown_field, type, and what field_check says. A body that is no object is `type` at pointer
 * "". An integer has neither fraction nor exponent: 1.0 and 1e2 are `type`. Null where a field
 * may not be null is `type`, or `required` where it is required. KIND_JSON keeps the text as it
 * was written. Strings and lists live in the arena, secrets where they are wiped. Opt members
 * learn given and has.
 *
 * returns  NULL, or malformed_json
 */
const Problem *json_read(Ctx *ctx, Str text, const Model *model, void *out,
                         FieldErrors *errors) MUST_USE;

/*
 * Write a struct as an object: its FROM_BODY fields, secrets too, null where an Opt has
 * nothing. KIND_JSON loses its spaces. What has no form in JSON (an infinite number, JSON text
 * that is empty) becomes null, so that the answer is always JSON.
 */
void json_write(Buf *out, const Model *model, const void *object);

/*
 * Walk a checked value without a model (metadata of other servers), made by json_parse:
 * json_check with JSON_DEPTH_MAX and JSON_MEMBERS_MAX, then json-c. A JsonValue is json-c's,
 * NULL for null; it lives as long as the arena. Integers of 64 bits or more are none for
 * json_int.
 */
typedef struct json_object JsonValue;
const Problem *json_parse(Ctx *ctx, Str text, JsonValue **out) MUST_USE;
JsonValue *json_get(JsonValue *object, const char *name); /* NULL: no such member or object */
bool json_str(JsonValue *v, Str *out);
bool json_int(JsonValue *v, int64_t *out);
size_t json_len(JsonValue *array); /* 0 when it is none */
JsonValue *json_at(JsonValue *array, size_t i);
