#pragma once

/*
 * UUIDs: version 7 from getrandom(2), which a fork cannot repeat. Text is lower case with
 * hyphens.
 */

#include "common/clock.h"

typedef struct Uuid {
	uint8_t b[16];
} Uuid;

#define UUID_TEXT_BYTES 36

/* A new one (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits. */
Uuid uuid7_make(void);

void uuid_put(Buf *buf, Uuid id);
Str uuid_str(Arena *arena, Uuid id);

/* The 36-character form, either case. */
bool uuid_read(Str text, Uuid *out) MUST_USE;
bool uuid_eq(Uuid a, Uuid b);

/* n bytes from the kernel's generator; cannot fail after boot (CHECK). */
void random_bytes(void *out, size_t n);
