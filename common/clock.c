#include "common/clock.h"

#include <limits.h>
#include <string.h>
#include <time.h>

static const int64_t DAY_S = 86400, SECOND_US = 1000000;

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	CHECK(clock_gettime(clock, &now) == 0);
	return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

Instant
clock_now(void)
{
	return (Instant){ clock_us(CLOCK_REALTIME) };
}

Deadline
deadline_in_ms(int64_t ms)
{
	return (Deadline){ clock_mono_us() + ms * 1000 };
}

Deadline
deadline_min(Deadline a, Deadline b)
{
	return a.at_us < b.at_us ? a : b;
}

int
deadline_left_ms(Deadline deadline)
{
	int64_t left_ms = (deadline.at_us - clock_mono_us() + 999) / 1000;

	return left_ms <= 0 ? 0 : (int)MIN(left_ms, (int64_t)INT_MAX);
}

bool
deadline_passed(Deadline deadline)
{
	return clock_mono_us() >= deadline.at_us;
}

typedef struct Date {
	int64_t year, month, day;
} Date;

/*
 * Days since 1970-01-01, and back. Source: H. Hinnant, chrono-compatible low-level date
 * algorithms.
 */
static int64_t
days_of(Date date)
{
	int64_t year = date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year =
	    (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static Date
date_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day_of_era = shifted - era * 146097;
	int64_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	Date date = { .day = day_of_year - (153 * month + 2) / 5 + 1,
		      .month = month < 10 ? month + 3 : month - 9 };

	date.year = year_of_era + era * 400 + (date.month <= 2);
	return date;
}

static char *
put_pair(char *p, uint32_t number)
{
	static const char pairs[] =
	    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	    "8081828384858687888990919293949596979899";

	memcpy(p, pairs + 2 * number, 2);
	return p + 2;
}

void
instant_put(Buf *buf, Instant instant)
{
	int64_t shifted, seconds;
	uint32_t micros, of_day;
	Date date;
	char *p = buf_room(buf, INSTANT_TEXT_BYTES);

	CHECK(instant.us >= INSTANT_MIN_US && instant.us <= INSTANT_MAX_US);
	shifted = instant.us - INSTANT_MIN_US; /* never negative */
	seconds = shifted / SECOND_US;
	micros = (uint32_t)(shifted % SECOND_US);
	of_day = (uint32_t)(seconds % DAY_S);
	date = date_of(seconds / DAY_S + INSTANT_MIN_US / SECOND_US / DAY_S);
	p = put_pair(p, (uint32_t)date.year / 100);
	p = put_pair(p, (uint32_t)date.year % 100);
	*p++ = '-';
	p = put_pair(p, (uint32_t)date.month);
	*p++ = '-';
	p = put_pair(p, (uint32_t)date.day);
	*p++ = 'T';
	p = put_pair(p, of_day / 3600);
	*p++ = ':';
	p = put_pair(p, of_day / 60 % 60);
	*p++ = ':';
	p = put_pair(p, of_day % 60);
	*p++ = '.';
	p = put_pair(p, micros / 10000);
	p = put_pair(p, micros / 100 % 100);
	p = put_pair(p, micros % 100);
	*p = 'Z';
	buf->n += INSTANT_TEXT_BYTES;
}

Str
instant_text(Arena *arena, Instant instant)
{
	Buf buf = { .arena = arena };

	instant_put(&buf, instant);
	return buf_str(&buf);
}

/* Take `width` digits off the front. */
static bool
take_digits(Str *s, size_t width, int64_t *out)
{
	uint64_t number;

	if (s->n < width || !str_u64(str_sub(*s, 0, width), &number))
		return false;
	*out = (int64_t)number;
	*s = str_sub(*s, width, s->n);
	return true;
}

static bool
take_one_of(Str *s, const char *set, char *taken)
{
	if (s->n == 0 || strchr(set, s->p[0]) == NULL || s->p[0] == '\0')
		return false;
	*taken = s->p[0];
	*s = str_sub(*s, 1, s->n);
	return true;
}

/* ".123456789" or nothing. */
static bool
take_fraction(Str *s, int64_t *micros)
{
	char c;
	int64_t scale = SECOND_US / 10;
	size_t digits = 0;

	*micros = 0;
	if (!take_one_of(s, ".", &c))
		return true;
	while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		*micros += (s->p[0] - '0') * scale;
		scale /= 10;
		digits++;
		*s = str_sub(*s, 1, s->n);
	}
	return digits > 0;
}

static bool
take_offset(Str *s, int64_t *seconds)
{
	int64_t hours, minutes;
	char sign, c;

	*seconds = 0;
	if (take_one_of(s, "Zz", &c))
		return true;
	if (!take_one_of(s, "+-", &sign) || !take_digits(s, 2, &hours) ||
	    !take_one_of(s, ":", &c) || !take_digits(s, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*seconds = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

static bool
date_exists(Date date)
{
	static const int64_t month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);

	return date.year >= 1 && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
	       date.day <= month_days[date.month - 1] + (date.month == 2 && leap);
}

bool
instant_read(Str s, Instant *out)
{
	Date date;
	int64_t hour, minute, second, micros, offset_s, us;
	char c;

	if (!take_digits(&s, 4, &date.year) || !take_one_of(&s, "-", &c) ||
	    !take_digits(&s, 2, &date.month) || !take_one_of(&s, "-", &c) ||
	    !take_digits(&s, 2, &date.day) || !take_one_of(&s, "Tt ", &c) ||
	    !take_digits(&s, 2, &hour) || !take_one_of(&s, ":", &c) ||
	    !take_digits(&s, 2, &minute) || !take_one_of(&s, ":", &c) ||
	    !take_digits(&s, 2, &second) || !take_fraction(&s, &micros) ||
	    !take_offset(&s, &offset_s) || s.n != 0)
		return false;
	if (!date_exists(date) || hour > 23 || minute > 59 || second > 60)
		return false;
	us = (days_of(date) * DAY_S + hour * 3600 + minute * 60 + second - offset_s) *
	         SECOND_US +
	     micros;
	if (us < INSTANT_MIN_US || us > INSTANT_MAX_US)
		return false;
	out->us = us;
	return true;
}
