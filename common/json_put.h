#pragma once

/* JSON, written piece by piece: what is not in a model. Nothing here reads JSON. */

#include "common/clock.h"
#include "common/uuid.h"

/* Quoted and escaped; each byte of bad UTF-8 becomes U+FFFD. */
void json_put_str(Buf *out, Str text);

/* The shortest of 15 to 17 digits that reads back as the same double; finite (CHECK). */
void json_put_num(Buf *out, double v);

void json_put_bool(Buf *out, bool v);
void json_put_time(Buf *out, Instant v);
void json_put_uuid(Buf *out, Uuid v);
