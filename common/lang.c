#include "common/problem.h"

/* One language range of Accept-Language, as far as our languages care. */
typedef struct Range {
	Str primary; /* its first subtag, or "*" */
	bool whole;  /* nothing follows the first subtag */
	int q;       /* thousandths */
} Range;

/* "0.5" as 500; -1 when it is no qvalue. Source: RFC 9110 section 12.4.2. */
static int
qvalue(Str s)
{
	int q, scale = 100;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.n > 1 && s.p[1] != '.'))
		return -1;
	q = (s.p[0] - '0') * 1000;
	for (size_t i = 2; i < s.n; i++, scale /= 10) {
		if (!is_digit(s.p[i]))
			return -1;
		q += (s.p[i] - '0') * scale;
	}
	return q <= 1000 ? q : -1;
}

/*
 * Subtags of one to eight letters, after the first also digits; or "*". Source: RFC 4647
 * section 2.1.
 */
static bool
range_tag(Str tag, Range *out)
{
	Str part;

	out->whole = str_find(tag, '-') == tag.n;
	out->primary = str_sub(tag, 0, str_find(tag, '-'));
	if (str_eq(tag, S("*")))
		return true;
	for (bool first = true; str_next(&tag, '-', &part); first = false) {
		if (part.n == 0 || part.n > 8)
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!is_letter(part.p[i]) && (first || !is_digit(part.p[i])))
				return false;
	}
	return true;
}

/* One element of the list; false when it is empty or garbage. */
static bool
range_read(Str element, Range *out)
{
	size_t semicolon = str_find(element, ';');
	Str weight = str_trim(str_sub(element, semicolon + 1, element.n));

	out->q = 1000;
	if (semicolon < element.n) {
		if (!str_eq_nocase(str_sub(weight, 0, 2), S("q=")))
			return false;
		out->q = qvalue(str_sub(weight, 2, weight.n));
	}
	element = str_trim(str_sub(element, 0, semicolon));
	return out->q >= 0 && element.n > 0 && range_tag(element, out);
}

/*
 * How much a language is wanted: q of the best range that finds it, and which range that was.
 */
typedef struct Wish {
	int q;
	size_t at;
	bool refused;
} Wish;

/*
 * A range finds a language by its first subtag, which is where lookup ends after cutting from
 * the right.
 * "*" says only that anything will do: it never comes before a range that finds a language.
 */
Lang
lang_choose(Str accept_language)
{
	Wish wishes[LANGS] = { 0 };
	bool any = false;
	Lang chosen = LANG_EN;
	Str element;
	Range range;

	for (size_t at = 0; str_next(&accept_language, ',', &element); at++) {
		if (!range_read(element, &range))
			continue;
		any |= range.q > 0 && str_eq(range.primary, S("*"));
		for (unsigned i = 0; i < LANGS; i++) {
			if (!str_eq_nocase(range.primary, str_of(lang_tag(i))))
				continue;
			wishes[i].refused |= range.q == 0 && range.whole;
			if (range.q > wishes[i].q)
				wishes[i] = (Wish){ range.q, at, wishes[i].refused };
		}
	}
	for (unsigned i = 0; i < LANGS; i++) {
		const Wish *wish = &wishes[i], *best = &wishes[chosen];

		if (wish->refused || (wish->q == 0 && !any))
			continue;
		if (best->refused || wish->q > best->q ||
		    (wish->q == best->q && wish->at < best->at))
			chosen = i;
	}
	return chosen;
}
