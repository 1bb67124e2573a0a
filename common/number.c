#include "common/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t
digits_end(Str s, size_t from)
{
	while (from < s.n && s.p[from] >= '0' && s.p[from] <= '9')
		from++;
	return from;
}

static bool
stands_at(Str s, size_t i, char c)
{
	return i < s.n && s.p[i] == c;
}

size_t
number_scan(Str s, bool *whole)
{
	size_t start = stands_at(s, 0, '-') ? 1 : 0, end = digits_end(s, start), from;

	*whole = true;
	if (end == start || (s.p[start] == '0' && end > start + 1))
		return 0;
	if (stands_at(s, end, '.')) {
		*whole = false;
		from = end + 1;
		end = digits_end(s, from);
		if (end == from)
			return 0;
	}
	if (stands_at(s, end, 'e') || stands_at(s, end, 'E')) {
		*whole = false;
		from = end + 1;
		if (stands_at(s, from, '+') || stands_at(s, from, '-'))
			from++;
		end = digits_end(s, from);
		if (end == from)
			return 0;
	}
	return end;
}

/* strtod() wants a NUL, which a slice does not have. */
static double
to_double(Str number)
{
	char small[64], *text = small;
	double v;

	if (number.n >= sizeof small) {
		text = malloc(number.n + 1);
		CHECK(text != NULL);
	}
	memcpy(text, number.p, number.n);
	text[number.n] = '\0';
	v = strtod(text, NULL);
	if (text != small)
		free(text);
	return v;
}

/*
 * The exponent of ten, 0 when it is negative or absent, INT32_MAX when it is too long to be
 * read.
 */
static uint64_t
power_of(Str number)
{
	size_t e = MIN(str_find(number, 'e'), str_find(number, 'E'));
	uint64_t power = 0;

	if (e == number.n || stands_at(number, e + 1, '-'))
		return 0;
	if (!str_u64(str_sub(number, e + (stands_at(number, e + 1, '+') ? 2 : 1), number.n),
	             &power))
		return INT32_MAX;
	return MIN(power, (uint64_t)INT32_MAX);
}

bool
number_finite(Str number)
{
	size_t digits = digits_end(number, stands_at(number, 0, '-') ? 1 : 0);

	/* below 10^300 there is no doubt */
	return digits + power_of(number) <= 300 || isfinite(to_double(number));
}

bool
number_read(Str s, double *out)
{
	bool whole;

	if (s.n == 0 || number_scan(s, &whole) != s.n || !number_finite(s))
		return false;
	*out = to_double(s);
	return true;
}
