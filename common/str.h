#pragma once

/*
 * Text: a Str borrows bytes and their number; a Buf grows in an arena.
 *
 * A Str need not end in NUL. The text in it is UTF-8 only where its maker says so. Nothing here
 * looks at the locale.
 */

#include <stdarg.h>
#include <string.h>

#include "common/arena.h"

typedef struct Str {
	const char *p;
	size_t n;
} Str;

#define S(literal) ((Str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((Str){ NULL, 0 })

/* For printf("%.*s"). */
#define STR_ARG(s) (int)(s).n, (s).p

/* Of ASCII. */
static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* From a C string; NULL gives STR_NONE. */
static inline Str
str_of(const char *text)
{
	return text == NULL ? STR_NONE : (Str){ text, strlen(text) };
}

/* For str_eq: are these n bytes the same? */
bool bytes_eq(const char *a, const char *b, size_t n);

static inline bool
str_eq(Str a, Str b)
{
	return a.n == b.n && bytes_eq(a.p, b.p, a.n);
}

bool str_eq_nocase(Str a, Str b); /* ASCII letters only */
bool str_starts(Str s, Str head);
bool str_ends(Str s, Str tail);

/* The first of these bytes, as an index; s.n when there is none. */
static inline size_t
str_find(Str s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return at == NULL ? s.n : (size_t)(at - s.p);
}

/* s from byte `from` up to (not with) byte `to`; both are cut to s.n. */
Str str_sub(Str s, size_t from, size_t to);

/* Without spaces and tabs at both ends. */
Str str_trim(Str s);

/* Take what stands before the next c off the front of *rest; false when *rest is used up. */
bool str_next(Str *rest, char c, Str *part);

/* Copies in the arena; the second ends in NUL. */
Str str_keep(Arena *arena, Str s);
char *str_text(Arena *arena, Str s);
Str str_print(Arena *arena, const char *format, ...) PRINTF(2, 3);

/* Compare in a time that depends on the lengths alone. */
bool str_eq_secret(Str a, Str b);

/*
 * A decimal number: digits only, with one '-' before them for the signed; false when it does
 * not fit.
 */
bool str_i64(Str s, int64_t *out);
bool str_u64(Str s, uint64_t *out);

/* Well-formed UTF-8 (no surrogates, no overlong forms). NUL is a character here. */
bool str_is_utf8(Str s);

/* Bytes of the well-formed UTF-8 sequence at the front of s (1 to 4); 0 when there is none. */
size_t str_utf8_step(Str s);

/* Number of code points of well-formed UTF-8. */
size_t str_points(Str s);

/* The first n code points of well-formed UTF-8, or all of s. */
Str str_points_cut(Str s, size_t n);

/* Text that grows in an arena. Zeroed but for the arena it is empty. */
typedef struct Buf {
	Arena *arena;
	char *p;
	size_t n, room;
} Buf;

void buf_puts(Buf *buf, const char *text);
void buf_print(Buf *buf, const char *format, ...) PRINTF(2, 3);
void buf_vprint(Buf *buf, const char *format, va_list args) PRINTF(2, 0);
void buf_i64(Buf *buf, int64_t number);

/* For buf_room: move to a larger place. */
char *buf_grow(Buf *buf, size_t n);

/* Room for n more bytes, uninitialised; what is used of it is added to buf->n by the caller. */
static inline char *
buf_room(Buf *buf, size_t n)
{
	return buf->p != NULL && n <= buf->room - buf->n ? buf->p + buf->n : buf_grow(buf, n);
}

static inline void
buf_byte(Buf *buf, char c)
{
	*buf_room(buf, 1) = c;
	buf->n++;
}

static inline void
buf_put(Buf *buf, Str s)
{
	if (s.n == 0)
		return;
	memcpy(buf_room(buf, s.n), s.p, s.n);
	buf->n += s.n;
}

Str buf_str(const Buf *buf);
