#pragma once

/* One value of one setting: from text into the struct, and back. For settings.c alone. */

#include "common/settings.h"

#define ON_OFF(truth) ((truth) ? "on" : "off")

/*
 * Read a value into its member; a secret of the form file:PATH from its file.
 * returns  NULL, or what is wrong with it, in the arena of the settings
 */
const char *setting_set(Settings *settings, const SettingRow *row, Str value) MUST_USE;

/* The candidate when it is nearer to what was wanted than *best_distance, else best. */
const char *setting_nearer(const char *candidate, Str wanted, const char *best,
                           size_t *best_distance);
