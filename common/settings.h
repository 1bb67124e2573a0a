#pragma once

/*
 * Settings: one row each in settings.def, read from a file, the environment and the command line.
 *
 *	[pool]
 *	workers = 8
 *
 * Later wins: default, file, POSTERN_SECTION_NAME, --set section.name=value. A value of the form
 * `file:PATH` of a secret is read from that file, which nobody but its owner may read. Every fault
 * is found at once, each with file, line and the nearest name that exists.
 */

#include "common/str.h"

typedef enum SettingType { SETTING_INT, SETTING_BOOL, SETTING_STR, SETTING_CHOICE, SETTING_LIST } SettingType;

/* One member a row, named section_name: int64_t, bool, const char * (never NULL), SettingList. */
typedef struct SettingList {
	const char *const *v; /* NULL at the end as well */
	size_t n;
} SettingList;

typedef struct Settings {
#define SETTING_INT(section, name, unit, initial, least, most, reload, about) int64_t section##_##name;
#define SETTING_BOOL(section, name, initial, reload, about) bool section##_##name;
#define SETTING_STR(section, name, initial, secret, reload, about) const char *section##_##name;
#define SETTING_CHOICE(section, name, choices, initial, reload, about) const char *section##_##name;
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
	const char *unit;    /* "ms", "s", "bytes", "" … */
	const char *initial;
	int64_t least, most; /* of an int */
	const char *choices; /* "open|closed" */
	bool secret, reload;
	const char *about;
	size_t offset;       /* of the member in Settings */
} SettingRow;

extern const SettingRow setting_rows[];
extern const size_t setting_row_count;

/*
 * Read all. file: NULL for defaults alone. sets: n_sets texts "section.name=value".
 * faults: what is wrong, one line each ("postern.conf:12: pool.workers: 0 is less than 1"), on failure.
 * returns  a new Settings, or NULL with *faults allocated in faults_arena
 */
Settings *settings_read(const char *file, const char *const *sets, size_t n_sets,
                        Arena *faults_arena, Str *faults) MUST_USE;
void settings_free(Settings *settings);

/* The row's present value as text; secrets as "***" when there is one. */
Str setting_value(Arena *arena, const Settings *settings, const SettingRow *row);

/* The settings of this process. Set once at start and at reload, before workers are forked. */
extern const Settings *conf;
