/* Tables for people and programs: settings and problems. */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/json_put.h"
#include "common/problem.h"
#include "fcgi/ctl.h"

static const size_t text_ceiling = MIB(16);

/* --- settings as JSON */

/* A list as an array, cut at blanks. */
static void
list_json(Buf *out, Str value)
{
	const char *comma = "";
	Str part;

	buf_byte(out, '[');
	while (str_next(&value, ' ', &part)) {
		if (part.n == 0)
			continue;
		buf_puts(out, comma);
		json_put_str(out, part);
		comma = ",";
	}
	buf_byte(out, ']');
}

/* A value in its own type: number, truth value, text or array. */
static void
value_json(Buf *out, const SettingRow *row, Str value)
{
	switch (row->type) {
	case SETTING_INT:
		buf_put(out, value);
		break;
	case SETTING_BOOL:
		buf_puts(out, str_eq(value, S("on")) ? "true" : "false");
		break;
	case SETTING_STR:
	case SETTING_CHOICE:
		json_put_str(out, value);
		break;
	case SETTING_LIST:
		list_json(out, value);
		break;
	}
}

/* "one of open, closed", behind what a choice is about. */
static Str
about_text(Arena *arena, const SettingRow *row)
{
	Buf out = { .arena = arena };
	Str rest = str_of(row->choices), choice;
	const char *before = ": ";

	buf_puts(&out, row->about);
	while (str_next(&rest, '|', &choice)) {
		buf_puts(&out, before);
		buf_put(&out, choice);
		before = rest.p != NULL && str_find(rest, '|') == rest.n ? " or " : ", ";
	}
	return buf_str(&out);
}

static void
settings_json(Buf *out, const Settings *settings)
{
	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];

		buf_print(out,
		          "%s{\"name\":\"%s.%s\",\"type\":\"%s\",\"unit\":", i == 0 ? "[" : ",",
		          row->section, row->name, setting_type_name(row->type));
		if (*row->unit == '\0')
			buf_puts(out, "null");
		else
			json_put_str(out, str_of(row->unit));
		buf_puts(out, ",\"default\":");
		value_json(out, row, str_of(row->initial));
		if (row->type == SETTING_INT)
			buf_print(out, ",\"min\":%lld,\"max\":%lld", (long long)row->least,
			          (long long)row->most);
		else
			buf_puts(out, ",\"min\":null,\"max\":null");
		buf_print(out, ",\"reload\":%s,\"about\":", row->reload ? "true" : "false");
		json_put_str(out, about_text(out->arena, row));
		buf_puts(out, ",\"value\":");
		value_json(out, row, setting_value(out->arena, settings, row));
		buf_byte(out, '}');
	}
	buf_puts(out, "]\n");
}

/* --- settings as text, as a file to begin with, as a part of a manual page */

/* Does a section begin with this row? */
static bool
begins_section(size_t i)
{
	return i == 0 || strcmp(setting_rows[i].section, setting_rows[i - 1].section) != 0;
}

/* "0 to 512 ms; needs a restart", or less. */
static Str
bounds_text(Arena *arena, const SettingRow *row)
{
	Buf out = { .arena = arena };

	if (row->type == SETTING_INT)
		buf_print(&out, "%lld to %lld%s%s", (long long)row->least, (long long)row->most,
		          *row->unit == '\0' ? "" : " ", row->unit);
	if (row->secret)
		buf_print(&out, "%sa secret, may be file:PATH", out.n > 0 ? "; " : "");
	if (!row->reload)
		buf_print(&out, "%sneeds a restart", out.n > 0 ? "; " : "");
	return buf_str(&out);
}

static void
settings_text(Buf *out, const Settings *settings)
{
	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];
		Str value = setting_value(out->arena, settings, row);

		if (begins_section(i))
			buf_print(out, "%s[%s]\n", i == 0 ? "" : "\n", row->section);
		buf_print(out, "%s =%s%.*s\n", row->name, value.n > 0 ? " " : "",
		          STR_ARG(value));
	}
}

static void
settings_file_text(Buf *out, const Settings *settings)
{
	(void)settings;
	buf_puts(out, "# Settings of Postern: every one with its default, as a comment. See "
	              "postern.conf(5).\n"
	              "# `posternd --check` says what is wrong with this file.\n");
	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];
		Str bounds = bounds_text(out->arena, row);

		if (begins_section(i))
			buf_print(out, "\n[%s]\n", row->section);
		buf_print(out, "\n# %.*s", STR_ARG(about_text(out->arena, row)));
		if (bounds.n > 0)
			buf_print(out, " (%.*s)", STR_ARG(bounds));
		buf_print(out, "\n#%s =%s%s\n", row->name, *row->initial == '\0' ? "" : " ",
		          row->initial);
	}
}

/* Text for mdoc(7): a backslash and a dot at the front of a line mean something there. */
static void
mdoc_put(Buf *out, Str text)
{
	if (str_starts(text, S(".")) || str_starts(text, S("'")))
		buf_puts(out, "\\&");
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			buf_puts(out, "\\e");
		else if (text.p[i] == '-')
			buf_puts(out, "\\-");
		else
			buf_byte(out, text.p[i]);
	}
}

static void
settings_man(Buf *out, const Settings *settings)
{
	(void)settings;
	for (size_t i = 0; i < setting_row_count; i++) {
		const SettingRow *row = &setting_rows[i];
		Str bounds = bounds_text(out->arena, row);

		if (begins_section(i))
			buf_print(out, "%s.Ss [%s]\n.Bl -tag -width Ds\n",
			          i == 0 ? "" : ".El\n", row->section);
		buf_print(out, ".It Ic %s No = Ar %s\n", row->name,
		          setting_type_name(row->type));
		mdoc_put(out, about_text(out->arena, row));
		if (bounds.n > 0) {
			buf_puts(out, "\n(");
			mdoc_put(out, bounds);
			buf_byte(out, ')');
		}
		buf_puts(out, ".\nDefault: ");
		if (*row->initial == '\0')
			buf_puts(out, "empty");
		else
			mdoc_put(out, str_of(row->initial));
		buf_puts(out, ".\n");
	}
	buf_puts(out, ".El\n");
}

int
ctl_settings(int argc, char **argv, const Settings *settings)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(text_ceiling);
	void (*put)(Buf *, const Settings *) = settings_text;
	Buf out = { .arena = arena };

	if (ctl_flag(&argc, argv, "--json"))
		put = settings_json;
	else if (ctl_flag(&argc, argv, "--conf"))
		put = settings_file_text;
	else if (ctl_flag(&argc, argv, "--man"))
		put = settings_man;
	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	put(&out, settings);
	return ctl_print(buf_str(&out));
}

/* --- problems */

static void
problem_json(Buf *out, size_t code)
{
	const ProblemRow *row = &problem_rows[code];

	buf_print(out, "%s{\"code\":", code == 0 ? "[" : ",");
	json_put_str(out, str_of(row->code));
	buf_print(out, ",\"status\":%d,\"title\":{", row->status);
	for (Lang lang = LANG_EN; lang < LANGS; lang++) {
		buf_print(out, "%s\"%s\":", lang == LANG_EN ? "" : ",", lang_tag(lang));
		json_put_str(out, str_of(row->title[lang]));
	}
	buf_puts(out, "},\"detail\":{");
	for (Lang lang = LANG_EN; lang < LANGS; lang++) {
		buf_print(out, "%s\"%s\":", lang == LANG_EN ? "" : ",", lang_tag(lang));
		json_put_str(out, str_of(problem_details[code][lang]));
	}
	buf_puts(out, "}}");
}

int
ctl_problems(int argc, char **argv, const Settings *settings)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(text_ceiling);
	bool json = ctl_flag(&argc, argv, "--json");
	Buf out = { .arena = arena };

	(void)settings;
	if (!ctl_no_more(argc, argv))
		return EX_USAGE;
	for (size_t code = 0; code < PROBLEM_CODES; code++) {
		if (json)
			problem_json(&out, code);
		else
			buf_print(&out, "%d  %-24s %s\n", problem_rows[code].status,
			          problem_rows[code].code, problem_rows[code].title[LANG_EN]);
	}
	if (json)
		buf_puts(&out, "]\n");
	return ctl_print(buf_str(&out));
}
