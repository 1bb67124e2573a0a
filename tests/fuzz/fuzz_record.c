/*
 * libFuzzer target for fcgi/record.c.
 *
 *   clang -fsanitize=fuzzer,address,undefined -DPOSTERN_SANITIZE …; ./fuzz_record
 * -max_total_time=60
 *
 * The first byte says how many bytes the reader is given at a time; the rest is what a peer
 * sent. Whatever it is, the reader must say the same as when it is given everything at once,
 * keep its limits, and let through no head that libfcgi could stumble over.
 */

#include <string.h>

#include "fcgi/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Outcome {
	RecordReader *reader;
	RecordEvent last;
	bool head;
	size_t body, replies; /* bytes */
} Outcome;

/* The pairs as libfcgi will see them: found again in the canonical copy, nothing in between. */
static void
check_head(RecordReader *reader)
{
	Str copy = record_canonical(reader), name, value;
	size_t i = 0, bytes = 0;

	CHECK(copy.n <= RECORD_PARAMS_MAX + 32);
	CHECK(memcmp(copy.p, "\1\1", 2) == 0 && memcmp(copy.p + copy.n - 8, "\1\4", 2) == 0);
	for (; record_pair(reader, i, &name, &value); i++) {
		CHECK(name.n > 0 && name.n <= RECORD_NAME_MAX);
		CHECK(memchr(name.p, '=', name.n) == NULL &&
		      memchr(name.p, '\0', name.n) == NULL);
		CHECK(value.n == 0 || memchr(value.p, '\0', value.n) == NULL);
		CHECK(name.p > copy.p && value.p == name.p + name.n);
		CHECK(value.p + value.n <= copy.p + copy.n - 8);
		bytes += name.n + value.n + 2;
	}
	CHECK(i <= RECORD_PAIRS_MAX && bytes <= RECORD_PARAMS_MAX);
	CHECK(record_param(reader, "REQUEST_METHOD").n > 0 && record_id(reader) != 0);
}

static Outcome
read_all(Arena *arena, Str bytes, size_t step)
{
	Outcome seen = { .reader = record_open(arena) };

	while (bytes.n > 0) {
		Str part = str_sub(bytes, 0, step), piece;
		size_t given = part.n;

		seen.last = record_next(seen.reader, &part, &piece);
		bytes = str_sub(bytes, given - part.n, bytes.n);
		if (seen.last == RECORD_BODY)
			seen.body += piece.n;
		else
			seen.replies += piece.n;
		CHECK(seen.last != RECORD_BODY || (seen.head && piece.n > 0));
		CHECK(seen.last != RECORD_HEAD || !seen.head);
		if (seen.last == RECORD_HEAD) {
			seen.head = true;
			check_head(seen.reader);
		}
		if (seen.last == RECORD_REFUSE)
			CHECK(record_canonical(seen.reader).n == 24 &&
			      record_status(seen.reader) >= 400);
		if (seen.last >= RECORD_REFUSE)
			CHECK(record_reason(seen.reader) != NULL);
		if (seen.last >= RECORD_REFUSE || seen.last == RECORD_END)
			break;
	}
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena *arena = arena_open(2 * RECORD_ARENA_MAX);
	Outcome whole, parts;
	Str bytes;

	if (size > 0) {
		bytes = (Str){ (const char *)data + 1, size - 1 };
		whole = read_all(arena, bytes, SIZE_MAX);
		parts = read_all(arena, bytes, data[0] % 32 + 1);
		CHECK(whole.head == parts.head && whole.body == parts.body);
		CHECK(whole.replies == parts.replies);
		CHECK(record_status(whole.reader) == record_status(parts.reader));
		CHECK(record_inside(whole.reader) == record_inside(parts.reader));
	}
	arena_close(arena);
	return 0;
}
