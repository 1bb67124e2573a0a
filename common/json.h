#pragma once

/*
 * JSON in and out (RFC 8259), strict, through the models. The only file that touches json-c.
 *
 * In: a lexer of ours refuses what json-c lets pass (json_check), then json-c parses and the model
 * reads. Out: streamed into one buffer, compact, members in the model's order, null written.
 */

#include "common/model.h"

#define JSON_DEPTH_MAX 32

/*
 * Is this one JSON value and nothing else? UTF-8 without BOM, depth at most depth_max, no duplicate
 * members (compared after unescaping), no \u0000, no lone surrogates, numbers by the grammar and
 * finite as doubles, no control characters in strings. members_max bounds the members of all objects
 * together.
 * returns  NULL, or malformed_json with a line for the log: what, at which byte
 */
const Problem *json_check(Ctx *ctx, Str text, size_t depth_max, size_t members_max) MUST_USE;

/*
 * Read an object into a model's struct: fields whose from is FROM_BODY.
 *
 * All wrong fields are found at once and added to errors, with RFC 6901 pointers below `at`:
 * required, unknown_field, type, and what field_check says. A body that is no object is `type`
 * at pointer "". Strings and lists live in the arena. Opt members learn given and has.
 * returns  NULL, or malformed_json
 */
const Problem *json_read(Ctx *ctx, Str text, const Model *model, void *out,
                         FieldErrors *errors) MUST_USE;

/* Write a struct as an object: its FROM_BODY fields, secrets too, null where an Opt has nothing. */
void json_write(Buf *out, const Model *model, const void *object);

/* Pieces, for what is not a model. */
void json_put_str(Buf *out, Str text);  /* quoted and escaped; bad UTF-8 becomes U+FFFD */
void json_put_num(Buf *out, double v);  /* shortest form that reads back; finite (CHECK) */
void json_put_time(Buf *out, Instant v);

/*
 * Walk a checked value without a model (metadata and tensors of other servers).
 * A JsonValue is json-c's; it lives as long as the arena.
 */
typedef struct json_object JsonValue;
const Problem *json_parse(Ctx *ctx, Str text, JsonValue **out) MUST_USE; /* json_check, then json-c */
JsonValue *json_get(JsonValue *object, const char *name);               /* NULL: no such member, or no object */
bool json_str(JsonValue *v, Str *out);
bool json_int(JsonValue *v, int64_t *out);
bool json_num(JsonValue *v, double *out);
size_t json_len(JsonValue *array);                                      /* 0 when it is none */
JsonValue *json_at(JsonValue *array, size_t i);
