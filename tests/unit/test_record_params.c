#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/lib/record_bench.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_checked),
		cmocka_unit_test(names_repeat_only_where_nobody_is_misled),
		cmocka_unit_test(method_and_uri_must_be_there),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(names_of_256_bytes_and_400_pairs_are_the_most),
		cmocka_unit_test(params_of_65280_bytes_are_the_most),
		cmocka_unit_test(the_canonical_copy_has_the_pairs_in_one_record),
		cmocka_unit_test(the_canonical_copy_of_a_refused_head_has_no_pairs),
		cmocka_unit_test(parameters_are_found_and_come_in_order),
	};

	return cmocka_run_group_tests(tests, record_bench_open, record_bench_close);
}
