#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/lib/record_bench.h"

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
		cmocka_unit_test(replies_say_what_the_specification_wants),
		cmocka_unit_test(strays_are_skipped_up_to_64_KiB),
		cmocka_unit_test(every_cut_request_is_known_to_be_cut),
		cmocka_unit_test(every_version_and_type_but_the_right_one_is_refused),
		cmocka_unit_test(what_is_final_stays),
	};

	return cmocka_run_group_tests(tests, record_bench_open, record_bench_close);
}
