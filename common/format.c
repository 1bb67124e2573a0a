#include "common/format.h"

#include <string.h>

enum { EMAIL_BYTES_MAX = 254, LOCAL_BYTES_MAX = 64, LABEL_BYTES_MAX = 63 };

/*
 * Codes of ISO 4217 that have a minor unit (none: metals, baskets, tests), four bytes each.
 * Source: list one, 2024.
 */
static const char currencies[] =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV "
    "BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK "
    "DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT "
    "LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR "
    "MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF "
    "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP "
    "TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG "
    "XOF XPF YER ZAR ZMW ZWG ";

/* One of the characters in set; NUL is in none. */
static bool
among(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Letters, digits and hyphens inside, 1 to 63. Source: RFC 1123 section 2.1. */
static bool
label_ok(Str label)
{
	if (label.n == 0 || label.n > LABEL_BYTES_MAX || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_letter(label.p[i]) && !is_digit(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

/* At least two labels; the last is not all digits, so that no address of a host passes. */
static bool
domain_ok(Str domain)
{
	size_t labels = 0;
	bool named = false;
	Str label;

	while (str_next(&domain, '.', &label)) {
		if (!label_ok(label))
			return false;
		labels++;
		named = false;
		for (size_t i = 0; i < label.n; i++)
			named |= is_letter(label.p[i]);
	}
	return labels >= 2 && named;
}

/* A dot-string of RFC 5321; quoted local parts are of no use to anybody here. */
static bool
local_ok(Str local)
{
	Str atom;

	if (local.n == 0 || local.n > LOCAL_BYTES_MAX)
		return false;
	while (str_next(&local, '.', &atom)) {
		if (atom.n == 0)
			return false;
		for (size_t i = 0; i < atom.n; i++)
			if (!is_letter(atom.p[i]) && !is_digit(atom.p[i]) &&
			    !among(atom.p[i], "!#$%&'*+-/=?^_`{|}~"))
				return false;
	}
	return true;
}

static bool
email_ok(Str text)
{
	size_t at = str_find(text, '@');

	return text.n <= EMAIL_BYTES_MAX && at < text.n && local_ok(str_sub(text, 0, at)) &&
	       domain_ok(str_sub(text, at + 1, text.n));
}

/* Three capital letters; whether the code is in the list is another question. */
static bool
currency_shaped(Str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 'A' || text.p[i] > 'Z')
			return false;
	return text.n == 3;
}

static bool
currency_known(Str text)
{
	for (const char *p = currencies; *p != '\0'; p += 4)
		if (memcmp(p, text.p, 3) == 0)
			return true;
	return false;
}

static bool
slug_ok(Str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!(text.p[i] >= 'a' && text.p[i] <= 'z') && !is_digit(text.p[i]) &&
		    !among(text.p[i], "._-"))
			return false;
	return text.n > 0 && !str_eq(text, S(".")) && !str_eq(text, S(".."));
}

/* "host", "host:port", "[v6]:port"; no user information. */
static bool
authority_ok(Str authority)
{
	bool literal = authority.n > 0 && authority.p[0] == '[';
	size_t end = literal ? str_find(authority, ']') + 1 : str_find(authority, ':');
	Str host = str_sub(authority, 0, end), port = str_sub(authority, end, authority.n);
	uint64_t number = 1;

	if (end > authority.n || host.n == 0)
		return false;
	if (literal) {
		host = str_sub(host, 1, host.n - 1);
		for (size_t i = 0; i < host.n; i++)
			if (!is_digit(host.p[i]) && !among(host.p[i], "abcdefABCDEF:."))
				return false;
		if (str_find(host, ':') == host.n)
			return false;
	} else {
		for (size_t i = 0; i < host.n; i++)
			if (!is_letter(host.p[i]) && !is_digit(host.p[i]) &&
			    !among(host.p[i], "-._~"))
				return false;
	}
	return port.n == 0 ||
	       (port.p[0] == ':' && port.n <= 6 && str_u64(str_sub(port, 1, port.n), &number) &&
	        number >= 1 && number <= 65535);
}

/* Absolute, http or https, without user information and fragment. Source: RFC 3986. */
static bool
url_ok(Str text)
{
	size_t end;

	if (str_eq_nocase(str_sub(text, 0, 7), S("http://")))
		text = str_sub(text, 7, text.n);
	else if (str_eq_nocase(str_sub(text, 0, 8), S("https://")))
		text = str_sub(text, 8, text.n);
	else
		return false;
	end = MIN(str_find(text, '/'), str_find(text, '?'));
	if (!authority_ok(str_sub(text, 0, end)))
		return false;
	for (size_t i = end; i < text.n; i++) {
		if (!is_letter(text.p[i]) && !is_digit(text.p[i]) &&
		    !among(text.p[i], "-._~!$&'()*+,;=:@/?%"))
			return false;
		if (text.p[i] == '%' &&
		    (text.n - i < 3 || !among(text.p[i + 1], "0123456789abcdefABCDEF") ||
		     !among(text.p[i + 2], "0123456789abcdefABCDEF")))
			return false;
	}
	return true;
}

static bool
password_ok(Str text, FieldCode *wrong, int64_t *bound)
{
	size_t points = str_points(text);

	if (points < PASSWORD_POINTS_MIN) {
		*wrong = F_too_short;
		*bound = PASSWORD_POINTS_MIN;
	} else if (points > PASSWORD_POINTS_MAX) {
		*wrong = F_too_long;
		*bound = PASSWORD_POINTS_MAX;
	} else if (text.n > PASSWORD_BYTES_MAX) {
		*wrong = F_too_many_bytes;
		*bound = PASSWORD_BYTES_MAX;
	} else {
		return true;
	}
	return false;
}

bool
format_ok(Format format, Str text, FieldCode *wrong, int64_t *bound)
{
	*bound = 0;
	switch (format) {
	case FORMAT_NONE:
		return true;
	case FORMAT_EMAIL:
		*wrong = F_email;
		return email_ok(text);
	case FORMAT_CURRENCY:
		*wrong = currency_shaped(text) ? F_not_allowed : F_currency;
		return currency_shaped(text) && currency_known(text);
	case FORMAT_SLUG:
		*wrong = F_slug;
		return slug_ok(text);
	case FORMAT_URL:
		*wrong = F_url;
		return url_ok(text);
	case FORMAT_PASSWORD:
		return password_ok(text, wrong, bound);
	}
	return false;
}
