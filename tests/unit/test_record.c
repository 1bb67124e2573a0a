#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fcgi/record.h"

enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, UNKNOWN = 77 };

static Arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_open(MIB(64));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

/* --- making records */

static void
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

static void
put_begin(Buf *to, unsigned id, char role)
{
	const char begin[8] = { 0, role };

	put_record(to, BEGIN, id, (Str){ begin, sizeof begin }, 0);
}

static void
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

static Buf
pairs_needed(void)
{
	Buf pairs = { .arena = arena };

	put_pair(&pairs, S("REQUEST_METHOD"), S("GET"));
	put_pair(&pairs, S("REQUEST_URI"), S("/a?b"));
	return pairs;
}

/* BEGIN and PARAMS, in records of at most 65,535 bytes. */
static Buf
head_of(Str pairs)
{
	Buf head = { .arena = arena };

	put_begin(&head, 1, 1);
	for (size_t i = 0; i < pairs.n; i += 65535)
		put_record(&head, PARAMS, 1, str_sub(pairs, i, i + 65535), 3);
	put_record(&head, PARAMS, 1, S(""), 5);
	return head;
}

/* One letter, one record. */
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

static Buf
records_of(const char *letters)
{
	Buf all = { .arena = arena };

	for (; *letters != '\0'; letters++)
		put_letter(&all, *letters);
	return all;
}

/* --- reading them */

typedef struct Seen {
	char events[64]; /* Head, Body (bytes in a row: once), End, Reply, X refused, Closed */
	Buf body, replies;
	RecordReader *reader;
} Seen;

/* Feed the bytes, at most `step` at a time, until the end or a final event. */
static Seen
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

static void
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

static void
records_are_taken_refused_or_closed_by_their_order(void **state)
{
	static const struct {
		const char *letters, *events, *reason;
	} rows[] = {
		{ "bpPD", "HE", "" },
		{ "bpPdD", "HBE", "" },
		{ "bpPdddD", "HBE", "" },
		{ "bpPDbpPD", "HE", "" }, /* one request a connection */
		/* management: before the request, nowhere else */
		{ "vbpPD", "RHE", "" },
		{ "nmVbpPD", "RRRHE", "" },
		{ "wbpPD", "C", "values" },
		{ "WbpPD", "C", "values" },
		{ "bvpPD", "X", "management" },
		{ "bpvPD", "X", "management" },
		{ "bpmPD", "X", "management" },
		{ "bpPvD", "HX", "management" },
		{ "bpPWD", "HX", "management" },
		{ "bpPdVD", "HBX", "management" },
		{ "bpPdmD", "HBX", "management" },
		{ "bp0PD", "X", "management" },
		/* BEGIN */
		{ "0pPD", "C", "begin" },
		{ "lpPD", "C", "begin" },
		{ "rpPD", "C", "role" },
		{ "bbpPD", "C", "begun_twice" },
		{ "bpbPD", "C", "begun_twice" },
		{ "bpPdbD", "HBC", "begun_twice" },
		{ "2", "C", "version" },
		{ "bp2", "X", "version" },
		{ "bpPd2", "HBX", "version" },
		/* other ids: skipped, also empty ones, which libfcgi mishandles */
		{ "qesbpPD", "HE", "" },
		{ "beqspPD", "HE", "" },
		{ "bpesPdD", "HBE", "" },
		{ "bpPesdesD", "HBE", "" },
		{ "bopoPodoD", "RRHRBRE", "" },
		{ "adzpDbpPD", "HE", "" }, /* no request has begun, so these are nobody's */
		/* out of order */
		{ "baPD", "X", "aborted" },
		{ "bpaPD", "X", "aborted" },
		{ "bpPaD", "HX", "aborted" },
		{ "bpPdaD", "HBX", "aborted" },
		{ "bdpPD", "X", "order" },
		{ "bDpPD", "X", "order" },
		{ "bzpPD", "X", "order" },
		{ "bpuPD", "X", "order" },
		{ "bpPzD", "HX", "order" },
		{ "bpPpD", "HX", "order" },
		{ "bpPPD", "HX", "order" },
		{ "bPD", "X", "no_method" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf bytes = records_of(rows[i].letters);

		expect(rows[i].letters, buf_str(&bytes), rows[i].events, rows[i].reason);
	}
}

static void
parameters_are_checked(void **state)
{
	static const struct {
		Str name, value;
		const char *reason;
	} rows[] = {
		{ S("X"), S(""), "" },
		{ S(""), S("a"), "name" },
		{ S("A=B"), S("a"), "name" },
		{ S("A B"), S("a"), "name" },
		{ S("A\0B"), S("a"), "name" },
		{ S("A\x7f"), S("a"), "name" },
		{ S("\xc3\xa4"), S("a"), "name" },
		{ S("FCGI_ROLE"), S("RESPONDER"), "name" },
		{ S("X"), S("a\tb\x80\xff\x7f"), "" },
		{ S("X"), S("a\0b"), "value" },
		{ S("X"), S("a\rb"), "value" },
		{ S("HTTP_X"), S("a\nb"), "value" },
		/* once */
		{ S("REQUEST_METHOD"), S("GET"), "repeated" },
		{ S("REQUEST_METHOD"), S("POST"), "repeated" },
		{ S("REQUEST_URI"), S("/a?b"), "repeated" },
		/* lengths */
		{ S("CONTENT_LENGTH"), S(""), "" },
		{ S("CONTENT_LENGTH"), S("-1"), "" },
		{ S("CONTENT_LENGTH"), S("0"), "" },
		{ S("CONTENT_LENGTH"), S("007"), "" },
		{ S("CONTENT_LENGTH"), S("18446744073709551615"), "" },
		{ S("CONTENT_LENGTH"), S("18446744073709551623"), "content_length" },
		{ S("CONTENT_LENGTH"), S("+7"), "content_length" },
		{ S("CONTENT_LENGTH"), S(" 7"), "content_length" },
		{ S("CONTENT_LENGTH"), S("-2"), "content_length" },
		{ S("CONTENT_LENGTH"), S("7, 7"), "content_length" },
		{ S("CONTENT_LENGTH"), S("0x7"), "content_length" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf pairs = pairs_needed(), head;

		put_pair(&pairs, rows[i].name, rows[i].value);
		head = head_of(buf_str(&pairs));
		expect(rows[i].value.p, buf_str(&head), rows[i].reason[0] == '\0' ? "H" : "X",
		       rows[i].reason);
	}
}

static void
names_repeat_only_where_nobody_is_misled(void **state)
{
	static const struct {
		const char *name, *first, *second, *reason;
	} rows[] = {
		{ "HTTP_X_FORWARDED_FOR", "192.0.2.1", "192.0.2.2", "" },
		{ "HTTP_COOKIE", "a=1", "a=1", "" },
		{ "SCRIPT_NAME", "/a", "/a", "" },
		{ "SCRIPT_NAME", "/a", "/b", "repeated" },
		{ "X_OF_THE_SITE", "1", "2", "repeated" },
		{ "CONTENT_LENGTH", "5", "5", "repeated" },
		{ "CONTENT_LENGTH", "5", "6", "repeated" },
		{ "CONTENT_TYPE", "a/b", "a/b", "repeated" },
		{ "REMOTE_ADDR", "192.0.2.1", "192.0.2.1", "repeated" },
		{ "REMOTE_USER", "", "admin", "repeated" },
		{ "QUERY_STRING", "", "", "repeated" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf pairs = pairs_needed(), head;

		put_pair(&pairs, str_of(rows[i].name), str_of(rows[i].first));
		put_pair(&pairs, str_of(rows[i].name), str_of(rows[i].second));
		head = head_of(buf_str(&pairs));
		expect(rows[i].name, buf_str(&head), rows[i].reason[0] == '\0' ? "H" : "X",
		       rows[i].reason);
	}
}

static void
method_and_uri_must_be_there(void **state)
{
	static const struct {
		Str name, value;
		const char *reason;
	} rows[] = {
		{ S("REQUEST_METHOD"), S("GET"), "no_uri" },
		{ S("REQUEST_URI"), S("/"), "no_method" },
		{ S("REQUEST_METHOD"), S(""), "no_method" },
		{ S("Request_Method"), S("GET"), "no_method" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf pairs = { .arena = arena }, head;

		put_pair(&pairs, rows[i].name, rows[i].value);
		head = head_of(buf_str(&pairs));
		expect(rows[i].name.p, buf_str(&head), "X", rows[i].reason);
	}
}

static void
lengths_that_lie_are_refused(void **state)
{
	static const Str rows[] = {
		S("\001"),
		S("\200"),
		S("\200\0\0"),
		S("\001\200\0\0"),
		S("\001\001A"),
		S("\002\001AB"),
		S("\177\001A"),
		S("\001\177A"),
		S("\377\377\377\377\001A"),
		S("\001\377\377\377\377A"),
		S("\377\377\377\377\377\377\377\377A"),
		S("\377\377\377\375\001A"),
		S("\300\0\0\0\300\0\0\0A"),
		S("\200\0\0\001\377\377\377\377A"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf pairs = pairs_needed(), head;

		buf_put(&pairs, rows[i]);
		head = head_of(buf_str(&pairs));
		expect("length", buf_str(&head), "X", "pair_length");
	}
}

static void
names_of_256_bytes_and_400_pairs_are_the_most(void **state)
{
	static const struct {
		size_t name_bytes, pairs;
		const char *reason;
	} rows[] = {
		{ 256, 3, "" },
		{ 257, 3, "name" },
		{ 5, 400, "" },
		{ 5, 401, "pairs" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf pairs = pairs_needed(), head;
		char name[258];

		for (size_t k = 2; k < rows[i].pairs; k++) {
			memset(name, 'N', sizeof name);
			name[0] = (char)('A' + k % 20);
			name[1] = (char)('A' + k / 20);
			put_pair(&pairs, (Str){ name, rows[i].name_bytes }, S(""));
		}
		head = head_of(buf_str(&pairs));
		expect("most", buf_str(&head), rows[i].reason[0] == '\0' ? "H" : "X",
		       rows[i].reason);
	}
}

/* PARAMS of exactly n bytes. */
static Buf
params_of(size_t n)
{
	Buf pairs = pairs_needed(), value = { .arena = arena };
	size_t rest = n - pairs.n - 4 - 4 - 1;

	memset(buf_room(&value, rest), 'v', rest);
	value.n = rest;
	put_pair(&pairs, S("X"), buf_str(&value));
	assert_int_equal(pairs.n, n);
	return pairs;
}

static void
params_of_65280_bytes_are_the_most(void **state)
{
	static const struct {
		size_t n;
		int status;
	} rows[] = {
		{ 1000, 0 }, { 65280, 0 }, { 65281, 431 }, { 65600, 431 }, { 200000, 431 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf pairs = params_of(rows[i].n), head = head_of(buf_str(&pairs));
		Seen seen = read_all(buf_str(&head), 1000);

		assert_string_equal(seen.events, rows[i].status == 0 ? "H" : "X");
		assert_int_equal(record_status(seen.reader), rows[i].status);
	}
}

static void
the_canonical_copy_has_the_pairs_in_one_record(void **state)
{
	Buf pairs = params_of(65280), bytes = { .arena = arena }, want = { .arena = arena };
	static const char begin[8] = { 0, 1, 1 };
	Seen seen;
	Str canonical;

	(void)state;
	put_begin(&bytes, 0xABCD, 1);
	for (size_t i = 0; i < pairs.n; i++)
		put_record(&bytes, PARAMS, 0xABCD, str_sub(buf_str(&pairs), i, i + 1), i % 3);
	put_record(&bytes, PARAMS, 0xABCD, S(""), 9);
	seen = read_all(buf_str(&bytes), SIZE_MAX);
	assert_string_equal(seen.events, "H");

	put_record(&want, BEGIN, 0xABCD, (Str){ begin, 8 }, 0);
	put_record(&want, PARAMS, 0xABCD, buf_str(&pairs), 0);
	put_record(&want, PARAMS, 0xABCD, S(""), 0);
	canonical = record_canonical(seen.reader);
	assert_true(str_eq(canonical, buf_str(&want)));
	assert_true(canonical.n <= RECORD_PARAMS_MAX + 32);
	assert_int_equal(record_id(seen.reader), 0xABCD);
}

static void
the_canonical_copy_of_a_refused_head_has_no_pairs(void **state)
{
	static const char begin[8] = { 0, 1, 1 };
	Buf bytes = records_of("bpa"), want = { .arena = arena };
	Seen seen;

	(void)state;
	seen = read_all(buf_str(&bytes), SIZE_MAX);
	assert_string_equal(seen.events, "X");
	put_record(&want, BEGIN, 1, (Str){ begin, 8 }, 0);
	put_record(&want, PARAMS, 1, S(""), 0);
	assert_true(str_eq(record_canonical(seen.reader), buf_str(&want)));
}

static void
parameters_are_found_and_come_in_order(void **state)
{
	Buf pairs = pairs_needed(), head;
	Str name, value;
	Seen seen;

	(void)state;
	put_pair(&pairs, S("HTTP_A"), S("1"));
	put_pair(&pairs, S("HTTP_A"), S("2"));
	put_pair(&pairs, S("EMPTY"), S(""));
	head = head_of(buf_str(&pairs));
	seen = read_all(buf_str(&head), 1);
	assert_true(str_eq(record_param(seen.reader, "REQUEST_URI"), S("/a?b")));
	assert_true(str_eq(record_param(seen.reader, "HTTP_A"), S("1")));
	assert_non_null(record_param(seen.reader, "EMPTY").p);
	assert_int_equal(record_param(seen.reader, "EMPTY").n, 0);
	assert_null(record_param(seen.reader, "HTTP").p);
	assert_true(record_pair(seen.reader, 3, &name, &value));
	assert_true(str_eq(name, S("HTTP_A")) && str_eq(value, S("2")));
	assert_false(record_pair(seen.reader, 5, &name, &value));
}

static void
replies_say_what_the_specification_wants(void **state)
{
	static const struct {
		const char *letters;
		Str reply;
	} rows[] = {
		{ "v", S("\1\12\0\0\0\43\0\0\16\1FCGI_MAX_CONNS1\17\1FCGI_MPXS_CONNS0") },
		{ "V",
		  S("\1\12\0\0\0\21\0\0\16\1FCGI_MAX_CONNS1") }, /* once, however often asked */
		{ "n", S("\1\12\0\0\0\0\0\0") },
		{ "m", S("\1\13\0\0\0\10\0\0M\0\0\0\0\0\0\0") },
		{ "r", S("\1\3\0\1\0\10\0\0\0\0\0\0\3\0\0\0") },
		{ "bo", S("\1\3\0\2\0\10\0\0\0\0\0\0\1\0\0\0") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf bytes = records_of(rows[i].letters);
		Seen seen = read_all(buf_str(&bytes), SIZE_MAX);

		assert_int_equal(seen.replies.n, rows[i].reply.n);
		assert_memory_equal(seen.replies.p, rows[i].reply.p, rows[i].reply.n);
	}
}

static void
strays_are_skipped_up_to_64_KiB(void **state)
{
	static const struct {
		size_t bytes;
		const char *head, *events, *reason;
	} rows[] = {
		{ 65528, "b", "HE", "" },
		{ 65529, "b", "X", "strays" },
		{ 65528, "", "HE", "" },
		{ 65529, "", "C", "strays" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf bytes = records_of(rows[i].head), tail = records_of("bpPD");
		char *content = arena_new(arena, char, rows[i].bytes);

		put_record(&bytes, STDIN, 9, (Str){ content, rows[i].bytes }, 0);
		buf_put(&bytes,
		        str_sub(buf_str(&tail), rows[i].head[0] == 'b' ? 16 : 0, tail.n));
		expect("strays", buf_str(&bytes), rows[i].events, rows[i].reason);
	}
}

static void
every_cut_request_is_known_to_be_cut(void **state)
{
	Buf bytes = records_of("bpPdD");

	(void)state;
	assert_false(record_inside(record_open(arena)));
	for (size_t n = 1; n <= bytes.n; n++) {
		Seen seen = read_all((Str){ bytes.p, n }, 5);

		assert_int_equal(record_inside(seen.reader), n < bytes.n);
		assert_int_equal(strchr(seen.events, 'E') != NULL, n == bytes.n);
	}
}

static void
every_version_and_type_but_the_right_one_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		Buf version = records_of("bp"), type = records_of("bp"),
		    body = records_of("bpP");
		char own[4];

		put_record(&version, PARAMS, 1, S(""), 0);
		version.p[version.n - 8] = (char)i;
		expect("version", buf_str(&version), i == 1 ? "H" : "X",
		       i == 1 ? "" : "version");

		put_record(&type, i, 1, S("12345678"), 0);
		snprintf(own, sizeof own, "%s", i == BEGIN ? "C" : i == PARAMS ? "" : "X");
		assert_string_equal(read_all(buf_str(&type), 8).events, own);

		put_record(&body, i, 1, S("12345678"), 0);
		snprintf(own, sizeof own, "H%s", i == BEGIN ? "C" : i == STDIN ? "B" : "X");
		assert_string_equal(read_all(buf_str(&body), 8).events, own);
	}
}

static void
what_is_final_stays(void **state)
{
	static const struct {
		const char *letters;
		RecordEvent last;
	} rows[] = {
		{ "bpPD", RECORD_END },
		{ "bpa", RECORD_REFUSE },
		{ "bb", RECORD_CLOSE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		Buf bytes = records_of(rows[i].letters), more = records_of("bpPD");
		Seen seen = read_all(buf_str(&bytes), SIZE_MAX);
		Str rest = buf_str(&more), piece;

		assert_int_equal(record_next(seen.reader, &rest, &piece), rows[i].last);
		assert_int_equal(piece.n, 0);
		assert_int_equal(rest.n, more.n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_taken_refused_or_closed_by_their_order),
		cmocka_unit_test(parameters_are_checked),
		cmocka_unit_test(names_repeat_only_where_nobody_is_misled),
		cmocka_unit_test(method_and_uri_must_be_there),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(names_of_256_bytes_and_400_pairs_are_the_most),
		cmocka_unit_test(params_of_65280_bytes_are_the_most),
		cmocka_unit_test(the_canonical_copy_has_the_pairs_in_one_record),
		cmocka_unit_test(the_canonical_copy_of_a_refused_head_has_no_pairs),
		cmocka_unit_test(parameters_are_found_and_come_in_order),
		cmocka_unit_test(replies_say_what_the_specification_wants),
		cmocka_unit_test(strays_are_skipped_up_to_64_KiB),
		cmocka_unit_test(every_cut_request_is_known_to_be_cut),
		cmocka_unit_test(every_version_and_type_but_the_right_one_is_refused),
		cmocka_unit_test(what_is_final_stays),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
