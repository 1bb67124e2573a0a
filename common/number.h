#pragma once

/* Numbers as RFC 8259 section 6 writes them; "01", "+1", "1." and ".5" are none. */

#include "common/str.h"

/* Bytes of the number at the front of s, 0 for none. *whole: no fraction and no exponent. */
size_t number_scan(Str s, bool *whole);

/* Of what number_scan found: is it finite as a double? */
bool number_finite(Str number);

/* All of s is a finite number. */
bool number_read(Str s, double *out) MUST_USE;
