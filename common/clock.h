#pragma once

/*
 * Time: monotonic for what is waited for, wall clock for what is written down.
 *
 * A Deadline is an instant of the monotonic clock, never a number of milliseconds. An Instant
 * is microseconds since 1970-01-01T00:00:00Z, in the years 0001 to 9999, without leap seconds.
 */

#include "common/str.h"

typedef struct Deadline {
	int64_t at_us; /* CLOCK_MONOTONIC */
} Deadline;

typedef struct Instant {
	int64_t us;
} Instant;

#define INSTANT_MIN_US INT64_C(-62135596800000000) /* 0001-01-01 */
#define INSTANT_MAX_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999 */

int64_t clock_mono_us(void);
Instant clock_now(void);

Deadline deadline_in_ms(int64_t ms);

/* The earlier of the two. */
Deadline deadline_min(Deadline a, Deadline b);

/* What is left: milliseconds rounded up, 0 when it has passed, at most INT_MAX. For poll(). */
int deadline_left_ms(Deadline deadline);
bool deadline_passed(Deadline deadline);

#define INSTANT_TEXT_BYTES 27

/* RFC 3339 in UTC with microseconds: 2026-11-21T09:00:00.123456Z. */
Str instant_text(Arena *arena, Instant instant);
void instant_put(Buf *buf, Instant instant);

/*
 * Any RFC 3339 date-time; digits beyond microseconds are cut off. A leap second reads as the
 * next.
 */
bool instant_read(Str text, Instant *out) MUST_USE;
