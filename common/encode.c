#include "common/encode.h"

static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_digits[] = "0123456789abcdef";

/* Six bits a digit, without padding. text: room for n * 4 / 3 + 4. returns  how many digits */
static size_t
sixes_put(const char *digits, const uint8_t *bytes, size_t n, char *text)
{
	size_t length = 0;
	uint32_t bits = 0;
	int held = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			text[length++] = digits[bits >> (held - 6) & 63];
	}
	if (held > 0)
		text[length++] = digits[bits << (6 - held) & 63];
	return length;
}

Str
base64url(Arena *arena, const uint8_t *bytes, size_t n)
{
	char *text = arena_take(arena, n * 4 / 3 + 4, 1, 1);

	return (Str){ text, sixes_put(base64url_digits, bytes, n, text) };
}

Str
base64(Arena *arena, const uint8_t *bytes, size_t n)
{
	char *text = arena_take(arena, n * 4 / 3 + 4, 1, 1);
	size_t length = sixes_put(base64_digits, bytes, n, text);

	while (length % 4 != 0)
		text[length++] = '=';
	return (Str){ text, length };
}

static int
base64url_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
base64url_read(Arena *arena, Str text, uint8_t **bytes, size_t *n)
{
	uint8_t *out = arena_new(arena, uint8_t, text.n * 3 / 4 + 1);
	size_t length = 0;
	uint32_t bits = 0;
	int held = 0;

	if (text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = base64url_digit(text.p[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[length++] = (uint8_t)(bits >> held);
		}
	}
	if ((bits & ((1U << held) - 1)) != 0)
		return false;
	*bytes = out;
	*n = length;
	return true;
}

Str
hex(Arena *arena, const uint8_t *bytes, size_t n)
{
	char *text = arena_take(arena, n * 2 + 1, 1, 1);

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = hex_digits[bytes[i] >> 4];
		text[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
	return (Str){ text, n * 2 };
}

static bool
unreserved(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

Str
percent(Arena *arena, Str s)
{
	Buf buf = { .arena = arena };

	for (size_t i = 0; i < s.n; i++) {
		if (unreserved(s.p[i]))
			buf_byte(&buf, s.p[i]);
		else
			buf_print(&buf, "%%%02X", (unsigned)(unsigned char)s.p[i]);
	}
	return buf_str(&buf);
}

int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
percent_read(Arena *arena, Str s, Str *out)
{
	char *text = arena_take(arena, s.n + 1, 1, 1);
	size_t length = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			int high = s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1;
			int low = s.n - i > 2 ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			text[length++] = (char)(high << 4 | low);
			i += 2;
		} else {
			text[length++] = s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	*out = (Str){ text, length };
	return true;
}
