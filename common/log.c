#include "common/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

enum {
	TAIL_BYTES = 8, /* kept free for what closes a value and the line */
	DETAIL_MOST = 2048,
	NAME_MOST = 64,
};

/* Of this process. */
static struct {
	LogForm form;
	LogLevel least;
	bool journal;   /* standard error is the journal, which reads "<N>" as the level */
	bool may_block; /* a pipe or socket, whose reader may have stopped reading */
	uint64_t dropped;
} log_state = { .form = LOG_TEXT, .least = LOG_INFO };

static const char *
level_name(LogLevel level)
{
	switch (level) {
	case LOG_ERROR:
		return "error";
	case LOG_WARNING:
		return "warning";
	case LOG_NOTICE:
		return "notice";
	case LOG_INFO:
		return "info";
	case LOG_DEBUG:
		return "debug";
	}
	return "error";
}

LogLevel
log_level_of(const char *name)
{
	for (LogLevel level = LOG_ERROR; level < LOG_DEBUG; level++)
		if (strcmp(name, level_name(level)) == 0)
			return level;
	return LOG_DEBUG;
}

/* Source: systemd.exec(5), JOURNAL_STREAM is "device:inode" of the stream. */
static bool
is_journal(const struct stat *about)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];

	snprintf(ours, sizeof ours, "%llu:%llu", (unsigned long long)about->st_dev,
	         (unsigned long long)about->st_ino);
	return stream != NULL && strcmp(stream, ours) == 0;
}

void
log_setup(LogForm form, LogLevel least)
{
	struct stat about;
	bool known = fstat(STDERR_FILENO, &about) == 0;

	log_state.form = form;
	log_state.least = least;
	log_state.journal = known && form == LOG_TEXT && is_journal(&about);
	log_state.may_block = known && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

bool
log_wants(LogLevel level)
{
	return level <= log_state.least;
}

/* Bytes that may still be put before the tail. */
static size_t
room(const LogLine *line)
{
	return sizeof line->text - TAIL_BYTES - line->n;
}

/* All of it or nothing. */
static bool
put(LogLine *line, const char *bytes, size_t n)
{
	if (n > room(line))
		return false;
	memcpy(line->text + line->n, bytes, n);
	line->n += n;
	return true;
}

/* ASCII that needs no escape. */
static bool
is_plain(char c)
{
	return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
}

/* Bytes of the printable UTF-8 character at the front of s; 0 when it has to be escaped. */
static size_t
printable(Str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n;

	if (c < 0x80)
		return is_plain(s.p[0]);
	n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	if (n > s.n || !str_is_utf8(str_sub(s, 0, n)))
		return 0;
	if (c == 0xC2 && (unsigned char)s.p[1] < 0xA0) /* C1 controls: terminals obey them */
		return 0;
	if (memcmp(s.p, "\xE2\x80\xA8", MIN(n, (size_t)3)) == 0 ||
	    memcmp(s.p, "\xE2\x80\xA9", MIN(n, (size_t)3)) == 0) /* separators of lines */
		return 0;
	return n;
}

/* One byte in its escape; a byte that is no UTF-8 reads as U+FFFD in JSON. */
static bool
put_escape(LogLine *line, unsigned char c)
{
	char text[8];
	int n;

	if (c == '"' || c == '\\')
		n = snprintf(text, sizeof text, "\\%c", c);
	else if (c == '\n')
		n = snprintf(text, sizeof text, "\\n");
	else if (log_state.form == LOG_TEXT)
		n = snprintf(text, sizeof text, "\\x%02x", c);
	else
		n = snprintf(text, sizeof text, "\\u%04x", c < 0x80 ? c : 0xFFFDU);
	return put(line, text, (size_t)n);
}

static size_t
plain_run(Str s)
{
	size_t n = 0;

	while (n < s.n && is_plain(s.p[n]))
		n++;
	return n;
}

/* Cut where the line is full. */
static void
put_escaped(LogLine *line, Str s)
{
	while (s.n > 0) {
		size_t n = MIN(plain_run(s), room(line));

		if (n == 0)
			n = printable(s);
		if (n > 0 ? !put(line, s.p, n) : !put_escape(line, (unsigned char)s.p[0]))
			return;
		s = str_sub(s, MAX(n, (size_t)1), s.n);
	}
}

static bool
put_text(LogLine *line, const char *text)
{
	return put(line, text, strlen(text));
}

static bool
put_number(LogLine *line, int64_t number)
{
	char digits[24];
	Buf buf = { .p = digits, .room = sizeof digits };

	buf_i64(&buf, number);
	return put(line, digits, buf.n);
}

/* `,"name":` or ` name=`, if room for a short value is left behind it. */
static bool
put_name(LogLine *line, const char *name)
{
	bool json = log_state.form == LOG_JSON;
	size_t n = strnlen(name, NAME_MOST);

	return n + 4 + 24 <= room(line) && put_text(line, json ? ",\"" : " ") &&
	       put(line, name, n) && put_text(line, json ? "\":" : "=");
}

/* Does a value need no quotes: printable ASCII without blanks, and no part of a pair? */
static bool
is_word(Str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7F || c == '=' || c == '"' || c == '\\')
			return false;
	}
	return s.n > 0;
}

/* "2026-11-21T09:00:00.123456Z" */
static void
put_now(LogLine *line)
{
	char text[INSTANT_TEXT_BYTES];
	Buf buf = { .p = text, .room = sizeof text };

	instant_put(&buf, clock_now());
	put(line, text, buf.n);
}

static void
start_json(LogLine *line, LogLevel level, Str event)
{
	put_text(line, "{\"time\":\"");
	put_now(line);
	put_text(line, "\",\"level\":\"");
	put_text(line, level_name(level));
	put_text(line, "\",\"pid\":");
	put_number(line, getpid());
	put_text(line, ",\"event\":\"");
	put(line, event.p, event.n);
	put(line, "\"", 1);
}

static void
start_text(LogLine *line, LogLevel level, Str event)
{
	if (log_state.journal)
		put(line, (const char[]){ '<', (char)('0' + level), '>' }, 3);
	put_now(line);
	put(line, " ", 1);
	put_text(line, level_name(level));
	put_text(line, " [");
	put_number(line, getpid());
	put_text(line, "] ");
	put(line, event.p, event.n);
}

void
log_start(LogLine *line, LogLevel level, const char *event)
{
	Str name = { event, strnlen(event, NAME_MOST) };

	line->n = 0;
	line->wanted = log_wants(level);
	if (!line->wanted)
		return;
	if (log_state.form == LOG_JSON)
		start_json(line, level, name);
	else
		start_text(line, level, name);
}

void
log_str(LogLine *line, const char *name, Str value)
{
	bool word = log_state.form == LOG_TEXT && is_word(value);

	if (!line->wanted || !put_name(line, name))
		return;
	if (value.p == NULL && log_state.form == LOG_JSON) {
		put(line, "null", 4);
		return;
	}
	if (!word)
		put(line, "\"", 1);
	if (value.p != NULL)
		put_escaped(line, value);
	if (!word)
		line->text[line->n++] = '"'; /* into the tail when the line is full */
}

void
log_num(LogLine *line, const char *name, int64_t value)
{
	if (line->wanted && put_name(line, name))
		put_number(line, value);
}

/* Would a write wait for a reader? A pipe takes a line of PIPE_BUF bytes whole, or not yet. */
static bool
would_block(void)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	return log_state.may_block && (poll(&out, 1, 0) <= 0 || (out.revents & POLLOUT) == 0);
}

void
log_end(LogLine *line)
{
	if (!line->wanted)
		return;
	if (log_state.form == LOG_JSON)
		line->text[line->n++] = '}';
	line->text[line->n++] = '\n';
	if (would_block() || write(STDERR_FILENO, line->text, line->n) != (ssize_t)line->n)
		log_state.dropped++;
}

void
log_say(LogLevel level, const char *event, const char *format, ...)
{
	char detail[DETAIL_MOST];
	LogLine line;
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	log_start(&line, level, event);
	log_str(&line, "detail", str_of(detail));
	log_end(&line);
}

uint64_t
log_dropped(void)
{
	return log_state.dropped;
}
