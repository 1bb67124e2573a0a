#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

enum { LINE_BYTES = 4096, ROOM = 65536 };

static int kept_fd, pipe_fds[2];
static char got[ROOM];

/* Standard error becomes a pipe that the test reads. */
static int
pipe_make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	kept_fd = dup(STDERR_FILENO);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0)
		return 1;
	close(pipe_fds[1]);
	return fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
}

static int
pipe_remove(void **state)
{
	(void)state;
	dup2(kept_fd, STDERR_FILENO);
	close(kept_fd);
	close(pipe_fds[0]);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

/* What was written since the last look, as a C string. */
static const char *
written(void)
{
	ssize_t n = read(pipe_fds[0], got, sizeof got - 1);

	got[n < 0 ? 0 : n] = '\0';
	return got;
}

/* A line with one value, from where its name stands. */
static const char *
line_of(const char *value, size_t n)
{
	LogLine line;

	log_start(&line, LOG_INFO, "fact");
	log_str(&line, "value", (Str){ value, n });
	log_end(&line);
	return strstr(written(), "value");
}

static void
values_are_escaped_so_that_a_line_stays_one_line(void **state)
{
	/* clang-format off */
	static const struct {
		const char *value, *json, *text;
	} rows[] = {
		{ "word", "value\":\"word\"}\n", "value=word\n" },
		{ "two words", "value\":\"two words\"}\n", "value=\"two words\"\n" },
		{ "", "value\":\"\"}\n", "value=\"\"\n" },
		{ "a\nb", "value\":\"a\\nb\"}\n", "value=\"a\\nb\"\n" },
		{ "a\"b\\", "value\":\"a\\\"b\\\\\"}\n", "value=\"a\\\"b\\\\\"\n" },
		{ "\x1b[31m\x7f", "value\":\"\\u001b[31m\\u007f\"}\n", "value=\"\\x1b[31m\\x7f\"\n" },
		{ "\xC2\x9B" "1m", "value\":\"\\ufffd\\ufffd1m\"}\n", "value=\"\\xc2\\x9b1m\"\n" },
		{ "\xE2\x80\xA8", "value\":\"\\ufffd\\ufffd\\ufffd\"}\n", "value=\"\\xe2\\x80\\xa8\"\n" },
		{ "\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2", "value\":\"\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2\"}\n", "value=\"\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2\"\n" },
		{ "\xFF", "value\":\"\\ufffd\"}\n", "value=\"\\xff\"\n" },
		{ "a=b", "value\":\"a=b\"}\n", "value=\"a=b\"\n" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		log_setup(LOG_JSON, LOG_INFO);
		assert_string_equal(line_of(rows[i].value, strlen(rows[i].value)),
		                    rows[i].json);
		log_setup(LOG_TEXT, LOG_INFO);
		assert_string_equal(line_of(rows[i].value, strlen(rows[i].value)),
		                    rows[i].text);
	}
}

static void
a_line_names_time_level_process_and_event(void **state)
{
	LogLine line;
	char want[128];
	const char *text;

	(void)state;
	log_setup(LOG_JSON, LOG_DEBUG);
	log_start(&line, LOG_WARNING, "request");
	log_num(&line, "ms", -3);
	log_str(&line, "route", STR_NONE);
	log_end(&line);
	snprintf(want, sizeof want,
	         "Z\",\"level\":\"warning\",\"pid\":%d,\"event\":\"request\",\"ms\":-3,"
	         "\"route\":null}\n",
	         (int)getpid());
	text = written();
	assert_int_equal(strncmp(text, "{\"time\":\"2", 10), 0);
	assert_string_equal(strstr(text, "Z\""), want);
}

static void
what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	log_setup(LOG_TEXT, LOG_NOTICE);
	log_say(LOG_INFO, "event", "nothing");
	assert_string_equal(written(), "");
	log_say(LOG_NOTICE, "event", "%d things", 2);
	assert_non_null(strstr(written(), "notice"));
	assert_non_null(strstr(got, "detail=\"2 things\"\n"));
	assert_int_equal(log_level_of("error"), LOG_ERROR);
	assert_int_equal(log_level_of("debug"), LOG_DEBUG);
}

static void
a_line_is_cut_at_4_kib_and_stays_whole(void **state)
{
	static char value[10000];
	size_t n;

	(void)state;
	for (int thai = 0; thai < 2; thai++) {
		for (size_t i = 0; i < sizeof value; i++)
			value[i] = thai ? "\xE0\xB8\x97"[i % 3] : '\x01';
		log_setup(LOG_JSON, LOG_INFO);
		assert_non_null(line_of(value, sizeof value - 1));
		n = strlen(got);
		assert_true(n <= LINE_BYTES && n > LINE_BYTES - 64);
		assert_string_equal(got + n - 3, "\"}\n");
		assert_int_equal(strcspn(got, "\n"), n - 1);
		assert_true(str_is_utf8((Str){ got, n }));
	}
}

static void
values_for_which_there_is_no_room_are_left_out(void **state)
{
	LogLine line;
	size_t n;

	(void)state;
	log_setup(LOG_JSON, LOG_INFO);
	log_start(&line, LOG_INFO, "event");
	for (int i = 0; i < 1000; i++)
		log_num(&line, "number", INT64_MIN);
	log_end(&line);
	n = strlen(written());
	assert_true(n <= LINE_BYTES);
	assert_string_equal(got + n - 22, "-9223372036854775808}\n");
}

static void
the_journal_is_told_the_level_and_nobody_else(void **state)
{
	struct stat about;
	char stream[64];

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &about), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)about.st_dev,
	         (unsigned long long)about.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_setup(LOG_TEXT, LOG_INFO);
	log_say(LOG_ERROR, "event", "x");
	assert_int_equal(strncmp(written(), "<3>2", 4), 0);
	log_setup(LOG_JSON, LOG_INFO);
	log_say(LOG_ERROR, "event", "x");
	assert_int_equal(written()[0], '{');
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_setup(LOG_TEXT, LOG_INFO);
	log_say(LOG_ERROR, "event", "x");
	assert_int_equal(written()[0], '2');
}

static void
a_reader_that_sleeps_stops_nobody(void **state)
{
	uint64_t before = log_dropped();

	(void)state;
	log_setup(LOG_JSON, LOG_INFO);
	for (int i = 0; i < 10000; i++)
		log_say(LOG_INFO, "event", "a line");
	assert_true(log_dropped() > before);
	assert_string_equal(strrchr(written(), '{') == NULL ? "" : got + strlen(got) - 2,
	                    "}\n");
}

static void
a_reader_that_is_gone_is_counted(void **state)
{
	uint64_t before = log_dropped();

	(void)state;
	log_setup(LOG_JSON, LOG_INFO);
	close(pipe_fds[0]);
	log_say(LOG_INFO, "event", "a line");
	log_say(LOG_INFO, "event", "a line");
	assert_int_equal(log_dropped(), before + 2);
	pipe_fds[0] = open("/dev/null", O_RDONLY);
}

static void
a_full_disk_is_counted(void **state)
{
	uint64_t before = log_dropped();
	int full = open("/dev/full", O_WRONLY);

	(void)state;
	if (full < 0)
		skip();
	dup2(full, STDERR_FILENO);
	close(full);
	log_setup(LOG_JSON, LOG_INFO);
	log_say(LOG_INFO, "event", "a line");
	assert_int_equal(log_dropped(), before + 1);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, pipe_make, pipe_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(values_are_escaped_so_that_a_line_stays_one_line),
		LOG_TEST(a_line_names_time_level_process_and_event),
		LOG_TEST(what_is_below_the_level_is_not_written),
		LOG_TEST(a_line_is_cut_at_4_kib_and_stays_whole),
		LOG_TEST(values_for_which_there_is_no_room_are_left_out),
		LOG_TEST(the_journal_is_told_the_level_and_nobody_else),
		LOG_TEST(a_reader_that_sleeps_stops_nobody),
		LOG_TEST(a_reader_that_is_gone_is_counted),
		LOG_TEST(a_full_disk_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
