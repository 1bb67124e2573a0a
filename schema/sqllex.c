#include "schema/sqllex.h"

#include <string.h>

static bool
word_start(char c)
{
	return is_letter(c) || c == '_' || (c & 0x80) != 0;
}

static bool
space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char
at_byte(Str s, size_t i)
{
	return i < s.n ? s.p[i] : '\0';
}

/* Behind the closing quote; 0 when there is none. A doubled quote stands for itself. */
static size_t
quoted_end(Str s, size_t open, bool escapes)
{
	char quote = s.p[open];

	for (size_t i = open + 1; i < s.n; i++) {
		bool escaped = escapes && s.p[i] == '\\';
		bool doubled = s.p[i] == quote && at_byte(s, i + 1) == quote;

		if (escaped || doubled)
			i++;
		else if (s.p[i] == quote)
			return i + 1;
	}
	return 0;
}

/* Behind the closing $tag$, or 0; *is says whether a dollar quote begins here at all. */
static size_t
dollar_end(Str s, size_t open, bool *is)
{
	size_t i = open + 1;
	size_t n;

	if (!is_digit(at_byte(s, i)))
		while (word_start(at_byte(s, i)) || is_digit(at_byte(s, i)))
			i++;
	*is = at_byte(s, i) == '$';
	if (!*is)
		return 0;
	n = i + 1 - open;
	for (const char *p = s.p + i + 1; p + n <= s.p + s.n; p++)
		if (memcmp(p, s.p + open, n) == 0)
			return (size_t)(p - s.p) + n;
	return 0;
}

static size_t
block_end(Str s, size_t open)
{
	int depth = 0;

	for (size_t i = open; i + 1 < s.n; i++) {
		if (s.p[i] == '/' && s.p[i + 1] == '*') {
			depth++;
			i++;
		} else if (s.p[i] == '*' && s.p[i + 1] == '/') {
			i++;
			if (--depth == 0)
				return i + 1;
		}
	}
	return 0;
}

static size_t
word_end(Str s, size_t i)
{
	while (word_start(at_byte(s, i)) || is_digit(at_byte(s, i)) || at_byte(s, i) == '$')
		i++;
	return i;
}

/* Behind :name.member.member. */
static size_t
param_end(Str s, size_t colon)
{
	size_t i = word_end(s, colon + 1);

	while (at_byte(s, i) == '.' && word_start(at_byte(s, i + 1)))
		i = word_end(s, i + 1);
	return i;
}

static SqlToken
token(SqlKind kind, Str s, size_t at, size_t end)
{
	if (end == 0)
		return (SqlToken){ SQL_BROKEN, str_sub(s, at, s.n), at };
	return (SqlToken){ kind, str_sub(s, at, end), at };
}

static SqlToken
dollar_token(Str s, size_t at)
{
	bool quote;
	size_t end = dollar_end(s, at, &quote);

	if (quote)
		return token(SQL_QUOTED, s, at, end);
	for (end = at + 1; is_digit(at_byte(s, end)); end++)
		;
	return token(end == at + 1 ? SQL_OTHER : SQL_NUMBERED, s, at, end);
}

SqlToken
sql_token(Str s, size_t at)
{
	char c = at_byte(s, at), next = at_byte(s, at + 1);
	size_t end = at + 1;

	if (at >= s.n)
		return (SqlToken){ SQL_END, STR_NONE, s.n };
	if (space(c)) {
		while (space(at_byte(s, end)))
			end++;
		return token(SQL_SPACE, s, at, end);
	}
	if (c == '-' && next == '-')
		return token(SQL_LINE, s, at, at + str_find(str_sub(s, at, s.n), '\n'));
	if (c == '/' && next == '*')
		return token(SQL_BLOCK, s, at, block_end(s, at));
	if (c == '\'' || c == '"')
		return token(SQL_QUOTED, s, at, quoted_end(s, at, false));
	if ((c == 'e' || c == 'E') && next == '\'')
		return token(SQL_QUOTED, s, at, quoted_end(s, at + 1, true));
	if (c == '$')
		return dollar_token(s, at);
	if (word_start(c) || is_digit(c))
		return token(SQL_WORD, s, at, word_end(s, at));
	if (c == ':' && (next == ':' || next == '='))
		return token(SQL_OTHER, s, at, at + 2);
	if (c == ':' && word_start(next))
		return token(SQL_PARAM, s, at, param_end(s, at));
	if (c == '|' && next == '|')
		return token(SQL_OTHER, s, at, at + 2);
	return token(c == ';' ? SQL_SEMICOLON : c == '|' ? SQL_BAR : SQL_OTHER, s, at, end);
}

int
sql_line(Str source, size_t at)
{
	int line = 1;

	for (size_t i = 0; i < at && i < source.n; i++)
		line += source.p[i] == '\n';
	return line;
}
