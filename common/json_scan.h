#pragma once

/* Walking JSON text that json_check() has passed: where a value begins and ends. No checks. */

#include "common/str.h"

/* Eight bytes of ASCII that stand in a JSON string as they are. */
static inline bool
json_plain8(const char *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t w, quote, slash;

	memcpy(&w, p, sizeof w);
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	return (((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & high) == 0;
}

/* Cut spaces and one value off the front of *rest; the value comes without spaces around it. */
Str json_cut(Str *rest);

/* What is between the brackets or braces of an array or object. */
Str json_inside(Str value);

/*
 * Cut the next item, or the next member's value, off the inside of an array or object, with the
 * comma and the name before it; false at the end.
 */
bool json_item(Str *inside, Str *value);
bool json_member(Str *inside, Str *value);

/* Text between quotes, its escapes undone; borrowed when there are none. */
Str json_unescape(Arena *arena, Str raw);
