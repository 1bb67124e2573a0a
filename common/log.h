#pragma once

/*
 * One line a fact on standard error, JSON or text, with a level and named values.
 *
 * A line is one write(2) of at most 4 KiB; control characters in values are escaped, so that
 * nothing from outside makes a line of its own. A line that cannot be written now (disk full,
 * reader gone or asleep) is counted and dropped. Never a secret, a token or a body.
 */

#include "common/str.h"

typedef enum LogLevel { LOG_ERROR = 3, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG } LogLevel;
typedef enum LogForm { LOG_TEXT, LOG_JSON } LogForm;

/* What the process writes from now on; standard error is looked at anew. */
void log_setup(LogForm form, LogLevel least);

/* Of the names that log.level may have. */
LogLevel log_level_of(const char *name);
bool log_wants(LogLevel level);

/* name=value pairs in the order given, for lines made of many values. */
typedef struct LogLine {
	char text[4096];
	size_t n;
	bool wanted;
} LogLine;

void log_start(LogLine *line, LogLevel level, const char *event);
void log_str(LogLine *line, const char *name, Str value);
void log_num(LogLine *line, const char *name, int64_t value);
void log_end(LogLine *line);

/* A fact with one free text, `detail`, as printf makes it. */
void log_say(LogLevel level, const char *event, const char *format, ...) PRINTF(3, 4);

/* Lines dropped by this process so far. */
uint64_t log_dropped(void);
