#include "common/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings_value.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum { ROWS_MOST = 512 };

static const size_t settings_ceiling = MIB(8), file_most = MIB(1);

const Settings *conf;

/* clang-format off */
#define SETTING_INT(section, name, unit, initial, least, most, reload, about)                      \
	{ #section, #name, SETTING_INT, unit, #initial, least, most, NULL, false, reload, about,   \
	  offsetof(Settings, section##_##name) },
#define SETTING_BOOL(section, name, initial, reload, about)                                        \
	{ #section, #name, SETTING_BOOL, "", ON_OFF(initial), 0, 0, NULL, false, reload, about,    \
	  offsetof(Settings, section##_##name) },
#define SETTING_STR(section, name, initial, secret, reload, about)                                 \
	{ #section, #name, SETTING_STR, "", initial, 0, 0, NULL, secret, reload, about,            \
	  offsetof(Settings, section##_##name) },
#define SETTING_CHOICE(section, name, choices, initial, reload, about)                             \
	{ #section, #name, SETTING_CHOICE, "", initial, 0, 0, choices, false, reload, about,       \
	  offsetof(Settings, section##_##name) },
#define SETTING_LIST(section, name, initial, reload, about)                                        \
	{ #section, #name, SETTING_LIST, "", initial, 0, 0, NULL, false, reload, about,            \
	  offsetof(Settings, section##_##name) },
/* clang-format on */
const SettingRow setting_rows[] = {
#include "common/settings.def"
};
const size_t setting_row_count = COUNT(setting_rows);

_Static_assert(COUNT(setting_rows) <= ROWS_MOST, "ROWS_MOST is too small");

/* One reading: where values go, what is wrong so far, and which line gave each row. */
typedef struct Reader {
	Settings *settings;
	Arena *scratch; /* the file's text, which may hold secrets, and guesses */
	Buf faults;
	const char *file;
	int line;
	int lines[ROWS_MOST]; /* 0: not in the file */
} Reader;

/* --- faults and nearest names */

/* One line: where it is, then what it is. where: NULL for the present line of the file. */
static void fault(Reader *reader, const char *where, const char *format, ...) PRINTF(3, 4);

static void
fault(Reader *reader, const char *where, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (where != NULL)
		buf_print(&reader->faults, "%s: %s\n", where, text);
	else if (reader->line > 0)
		buf_print(&reader->faults, "%s:%d: %s\n", reader->file, reader->line, text);
	else
		buf_print(&reader->faults, "%s: %s\n", reader->file, text);
}

/* " (did you mean pool.workers?)", or nothing: a guess a third away helps nobody. */
static const char *
nearest_name(Arena *arena, Str section, Str name)
{
	Str wanted = str_print(arena, "%.*s.%.*s", STR_ARG(section), STR_ARG(name));
	size_t best_distance = MAX((size_t)3, wanted.n / 3 + 1);
	const char *best = NULL;

	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];

		best = setting_nearer(arena_print(arena, "%s.%s", row->section, row->name),
		                      wanted, best, &best_distance);
	}
	return best == NULL ? "" : arena_print(arena, " (did you mean %s?)", best);
}

static const char *
nearest_section(Arena *arena, Str section)
{
	size_t best_distance = MAX((size_t)3, section.n / 3 + 1);
	const char *best = NULL;

	for (size_t i = 0; i < setting_row_count; i++)
		best = setting_nearer(setting_rows[i].section, section, best, &best_distance);
	return best == NULL ? "" : arena_print(arena, " (did you mean [%s]?)", best);
}

static void
value_take(Reader *reader, const char *where, const SettingRow *row, Str value)
{
	const char *wrong;

	if (!str_is_utf8(value) || (value.n > 0 && memchr(value.p, '\0', value.n) != NULL))
		wrong = "is no UTF-8 text";
	else
		wrong = setting_set(reader->settings, row, value);
	if (wrong != NULL)
		fault(reader, where, "%s.%s: %s", row->section, row->name, wrong);
}

/* --- the three sources */

/* Without the quotes around it; false when only one of them is there. */
static bool
unquote(Str *value)
{
	for (const char *quote = "\"'"; *quote != '\0'; quote++) {
		bool opens = value->n > 0 && value->p[0] == *quote;
		bool closes = value->n > 1 && value->p[value->n - 1] == *quote;

		if (opens && !closes)
			return false;
		if (opens) {
			*value = str_sub(*value, 1, value->n - 1);
			return true;
		}
	}
	return true;
}

static void
pair_take(Reader *reader, Str section, Str line)
{
	size_t equals = str_find(line, '=');
	Str name = str_trim(str_sub(line, 0, equals));
	Str value = str_trim(str_sub(line, equals + 1, line.n));
	const SettingRow *row;
	size_t at;

	if (equals == line.n || name.n == 0) {
		fault(reader, NULL, "expected name = value, [section] or a comment");
		return;
	}
	row = setting_find(section, name);
	if (row == NULL) {
		fault(reader, NULL, "%.*s.%.*s: there is no such setting%s", STR_ARG(section),
		      STR_ARG(name), nearest_name(reader->scratch, section, name));
		return;
	}
	at = (size_t)(row - setting_rows);
	if (reader->lines[at] != 0) {
		fault(reader, NULL, "%s.%s: given already in line %d", row->section, row->name,
		      reader->lines[at]);
		return;
	}
	reader->lines[at] = reader->line;
	if (!unquote(&value)) {
		fault(reader, NULL, "%s.%s: the quote is not closed", row->section, row->name);
		return;
	}
	value_take(reader, NULL, row, value);
}

static bool
section_exists(Str section)
{
	for (size_t i = 0; i < setting_row_count; i++)
		if (str_eq(section, str_of(setting_rows[i].section)))
			return true;
	return false;
}

/* returns  the section, none after a fault: what stands in it is then passed over */
static Str
section_take(Reader *reader, Str line)
{
	Str section;

	if (!str_ends(line, S("]"))) {
		fault(reader, NULL, "the bracket of the section is not closed");
		return STR_NONE;
	}
	section = str_trim(str_sub(line, 1, line.n - 1));
	if (section_exists(section))
		return section;
	fault(reader, NULL, "[%.*s]: there is no such section%s", STR_ARG(section),
	      nearest_section(reader->scratch, section));
	return STR_NONE;
}

static void
lines_take(Reader *reader, Str text)
{
	Str line, section = STR_NONE;
	bool skipping = false;

	if (str_starts(text, S("\xEF\xBB\xBF")))
		text = str_sub(text, 3, text.n);
	while (str_next(&text, '\n', &line)) {
		reader->line++;
		if (str_ends(line, S("\r")))
			line = str_sub(line, 0, line.n - 1);
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			section = section_take(reader, line);
			skipping = section.p == NULL;
		} else if (section.p != NULL) {
			pair_take(reader, section, line);
		} else if (!skipping) {
			fault(reader, NULL, "no [section] stands before this line");
			skipping = true;
		}
	}
	reader->line = 0;
}

/* A whole file in memory that is wiped; false with errno (EFBIG: longer than file_most). */
static bool
file_read(Arena *arena, int fd, Str *out)
{
	char *text = arena_secret(arena, file_most + 1);
	size_t n = 0;

	for (;;) {
		ssize_t got = read(fd, text + n, file_most + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		n += (size_t)got;
		if (got == 0 || n > file_most)
			break;
	}
	*out = (Str){ text, n };
	errno = EFBIG;
	return n <= file_most;
}

static void
file_take(Reader *reader, const char *file)
{
	CLEANUP(closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	Str text;

	if (fd < 0 || !file_read(reader->scratch, fd, &text))
		fault(reader, NULL, "%s", strerror(errno));
	else
		lines_take(reader, text);
}

static void
upper(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'a' && *text <= 'z')
			*text = (char)(*text - 'a' + 'A');
}

/*
 * Is this POSTERN_SECTION_something of one of our sections, so that it can only be a wrong
 * name?
 */
static bool
variable_is_ours(Arena *arena, Str name)
{
	for (size_t i = 0; i < setting_row_count; i++) {
		char *head = arena_print(arena, "POSTERN_%s_", setting_rows[i].section);

		upper(head);
		if (str_starts(name, str_of(head)))
			return true;
	}
	return false;
}

static void
variable_take(Reader *reader, Str variable)
{
	Arena *arena = reader->scratch;
	size_t equals = str_find(variable, '=');
	Str name = str_sub(variable, 0, equals);

	for (size_t i = 0; i < setting_row_count; i++) {
		char *ours = arena_print(arena, "POSTERN_%s_%s", setting_rows[i].section,
		                         setting_rows[i].name);

		upper(ours);
		if (str_eq(name, str_of(ours))) {
			value_take(reader, arena_print(arena, "environment %s", ours),
			           &setting_rows[i], str_sub(variable, equals + 1, variable.n));
			return;
		}
	}
	if (variable_is_ours(arena, name))
		fault(reader, "environment", "%.*s: there is no such setting", STR_ARG(name));
}

static void
set_take(Reader *reader, const char *set)
{
	Str text = str_of(set);
	size_t dot = str_find(text, '.'), equals = str_find(text, '=');
	Str section = str_sub(text, 0, dot), name = str_sub(text, dot + 1, equals);
	const SettingRow *row;

	if (equals == text.n || dot > equals) {
		fault(reader, "--set", "expected section.name=value");
		return;
	}
	row = setting_find(section, name);
	if (row == NULL)
		fault(reader, "--set", "%.*s: there is no such setting%s",
		      STR_ARG(str_sub(text, 0, equals)),
		      nearest_name(reader->scratch, section, name));
	else
		value_take(reader, "--set", row, str_sub(text, equals + 1, text.n));
}

/* --- outside */

/* What no row can say alone. */
static void
settings_together(Reader *reader)
{
	const Settings *settings = reader->settings;

	if (settings->auth_refresh_idle_s > settings->auth_refresh_absolute_s)
		fault(reader, "auth.refresh_idle_s",
		      "%lld is more than auth.refresh_absolute_s (%lld)",
		      (long long)settings->auth_refresh_idle_s,
		      (long long)settings->auth_refresh_absolute_s);
}

Settings *
settings_read(const char *file, const char *const *sets, size_t n_sets, Arena *faults_arena,
              Str *faults)
{
	CLEANUP(arena_closep) Arena *scratch = arena_open(settings_ceiling);
	Arena *arena = arena_open(settings_ceiling);
	Reader reader = { .faults = { .arena = faults_arena },
		          .scratch = scratch,
		          .file = file };

	reader.settings = arena_new(arena, Settings, 1);
	reader.settings->arena = arena;
	for (size_t i = 0; i < setting_row_count; i++)
		CHECK(setting_set(reader.settings, &setting_rows[i],
		                  str_of(setting_rows[i].initial)) == NULL);
	if (file != NULL)
		file_take(&reader, file);
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
		if (strncmp(*variable, "POSTERN_", 8) == 0)
			variable_take(&reader, str_of(*variable));
	for (size_t i = 0; i < n_sets; i++)
		set_take(&reader, sets[i]);
	settings_together(&reader);
	if (reader.faults.n == 0)
		return reader.settings;
	*faults = buf_str(&reader.faults);
	settings_free(reader.settings);
	return NULL;
}

void
settings_free(Settings *settings)
{
	if (settings != NULL)
		arena_close(settings->arena);
}

const char *
settings_file(const char *given)
{
	static const char installed[] = SYSCONFDIR "/postern/postern.conf";
	const char *named = given != NULL ? given : getenv("POSTERN_CONFIG");

	if (named != NULL && *named != '\0')
		return named;
	return access(installed, F_OK) == 0 ? installed : NULL;
}

const char *
setting_type_name(SettingType type)
{
	static const char *const names[] = { "int", "bool", "string", "choice", "list" };

	return names[type];
}

const SettingRow *
setting_find(Str section, Str name)
{
	for (size_t i = 0; i < setting_row_count; i++)
		if (str_eq(section, str_of(setting_rows[i].section)) &&
		    str_eq(name, str_of(setting_rows[i].name)))
			return &setting_rows[i];
	return NULL;
}
