#include "common/json_put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_scan.h"

/*
 * What a byte asks for: 0 to be copied, 'u' \u00XX, '8' a look at its UTF-8, else the letter
 * after '\'.
 */
static const char escapes[256] = {
	[0x00 ... 0x07] = 'u', ['\b'] = 'b',  ['\t'] = 't',          ['\n'] = 'n',
	[0x0B] = 'u',          ['\f'] = 'f',  ['\r'] = 'r',          [0x0E ... 0x1F] = 'u',
	['"'] = '"',           ['\\'] = '\\', [0x80 ... 0xFF] = '8',
};

/* Bytes at the front of s that may be copied as they are. */
static size_t
plain_run(Str s)
{
	size_t i = 0;

	for (;;) {
		while (s.n - i >= 8 && json_plain8(s.p + i))
			i += 8;
		while (i < s.n && escapes[(unsigned char)s.p[i]] == 0)
			i++;
		if (i == s.n || escapes[(unsigned char)s.p[i]] != '8')
			return i;
		for (size_t step; i < s.n && (s.p[i] & 0x80) != 0; i += step) {
			step = str_utf8_step((Str){ s.p + i, s.n - i });
			if (step == 0)
				return i;
		}
	}
}

static void
put_escape(Buf *out, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char escape = escapes[c];

	if (escape == '8') {
		buf_put(out, S("\xEF\xBF\xBD"));
	} else if (escape == 'u') {
		char text[] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

		buf_put(out, (Str){ text, sizeof text });
	} else {
		char text[] = { '\\', escape };

		buf_put(out, (Str){ text, sizeof text });
	}
}

void
json_put_str(Buf *out, Str text)
{
	buf_room(out, text.n + 2);
	buf_byte(out, '"');
	while (text.n > 0) {
		size_t run = plain_run(text);

		buf_put(out, (Str){ text.p, run });
		if (run == text.n)
			break;
		put_escape(out, (unsigned char)text.p[run]);
		text = str_sub(text, run + 1, text.n);
	}
	buf_byte(out, '"');
}

void
json_put_next(Buf *out)
{
	char last = out->n == 0 ? '[' : out->p[out->n - 1];

	if (last != '{' && last != '[' && last != ':')
		buf_byte(out, ',');
}

void
json_put_key(Buf *out, const char *name)
{
	json_put_next(out);
	json_put_str(out, str_of(name));
	buf_byte(out, ':');
}

void
json_put_num(Buf *out, double v)
{
	char text[32];

	CHECK(isfinite(v));
	if (fabs(v) < 1e15 && v == (double)(int64_t)v && !(v == 0 && signbit(v))) {
		buf_i64(out, (int64_t)v);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(out, text);
}

void
json_put_bool(Buf *out, bool v)
{
	buf_put(out, v ? S("true") : S("false"));
}

void
json_put_time(Buf *out, Instant v)
{
	buf_byte(out, '"');
	instant_put(out, v);
	buf_byte(out, '"');
}

void
json_put_uuid(Buf *out, Uuid v)
{
	buf_byte(out, '"');
	uuid_put(out, v);
	buf_byte(out, '"');
}
