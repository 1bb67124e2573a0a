#include "common/json_scan.h"

#include <string.h>

#include "common/encode.h"

static bool
space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static Str
skip_space(Str s)
{
	while (s.n > 0 && space(s.p[0]))
		s = str_sub(s, 1, s.n);
	return s;
}

/* Bytes of the string at the front, with its quotes. */
static size_t
string_bytes(Str s)
{
	size_t i = 1;

	while (s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i + 1;
}

/* Bytes of the array or object at the front. */
static size_t
nest_bytes(Str s)
{
	size_t depth = 0, i = 0;

	do {
		if (s.p[i] == '"') {
			i += string_bytes(str_sub(s, i, s.n));
			continue;
		}
		if (s.p[i] == '{' || s.p[i] == '[')
			depth++;
		else if (s.p[i] == '}' || s.p[i] == ']')
			depth--;
		i++;
	} while (depth > 0);
	return i;
}

Str
json_cut(Str *rest)
{
	Str s = skip_space(*rest), value;
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '"') {
		n = string_bytes(s);
	} else if (s.n > 0 && (s.p[0] == '{' || s.p[0] == '[')) {
		n = nest_bytes(s);
	} else {
		while (n < s.n && !space(s.p[n]) && strchr(",]}:", s.p[n]) == NULL)
			n++;
	}
	value = str_sub(s, 0, n);
	*rest = str_sub(s, n, s.n);
	return value;
}

Str
json_inside(Str value)
{
	return str_sub(value, 1, value.n - 1);
}

static Str
skip_mark(Str s, char mark)
{
	s = skip_space(s);
	return s.n > 0 && s.p[0] == mark ? str_sub(s, 1, s.n) : s;
}

bool
json_item(Str *inside, Str *value)
{
	*inside = skip_mark(*inside, ',');
	*value = json_cut(inside);
	return value->n > 0;
}

bool
json_member(Str *inside, Str *value)
{
	if (!json_item(inside, value))
		return false;
	*inside = skip_mark(*inside, ':');
	*value = json_cut(inside);
	return true;
}

static uint32_t
hex4(const char *p)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++)
		unit = unit << 4 | (uint32_t)hex_digit(p[i]);
	return unit;
}

static char *
put_point(char *out, uint32_t point)
{
	if (point < 0x80) {
		*out++ = (char)point;
		return out;
	}
	if (point < 0x800) {
		*out++ = (char)(0xC0 | point >> 6);
	} else {
		if (point < 0x10000) {
			*out++ = (char)(0xE0 | point >> 12);
		} else {
			*out++ = (char)(0xF0 | point >> 18);
			*out++ = (char)(0x80 | (point >> 12 & 0x3F));
		}
		*out++ = (char)(0x80 | (point >> 6 & 0x3F));
	}
	*out++ = (char)(0x80 | (point & 0x3F));
	return out;
}

Str
json_unescape(Arena *arena, Str raw)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *p = raw.p, *end = raw.p + raw.n, *letter;
	char *text, *out;

	if (str_find(raw, '\\') == raw.n)
		return raw;
	text = out = arena_new(arena, char, raw.n + 1);
	while (p < end) {
		if (*p != '\\') {
			*out++ = *p++;
		} else if (p[1] == 'u') {
			uint32_t point = hex4(p + 2);

			p += 6;
			if (point >= 0xD800 && point <= 0xDBFF) {
				point =
				    0x10000 + ((point - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
				p += 6;
			}
			out = put_point(out, point);
		} else {
			letter = strchr(letters, p[1]);
			*out++ = letter == NULL ? p[1] : meant[letter - letters];
			p += 2;
		}
	}
	return (Str){ text, (size_t)(out - text) };
}
