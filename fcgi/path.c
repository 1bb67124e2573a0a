#include "fcgi/path.h"

#include <string.h>

#include "common/encode.h"

/* "http://host/path" to "/path". */
static Str
uri_path(Str uri)
{
	static const Str schemes[] = { { "http://", 7 }, { "https://", 8 } };

	for (size_t i = 0; i < COUNT(schemes); i++) {
		if (uri.n >= schemes[i].n &&
		    str_eq_nocase(str_sub(uri, 0, schemes[i].n), schemes[i])) {
			Str rest = str_sub(uri, schemes[i].n, uri.n);

			return str_sub(rest, MIN(str_find(rest, '/'), str_find(rest, '?')),
			               rest.n);
		}
	}
	return uri;
}

/* Percent-decoding of a path: a '+' stays, and what could change the segments is refused. */
static bool
path_decode(Arena *arena, Str raw, Str *out)
{
	char *text = arena_take(arena, raw.n + 1, 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '%') {
			int high = raw.n - i > 2 ? hex_digit(raw.p[i + 1]) : -1;
			int low = raw.n - i > 2 ? hex_digit(raw.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
			if (c == '/')
				return false;
		}
		if ((unsigned char)c < 0x20 || c == 0x7F)
			return false;
		text[n++] = c;
	}
	*out = (Str){ text, n };
	return str_is_utf8(*out);
}

static bool
segments_are_plain(Str path)
{
	Str rest = str_sub(path, 1, path.n), segment;

	if (rest.n == 0)
		return true;
	while (str_next(&rest, '/', &segment)) {
		bool last = rest.p == NULL;

		if ((segment.n == 0 && !last) || str_eq(segment, S(".")) ||
		    str_eq(segment, S("..")))
			return false;
	}
	return true;
}

bool
path_read(Arena *arena, Str uri, Str base, Str *path, Str *query, bool *found)
{
	Str local = uri_path(uri);
	size_t mark = str_find(local, '?');
	Str whole;

	*query = str_sub(local, mark + 1, local.n);
	if (!str_starts(local, S("/")) ||
	    !path_decode(arena, str_sub(local, 0, mark), &whole) || !segments_are_plain(whole))
		return false;
	*found = str_starts(whole, base);
	*path = *found ? str_sub(whole, base.n, whole.n) : whole;
	*found = *found && path->n > 0 && path->p[0] == '/';
	return true;
}

bool
path_fits(Str path, const char *template, Str *values, size_t most)
{
	size_t at = 0, n = 0;

	while (*template != '\0') {
		if (*template != '{') {
			if (at >= path.n || path.p[at++] != *template ++)
				return false;
			continue;
		}
		template = strchr(template, '}') + 1;
		{
			Str rest = str_sub(path, at, path.n);
			Str value = str_sub(rest, 0, str_find(rest, '/'));

			if (value.n == 0)
				return false;
			CHECK(n < most);
			values[n++] = value;
			at += value.n;
		}
	}
	return at == path.n;
}
