#pragma once

/*
 * Settings: a row each in settings.def, read from a file, the environment and the command line.
 *
 *	[pool]
 *	workers = 8
 *
 * A comment is a line that begins with # or ; and a value runs to the end of its line, in
 * quotes if blanks at its ends matter. Elements of a list stand apart by blanks or commas.
 *
 * Later wins: default, file, POSTERN_SECTION_NAME, --set section.name=value. A value of the
 * form `file:PATH` of a secret is read from that file, which nobody but its owner may read; a
 * PATH that is not absolute lies in the CREDENTIALS_DIRECTORY that systemd made. Every fault is
 * found at once, each with file, line and the nearest name that exists.
 */

#include "common/str.h"

typedef enum SettingType {
	SETTING_INT,
	SETTING_BOOL,
	SETTING_STR,
	SETTING_CHOICE,
	SETTING_LIST,
} SettingType;

/* Members are named section_name: int64_t, bool, const char * (never NULL), or SettingList. */
typedef struct SettingList {
	const char *const *v; /* NULL at the end as well */
	size_t n;
} SettingList;

typedef struct Settings {
#define SETTING_INT(section, name, unit, initial, least, most, reload, about)                  \
	int64_t section##_##name;
#define SETTING_BOOL(section, name, initial, reload, about) bool section##_##name;
#define SETTING_STR(section, name, initial, secret, reload, about) const char *section##_##name;
#define SETTING_CHOICE(section, name, choices, initial, reload, about)                         \
	const char *section##_##name;
#define SETTING_LIST(section, name, initial, reload, about) SettingList section##_##name;
#include "common/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_STR
#undef SETTING_CHOICE
#undef SETTING_LIST
	Arena *arena; /* owns all texts; see settings_free */
} Settings;

/* A row as documents show it. */
typedef struct SettingRow {
	const char *section, *name;
	SettingType type;
	const char *unit; /* "ms", "s", "bytes", "" … */
	const char *initial;
	int64_t least, most; /* of an int */
	const char *choices; /* "open|closed" */
	bool secret, reload;
	const char *about;
	size_t offset; /* of the member in Settings */
} SettingRow;

extern const SettingRow setting_rows[];
extern const size_t setting_row_count;

/*
 * Read all.
 *
 * file      NULL for defaults alone
 * sets      n_sets texts "section.name=value"
 * faults    on failure: what is wrong, a line each, in faults_arena
 *           ("postern.conf:12: pool.workers: 0 is less than 1")
 * returns   new Settings, or NULL
 */
Settings *settings_read(const char *file, const char *const *sets, size_t n_sets,
                        Arena *faults_arena, Str *faults) MUST_USE;
void settings_free(Settings *settings);

/*
 * The file to read: the one given on the command line, else POSTERN_CONFIG, else the installed
 * one. One that is named need not exist.
 *
 * returns  NULL when none is named and none installed
 */
const char *settings_file(const char *given);

/* The row's present value as text; secrets as "***" when there is one. */
Str setting_value(Arena *arena, const Settings *settings, const SettingRow *row);

/*
 * Give fresh the values that old has in rows that need a restart.
 *
 * returns  names of those that differed, with blanks between, in the arena; empty when none did
 */
Str settings_carry(Settings *fresh, const Settings *old, Arena *arena);

/* "int", "bool", "string", "choice" or "list". */
const char *setting_type_name(SettingType type);

/* The row of a section and a name; NULL when there is none. */
const SettingRow *setting_find(Str section, Str name);

/* The settings of this process. Set once at start and at reload, before workers are forked. */
extern const Settings *conf;
