#include "tests/lib/record_bench.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

Arena *arena;

int
record_bench_open(void **state)
{
	(void)state;
	arena = arena_open(MIB(64));
	return 0;
}

int
record_bench_close(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

/* --- making records */

void
put_record(Buf *to, int type, unsigned id, Str content, size_t padding)
{
	const char header[8] = { 1,
		                 (char)type,
		                 (char)(id >> 8),
		                 (char)id,
		                 (char)(content.n >> 8),
		                 (char)content.n,
		                 (char)padding,
		                 0 };

	buf_put(to, (Str){ header, sizeof header });
	buf_put(to, content);
	memset(buf_room(to, padding), 'p', padding);
	to->n += padding;
}

void
put_begin(Buf *to, unsigned id, char role)
{
	const char begin[8] = { 0, role };

	put_record(to, BEGIN, id, (Str){ begin, sizeof begin }, 0);
}

void
put_pair(Buf *to, Str name, Str value)
{
	buf_byte(to, (char)0x80);
	buf_byte(to, (char)(name.n >> 16));
	buf_byte(to, (char)(name.n >> 8));
	buf_byte(to, (char)name.n);
	if (value.n < 128) {
		buf_byte(to, (char)value.n);
	} else {
		buf_byte(to, (char)0x80);
		buf_byte(to, (char)(value.n >> 16));
		buf_byte(to, (char)(value.n >> 8));
		buf_byte(to, (char)value.n);
	}
	buf_put(to, name);
	buf_put(to, value);
}

Buf
pairs_needed(void)
{
	Buf pairs = { .arena = arena };

	put_pair(&pairs, S("REQUEST_METHOD"), S("GET"));
	put_pair(&pairs, S("REQUEST_URI"), S("/a?b"));
	return pairs;
}

Buf
head_of(Str pairs)
{
	Buf head = { .arena = arena };

	put_begin(&head, 1, 1);
	for (size_t i = 0; i < pairs.n; i += 65535)
		put_record(&head, PARAMS, 1, str_sub(pairs, i, i + 65535), 3);
	put_record(&head, PARAMS, 1, S(""), 5);
	return head;
}

static void
put_letter(Buf *to, char letter)
{
	static const char values[] = "\016\0FCGI_MAX_CONNS\017\0FCGI_MPXS_CONNS\1\0X";
	Str ask = { values, sizeof values - 1 }, pairs;
	Buf needed = pairs_needed(), many = { .arena = arena };

	pairs = buf_str(&needed);
	/* clang-format off */
	switch (letter) {
	case 'b': put_begin(to, 1, 1); break;
	case 'r': put_begin(to, 1, 2); break;            /* an authorizer */
	case 'o': put_begin(to, 2, 1); break;            /* another id */
	case '0': put_begin(to, 0, 1); break;
	case 'l': put_record(to, BEGIN, 1, S("long long"), 0); break;
	case 'p': put_record(to, PARAMS, 1, pairs, 4); break;
	case 'P': put_record(to, PARAMS, 1, S(""), 0); break;
	case 'd': put_record(to, STDIN, 1, S("hello"), 3); break;
	case 'D': put_record(to, STDIN, 1, S(""), 0); break;
	case 'a': put_record(to, ABORT, 1, S(""), 0); break;
	case 'z': put_record(to, DATA, 1, S("data"), 0); break;
	case 'u': put_record(to, STDOUT, 1, S("out"), 0); break;
	case 'q': put_record(to, PARAMS, 2, pairs, 1); break;
	case 'e': put_record(to, PARAMS, 2, S(""), 0); break;
	case 's': put_record(to, STDIN, 2, S("stray"), 255); break;
	case 'v': put_record(to, GET_VALUES, 0, ask, 7); break;
	case 'n': put_record(to, GET_VALUES, 0, S(""), 0); break;
	case 'w': put_record(to, GET_VALUES, 0, S("\177\177x"), 0); break;
	case 'm': put_record(to, UNKNOWN, 0, S("manage"), 2); break;
	case 'V': /* what kills libfcgi 2.4.2 */
		for (int i = 0; i < 20; i++)
			buf_put(&many, (Str){ values, 16 });
		put_record(to, GET_VALUES, 0, buf_str(&many), 0);
		break;
	case 'W':
		for (int i = 0; i < 50; i++)
			buf_put(&many, (Str){ values, 16 });
		put_record(to, GET_VALUES, 0, buf_str(&many), 0);
		break;
	case '2':
		put_record(to, PARAMS, 1, S(""), 0);
		to->p[to->n - 8] = 2; /* version */
		break;
	default: fail_msg("no letter %c", letter);
	}
	/* clang-format on */
}

Buf
records_of(const char *letters)
{
	Buf all = { .arena = arena };

	for (; *letters != '\0'; letters++)
		put_letter(&all, *letters);
	return all;
}

/* --- reading them */

Seen
read_all(Str bytes, size_t step)
{
	Seen seen = { .body = { .arena = arena }, .replies = { .arena = arena } };
	size_t n = 0;

	seen.reader = record_open(arena);
	while (bytes.n > 0) {
		Str part = str_sub(bytes, 0, step), piece;
		RecordEvent event = record_next(seen.reader, &part, &piece);
		char letter = "MHBERXC"[event];

		bytes = str_sub(bytes, MIN(step, bytes.n) - part.n, bytes.n);
		if (event == RECORD_BODY)
			buf_put(&seen.body, piece);
		if (event == RECORD_REPLY || event == RECORD_CLOSE)
			buf_put(&seen.replies, piece);
		if (event == RECORD_MORE ||
		    (event == RECORD_BODY && n > 0 && seen.events[n - 1] == 'B'))
			continue;
		assert_true(n < sizeof seen.events - 1);
		seen.events[n++] = letter;
		if (strchr("EXC", letter) != NULL)
			break;
	}
	return seen;
}

void
expect(const char *name, Str bytes, const char *events, const char *reason)
{
	static const size_t steps[] = { SIZE_MAX, 1, 7, 4096 };

	for (size_t i = 0; i < COUNT(steps); i++) {
		Seen seen = read_all(bytes, steps[i]);
		const char *why = record_reason(seen.reader);

		if (strcmp(seen.events, events) != 0 ||
		    strcmp(why == NULL ? "" : why, reason) != 0)
			fail_msg("%s in steps of %zu: %s %s, not %s %s", name, steps[i],
			         seen.events, why == NULL ? "" : why, events, reason);
	}
}
