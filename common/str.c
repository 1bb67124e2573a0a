#include "common/str.h"

#include <stdio.h>

bool
bytes_eq(const char *a, const char *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool
str_eq_nocase(Str a, Str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
str_starts(Str s, Str head)
{
	return s.n >= head.n && (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
}

bool
str_ends(Str s, Str tail)
{
	return s.n >= tail.n &&
	       (tail.n == 0 || memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0);
}

Str
str_sub(Str s, size_t from, size_t to)
{
	to = MIN(to, s.n);
	from = MIN(from, to);
	return (Str){ s.p == NULL ? NULL : s.p + from, to - from };
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

Str
str_trim(Str s)
{
	while (s.n > 0 && blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
str_next(Str *rest, char c, Str *part)
{
	size_t at;

	if (rest->p == NULL)
		return false;
	at = str_find(*rest, c);
	*part = str_sub(*rest, 0, at);
	*rest = at == rest->n ? STR_NONE : str_sub(*rest, at + 1, rest->n);
	return true;
}

Str
str_keep(Arena *arena, Str s)
{
	return (Str){ str_text(arena, s), s.n };
}

char *
str_text(Arena *arena, Str s)
{
	char *text = arena_room(arena, s.n + 1);

	if (s.n > 0)
		memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}

void
buf_vprint(Buf *buf, const char *format, va_list args)
{
	enum { USUAL_BYTES = 128 };
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(buf_room(buf, USUAL_BYTES), USUAL_BYTES, format, args);
	CHECK(n >= 0);
	if (n >= USUAL_BYTES)
		vsnprintf(buf_room(buf, (size_t)n + 1), (size_t)n + 1, format, again);
	va_end(again);
	buf->n += (size_t)n;
}

Str
str_print(Arena *arena, const char *format, ...)
{
	Buf buf = { .arena = arena };
	va_list args;

	va_start(args, format);
	buf_vprint(&buf, format, args);
	va_end(args);
	return buf_str(&buf);
}

bool
str_eq_secret(Str a, Str b)
{
	unsigned char different = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		different |= (unsigned char)(a.p[i] ^ b.p[i]);
	return different == 0;
}

bool
str_u64(Str s, uint64_t *out)
{
	uint64_t number = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' ||
		    __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(s.p[i] - '0'), &number))
			return false;
	}
	*out = number;
	return true;
}

bool
str_i64(Str s, int64_t *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t size;

	if (!str_u64(minus ? str_sub(s, 1, s.n) : s, &size) ||
	    size > (uint64_t)INT64_MAX + minus)
		return false;
	*out = minus ? (int64_t)(0 - size) : (int64_t)size;
	return true;
}

/* Source: Unicode 15, table 3-7. */
size_t
str_utf8_step(Str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char least = 0x80, most = 0xBF;
	size_t length;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		length = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		length = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		length = 4;
	else
		return 0;
	if (p[0] == 0xE0)
		least = 0xA0;
	else if (p[0] == 0xED)
		most = 0x9F;
	else if (p[0] == 0xF0)
		least = 0x90;
	else if (p[0] == 0xF4)
		most = 0x8F;
	if (s.n < length || p[1] < least || p[1] > most)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (p[i] < 0x80 || p[i] > 0xBF)
			return 0;
	return length;
}

bool
str_is_utf8(Str s)
{
	for (size_t i = 0, step; i < s.n; i += step) {
		step = str_utf8_step((Str){ s.p + i, s.n - i });
		if (step == 0)
			return false;
	}
	return true;
}

size_t
str_points(Str s)
{
	size_t points = 0;

	for (size_t i = 0; i < s.n; i++)
		points += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return points;
}

Str
str_points_cut(Str s, size_t n)
{
	size_t i = 0;

	while (i < s.n && (n > 0 || ((unsigned char)s.p[i] & 0xC0) == 0x80)) {
		n -= ((unsigned char)s.p[i] & 0xC0) != 0x80;
		i++;
	}
	return str_sub(s, 0, i);
}

char *
buf_grow(Buf *buf, size_t n)
{
	size_t need, room;
	char *grown;

	CHECK(!__builtin_add_overflow(buf->n, n, &need));
	room = MAX(need, MAX(buf->room * 2, (size_t)256));
	grown = arena_room(buf->arena, room);
	if (buf->p != NULL)
		memcpy(grown, buf->p, buf->n);
	buf->p = grown;
	buf->room = room;
	return buf->p + buf->n;
}

void
buf_puts(Buf *buf, const char *text)
{
	buf_put(buf, str_of(text));
}

void
buf_print(Buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprint(buf, format, args);
	va_end(args);
}

void
buf_i64(Buf *buf, int64_t number)
{
	char digits[20];
	size_t n = sizeof digits;
	uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		digits[--n] = (char)('0' + size % 10);
		size /= 10;
	} while (size > 0);
	if (number < 0)
		digits[--n] = '-';
	buf_put(buf, (Str){ digits + n, sizeof digits - n });
}

Str
buf_str(const Buf *buf)
{
	return (Str){ buf->p == NULL ? "" : buf->p, buf->n };
}
