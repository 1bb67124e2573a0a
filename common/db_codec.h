#pragma once

/*
 * Values of members in PostgreSQL's binary formats, both ways. Pure: bytes in, bytes out.
 *
 * What does not fit (a NULL where none was promised, a wrong length, an infinite instant, an
 * array of several dimensions or with a NULL in it, a label nobody knows) is refused with words
 * for the log, which never hold the value.
 */

#include "common/db.h"

/*
 * Append a parameter: its length as 4 bytes, big-endian, -1 for NULL, then its bytes.
 *
 * args     of the query
 * returns  NULL, or what is wrong; out then holds a part of it
 */
const char *codec_put(Buf *out, const DbParam *param, const void *const *args) MUST_USE;

/*
 * Store the value of a column in a row. Texts and arrays are copied into the arena.
 *
 * value    bytes from the server; p is NULL for SQL's NULL
 * returns  NULL, or what is wrong; the member is then untouched
 */
const char *codec_get(Arena *arena, const DbColumn *column, Str value, void *row) MUST_USE;

/*
 * Is a column of the server's type oid what the column was promised to be? Without this a table
 * changed under a running worker could give eight bytes of something else.
 */
bool codec_fits(DbType type, uint32_t oid);

/* The number of the text that these arguments choose; n_variants when there is no such. */
size_t codec_variant(const DbQuery *q, const void *const *args);
