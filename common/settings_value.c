#include "common/settings_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings_check.h"

enum { NAME_MOST = 64 };

static const size_t secret_most = KIB(64);

static int64_t *
int_of(const Settings *settings, const SettingRow *row)
{
	return (int64_t *)((uintptr_t)settings + row->offset);
}

static bool *
bool_of(const Settings *settings, const SettingRow *row)
{
	return (bool *)((uintptr_t)settings + row->offset);
}

static const char **
text_of(const Settings *settings, const SettingRow *row)
{
	return (const char **)((uintptr_t)settings + row->offset);
}

static SettingList *
list_of(const Settings *settings, const SettingRow *row)
{
	return (SettingList *)((uintptr_t)settings + row->offset);
}

/* Levenshtein distance; names past NAME_MOST bytes are as far as can be. */
static size_t
distance(const char *a, Str b)
{
	size_t row[NAME_MOST + 1], n = strlen(a);

	if (n > NAME_MOST || b.n > NAME_MOST)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t change = corner + (a[i - 1] != b.p[j - 1]);

			corner = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.n];
}

const char *
setting_nearer(const char *candidate, Str wanted, const char *best, size_t *best_distance)
{
	size_t d = distance(candidate, wanted);

	if (d >= *best_distance)
		return best;
	*best_distance = d;
	return candidate;
}

static const char *
nearest_choice(Arena *arena, const char *choices, Str value)
{
	size_t best_distance = MAX((size_t)3, value.n / 3 + 1);
	const char *best = NULL;
	Str rest = str_of(choices), choice;

	while (str_next(&rest, '|', &choice))
		best = setting_nearer(str_text(arena, choice), value, best, &best_distance);
	return best == NULL ? "" : arena_print(arena, " (did you mean %s?)", best);
}

/*
 * Who may see the secret? Credentials of systemd have an access list, which shows as the
 * group's.
 */
static bool
secret_is_open(const struct stat *about, bool credential)
{
	mode_t closed = credential ? S_IRWXO : S_IRWXG | S_IRWXO;

	return (about->st_mode & closed) != 0;
}

/*
 * A secret's value from its file, without the newline at its end.
 * returns  NULL, or what is wrong
 */
static const char *
secret_read(Arena *arena, Str path, Str *out)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	bool credential = !str_starts(path, S("/"));
	CLEANUP(closep) int fd = -1;
	struct stat about;
	char *text;
	ssize_t n;

	if (path.n == 0 || (credential && directory == NULL))
		return "the path of a secret must be absolute, or lie in CREDENTIALS_DIRECTORY";
	fd = open(credential ? arena_print(arena, "%s/%.*s", directory, STR_ARG(path))
	                     : str_text(arena, path),
	          O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &about) < 0)
		return arena_print(arena, "%.*s: %s", STR_ARG(path), strerror(errno));
	if (!S_ISREG(about.st_mode))
		return arena_print(arena, "%.*s is no regular file", STR_ARG(path));
	if (secret_is_open(&about, credential))
		return arena_print(
		    arena, "%.*s can be read or written by others than its owner (chmod 600)",
		    STR_ARG(path));
	text = arena_secret(arena, secret_most + 1);
	n = read(fd, text, secret_most + 1);
	if (n < 0)
		return arena_print(arena, "%.*s: %s", STR_ARG(path), strerror(errno));
	if ((size_t)n > secret_most || memchr(text, '\0', (size_t)n) != NULL)
		return arena_print(arena, "%.*s is too long or no text", STR_ARG(path));
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n == 0)
		return arena_print(arena, "%.*s is empty", STR_ARG(path));
	text[n] = '\0';
	*out = (Str){ text, (size_t)n };
	return NULL;
}

static bool
bool_read(Str value, bool *out)
{
	static const struct {
		const char *word;
		bool means;
	} words[] = {
		{ "on", true },   { "true", true },   { "yes", true }, { "1", true },
		{ "off", false }, { "false", false }, { "no", false }, { "0", false },
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_eq_nocase(value, str_of(words[i].word))) {
			*out = words[i].means;
			return true;
		}
	}
	return false;
}

static const char *
int_set(Settings *settings, const SettingRow *row, Str value)
{
	int64_t number;

	if (!str_i64(value, &number))
		return arena_print(settings->arena, "'%.*s' is not a whole number",
		                   STR_ARG(value));
	if (number < row->least)
		return arena_print(settings->arena, "%lld is less than %lld", (long long)number,
		                   (long long)row->least);
	if (number > row->most)
		return arena_print(settings->arena, "%lld is more than %lld", (long long)number,
		                   (long long)row->most);
	*int_of(settings, row) = number;
	return NULL;
}

static const char *
choice_set(Settings *settings, const SettingRow *row, Str value)
{
	Str rest = str_of(row->choices), choice;

	while (str_next(&rest, '|', &choice)) {
		if (str_eq(choice, value)) {
			*text_of(settings, row) = str_text(settings->arena, choice);
			return NULL;
		}
	}
	return arena_print(settings->arena, "'%.*s' is none of %s%s", STR_ARG(value),
	                   row->choices, nearest_choice(settings->arena, row->choices, value));
}

static const char *
list_set(Settings *settings, const SettingRow *row, Str value)
{
	const char **v = arena_new(settings->arena, const char *, value.n / 2 + 2);
	size_t n = 0, i = 0;

	while (i < value.n) {
		size_t from, must_n;
		const char *must;

		while (i < value.n && strchr(" \t,", value.p[i]) != NULL)
			i++;
		for (from = i; i < value.n && strchr(" \t,", value.p[i]) == NULL;)
			i++;
		must_n = i - from;
		if (must_n == 0)
			break;
		must = setting_check(row, str_sub(value, from, i));
		if (must != NULL)
			return arena_print(settings->arena, "'%.*s' %s", (int)must_n,
			                   value.p + from, must);
		v[n++] = str_text(settings->arena, str_sub(value, from, i));
	}
	*list_of(settings, row) = (SettingList){ v, n };
	return NULL;
}

static const char *
text_set(Settings *settings, const SettingRow *row, Str value)
{
	const char *must;

	if (row->secret && str_starts(value, S("file:"))) {
		const char *wrong =
		    secret_read(settings->arena, str_sub(value, 5, value.n), &value);

		if (wrong != NULL)
			return wrong;
	}
	must = setting_check(row, value);
	if (must != NULL && row->secret)
		return must;
	if (must != NULL)
		return arena_print(settings->arena, "'%.*s' %s", STR_ARG(value), must);
	if (row->secret)
		*text_of(settings, row) =
		    memcpy(arena_secret(settings->arena, value.n + 1), value.p, value.n);
	else
		*text_of(settings, row) = str_text(settings->arena, value);
	return NULL;
}

const char *
setting_set(Settings *settings, const SettingRow *row, Str value)
{
	switch (row->type) {
	case SETTING_INT:
		return int_set(settings, row, value);
	case SETTING_BOOL:
		if (bool_read(value, bool_of(settings, row)))
			return NULL;
		return arena_print(settings->arena, "'%.*s' is neither on nor off",
		                   STR_ARG(value));
	case SETTING_CHOICE:
		return choice_set(settings, row, value);
	case SETTING_LIST:
		return list_set(settings, row, value);
	case SETTING_STR:
		return text_set(settings, row, value);
	}
	return "is of no known type";
}

static Str
value_text(Arena *arena, const Settings *settings, const SettingRow *row)
{
	Buf buf = { .arena = arena };
	const SettingList *list;

	switch (row->type) {
	case SETTING_INT:
		return str_print(arena, "%lld", (long long)*int_of(settings, row));
	case SETTING_BOOL:
		return str_of(ON_OFF(*bool_of(settings, row)));
	case SETTING_STR:
	case SETTING_CHOICE:
		return str_of(*text_of(settings, row));
	case SETTING_LIST:
		list = list_of(settings, row);
		for (size_t i = 0; i < list->n; i++)
			buf_print(&buf, "%s%s", i > 0 ? " " : "", list->v[i]);
		break;
	}
	return buf_str(&buf);
}

Str
setting_value(Arena *arena, const Settings *settings, const SettingRow *row)
{
	Str value = value_text(arena, settings, row);

	return row->secret && value.n > 0 ? S("***") : value;
}

Str
settings_carry(Settings *fresh, const Settings *old, Arena *arena)
{
	Buf names = { .arena = arena };

	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];
		Str was;

		if (row->reload)
			continue;
		was = value_text(fresh->arena, old, row);
		if (str_eq(was, value_text(fresh->arena, fresh, row)))
			continue;
		CHECK(setting_set(fresh, row, str_keep(fresh->arena, was)) == NULL);
		buf_print(&names, "%s%s.%s", names.n > 0 ? " " : "", row->section, row->name);
	}
	return buf_str(&names);
}
