#pragma once

/* JSON, written piece by piece: what is not in a model. Nothing here reads JSON. */

#include "common/clock.h"
#include "common/uuid.h"

/* Before each item: a comma, unless an array or object has just begun, or a name was put. */
void json_put_next(Buf *out);

/* The next member's name and colon, with the comma before it. */
void json_put_key(Buf *out, const char *name);

/* Quoted and escaped; each byte of bad UTF-8 becomes U+FFFD. */
void json_put_str(Buf *out, Str text);

/* The shortest of 15 to 17 digits that reads back as the same double; finite (CHECK). */
void json_put_num(Buf *out, double v);

void json_put_bool(Buf *out, bool v);
void json_put_time(Buf *out, Instant v);
void json_put_uuid(Buf *out, Uuid v);
