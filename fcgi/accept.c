#include "fcgi/accept.h"

static Str
without_parameters(Str type)
{
	return str_trim(str_sub(type, 0, str_find(type, ';')));
}

bool
media_is_one_of(Str content_type, Str types)
{
	Str wanted = without_parameters(content_type), type;

	while (str_next(&types, ' ', &type))
		if (str_eq_nocase(wanted, type))
			return true;
	return false;
}

/* "q=0.5" among the parameters, in thousandths; 1000 when there is none. */
static int
quality_of(Str range)
{
	Str part;
	int quality = 1000;

	while (str_next(&range, ';', &part)) {
		part = str_trim(part);
		if (part.n < 3 || (part.p[0] | 32) != 'q' || part.p[1] != '=')
			continue;
		quality = part.p[2] == '1' ? 1000 : 0;
		for (size_t i = 4, scale = 100; i < part.n && i < 7 && quality < 1000;
		     i++, scale /= 10)
			if (part.p[i] >= '0' && part.p[i] <= '9')
				quality += (part.p[i] - '0') * (int)scale;
	}
	return quality;
}

/* How exactly a range names a type: 3 exactly, 2 its main type, 1 any, 0 not at all. */
static int
fit_of(Str range, Str type)
{
	Str name = without_parameters(range);

	if (str_eq_nocase(name, type))
		return 3;
	if (str_eq(name, S("*/*")))
		return 1;
	return str_ends(name, S("/*")) &&
	               str_eq_nocase(str_sub(name, 0, name.n - 1),
	                             str_sub(type, 0, str_find(type, '/') + 1))
	           ? 2
	           : 0;
}

/* The quality of the most exact range that names the type. */
static int
type_quality(Str accept, Str type)
{
	Str range;
	int best_fit = 0, quality = 0;

	while (str_next(&accept, ',', &range)) {
		int fit = fit_of(range, type);

		if (fit > best_fit) {
			best_fit = fit;
			quality = quality_of(range);
		}
	}
	return quality;
}

/* Nothing that is asked for: no field, or a list of no elements. */
static bool
is_blank(Str accept)
{
	Str range;

	while (str_next(&accept, ',', &range))
		if (str_trim(range).n > 0)
			return false;
	return true;
}

Str
media_choose(Str accept, Str offered)
{
	Str best = STR_NONE, type;
	int best_quality = 0;
	bool any = is_blank(accept);

	while (str_next(&offered, ' ', &type)) {
		int quality = any ? 1 : type_quality(accept, type);

		if (quality > best_quality) {
			best_quality = quality;
			best = type;
		}
	}
	return best;
}
