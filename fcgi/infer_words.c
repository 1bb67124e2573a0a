#include "fcgi/infer_words.h"

#include "common/encode.h"
#include "common/json.h"

static bool
is_alnum(char c)
{
	return is_digit(c) || is_letter(c);
}

/* The byte at i; NUL before the front and behind the end. */
static char
at(Str word, size_t i)
{
	return i < word.n ? word.p[i] : '\0';
}

static bool
holds(Str word, Str part)
{
	for (size_t i = 0; part.n > 0 && i + part.n <= word.n; i++)
		if (str_eq_nocase(str_sub(word, i, i + part.n), part))
			return true;
	return false;
}

/* Does it hold this name by itself, not as a part of a longer one? */
static bool
holds_name(Str word, Str name)
{
	for (size_t i = 0; name.n > 0 && i + name.n <= word.n; i++)
		if (str_eq_nocase(str_sub(word, i, i + name.n), name) &&
		    (i == 0 || !is_alnum(word.p[i - 1])) && !is_alnum(at(word, i + name.n)))
			return true;
	return false;
}

/* /opt/x, "/opt/x", ../x, a/b/c, x/y.py, C:\x; but not N/A or images/s. */
static bool
holds_path(Str word)
{
	size_t slashes = 0, dots = 0;

	for (size_t i = 0; i < word.n; i++) {
		char before = i == 0 ? '\0' : word.p[i - 1], after = at(word, i + 1);
		bool goes_on = is_alnum(after) || after == '_' || after == '.' || after == '~';

		if (word.p[i] == '\\' && goes_on)
			return true;
		if (word.p[i] == '/' && goes_on) {
			slashes++;
			if (!is_alnum(before))
				return true;
		}
		if (word.p[i] == '.' && is_letter(after))
			dots++;
	}
	return slashes > 1 || (slashes > 0 && dots > 0);
}

/* Digits from i on, at most 5; 0 when more follow, or a letter. */
static size_t
number_at(Str word, size_t i)
{
	size_t n = 0;

	while (is_digit(at(word, i + n)))
		n++;
	return n > 5 || is_letter(at(word, i + n)) ? 0 : n;
}

/* host:8000, [::1]:8000, file.py:17; but not input:0. */
static bool
holds_port(Str word)
{
	for (size_t i = 1; i < word.n; i++)
		if (word.p[i] == ':' && (is_alnum(word.p[i - 1]) || word.p[i - 1] == ']') &&
		    number_at(word, i + 1) >= 2)
			return true;
	return false;
}

/* Four numbers with dots between them. */
static bool
holds_ipv4(Str word)
{
	for (size_t i = 0; i < word.n; i++) {
		size_t end = i, numbers = 0;

		if (!is_digit(word.p[i]) || (i > 0 && is_alnum(word.p[i - 1])))
			continue;
		while (is_digit(at(word, end))) {
			while (is_digit(at(word, end)))
				end++;
			numbers++;
			if (at(word, end) != '.' || !is_digit(at(word, end + 1)))
				break;
			end++;
		}
		if (numbers == 4 && !is_alnum(at(word, end)))
			return true;
	}
	return false;
}

/* Hex digits with two colons or more, a digit among them: fe80::1, ::1; but not std::vector. */
static bool
holds_ipv6(Str word)
{
	size_t i = 0;

	while (i < word.n) {
		size_t start = i, colons = 0, digits = 0;

		while (i < word.n && (hex_digit(word.p[i]) >= 0 || word.p[i] == ':')) {
			colons += word.p[i] == ':';
			digits += is_digit(word.p[i]);
			i++;
		}
		if (colons >= 2 && digits > 0 && (start == 0 || !is_alnum(word.p[start - 1])) &&
		    !is_alnum(at(word, i)))
			return true;
		i += i == start;
	}
	return false;
}

/* 0x7f12ab… */
static bool
holds_pointer(Str word)
{
	for (size_t i = 0; i + 8 <= word.n; i++) {
		size_t n = 0;

		if (word.p[i] != '0' || (word.p[i + 1] != 'x' && word.p[i + 1] != 'X'))
			continue;
		while (i + 2 + n < word.n && hex_digit(word.p[i + 2 + n]) >= 0)
			n++;
		if (n >= 6)
			return true;
	}
	return false;
}

/* The host of a URL, without brackets. */
static Str
host_of(Str url)
{
	size_t slash = str_find(url, '/');
	Str host = str_sub(url, slash + 2, url.n);

	host = str_sub(host, 0, str_find(host, '/'));
	if (at(host, 0) == '[')
		return str_sub(host, 1, str_find(host, ']'));
	return str_sub(host, 0, str_find(host, ':'));
}

static bool
is_inside(Str word, StrList endpoints)
{
	for (size_t i = 0; i < endpoints.n; i++)
		if (holds_name(word, host_of(endpoints.v[i])))
			return true;
	return holds(word, S("://")) || holds(word, S("localhost")) || holds_path(word) ||
	       holds_port(word) || holds_ipv4(word) || holds_ipv6(word) || holds_pointer(word);
}

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7F;
}

/*
 * Bytes of the control character U+0080 to U+009F, or of the line ends U+2028 and U+2029, at i.
 */
static size_t
wide_blank(Str text, size_t i)
{
	Str rest = str_sub(text, i, text.n);

	if (rest.n >= 2 && rest.p[0] == '\xC2' && (unsigned char)rest.p[1] < 0xA0)
		return 2;
	return str_starts(rest, S("\xE2\x80\xA8")) || str_starts(rest, S("\xE2\x80\xA9")) ? 3
	                                                                                  : 0;
}

static Str
clean(Arena *arena, Str text, StrList endpoints)
{
	Buf out = { .arena = arena };
	size_t i = 0;

	while (i < text.n) {
		size_t start = i;
		Str word;

		while (i < text.n && !is_blank(text.p[i]) && wide_blank(text, i) == 0)
			i++;
		word = str_sub(text, start, i);
		if (word.n > 0 && out.n > 0)
			buf_byte(&out, ' ');
		buf_put(&out, is_inside(word, endpoints) ? S("\xE2\x80\xA6") : word);
		i += i < text.n ? MAX(wide_blank(text, i), (size_t)1) : 0;
	}
	return buf_str(&out);
}

/* Texts of a list of {msg: …}, as servers made with FastAPI write it. */
static Str
messages_of(Arena *arena, JsonValue *list)
{
	Buf out = { .arena = arena };
	Str text;

	for (size_t i = 0; i < json_len(list) && out.n < (size_t)4 * INFER_WORDS_MAX; i++)
		if (json_str(json_get(json_at(list, i), "msg"), &text))
			buf_print(&out, "%s%.*s", out.n > 0 ? "; " : "", STR_ARG(text));
	return buf_str(&out);
}

/* As much of a text as is needed, without half a word at its end, which would be misjudged. */
static Str
front_of(Str text)
{
	Str front = str_points_cut(text, (size_t)4 * INFER_WORDS_MAX);

	while (front.n < text.n && front.n > 0 && !is_blank(front.p[front.n - 1]))
		front.n--;
	return front;
}

Str
infer_words(Ctx *ctx, Str body, StrList endpoints)
{
	static const char *const members[] = { "error", "detail", "message" };
	Str text = STR_NONE, words;
	JsonValue *answer;

	if (json_parse(ctx, body, &answer) != NULL)
		return STR_NONE;
	for (size_t i = 0; i < COUNT(members) && text.n == 0; i++) {
		JsonValue *said = json_get(answer, members[i]);

		if (!json_str(said, &text))
			text = messages_of(ctx->arena, said);
	}
	words = clean(ctx->arena, front_of(text), endpoints);
	return words.n > 0 ? str_points_cut(words, INFER_WORDS_MAX) : STR_NONE;
}
