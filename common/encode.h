#pragma once

/*
 * Bytes as text and back: base64 (RFC 4648 section 4), base64url without padding (section 5),
 * hex, percent.
 */

#include "common/str.h"

Str base64url(Arena *arena, const uint8_t *bytes, size_t n);

/* With padding, as mail wants it. */
Str base64(Arena *arena, const uint8_t *bytes, size_t n);

/* Canonical only: no padding, no other characters, no bits left over. */
bool base64url_read(Arena *arena, Str text, uint8_t **bytes, size_t *n) MUST_USE;

Str hex(Arena *arena, const uint8_t *bytes, size_t n);

/* The value of a hex digit of either case; -1 when it is none. */
int hex_digit(char c);

/* Percent-encoded for a query component: unreserved characters of RFC 3986 stay. */
Str percent(Arena *arena, Str s);

/*
 * Percent-decoding of a query component (a '+' is a space). False when a '%' is not followed by
 * two hex digits.
 */
bool percent_read(Arena *arena, Str s, Str *out) MUST_USE;
