#pragma once

/* What a text must look like besides its length: the rules behind a Field's format. */

#include "common/model.h"

#define PASSWORD_POINTS_MIN 12
#define PASSWORD_POINTS_MAX 256
#define PASSWORD_BYTES_MAX 511 /* libxcrypt fails from 512 on */

/*
 * Does well-formed UTF-8 without NUL have this format?
 * returns  true, or false with *wrong and the bound that its message names
 */
bool format_ok(Format format, Str text, FieldCode *wrong, int64_t *bound) MUST_USE;
