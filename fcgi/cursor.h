#pragma once

/*
 * Cursors: where the next page begins, signed, and bound to the list they were made for.
 *
 * binding is the list's canonical query (sort and filters, without cursor and limit); a cursor
 * made under another one is invalid_cursor, as is one that we did not make.
 */

#include "fcgi/req.h"

/* Text for a place, which is whatever bytes the list needs to find its next row. */
const Problem *cursor_make(Req *rq, Str binding, Str place, Str *cursor) MUST_USE;

/* The place of a cursor that a client sent; problem invalid_cursor. */
const Problem *cursor_read(Req *rq, Str binding, Str cursor, Str *place) MUST_USE;
