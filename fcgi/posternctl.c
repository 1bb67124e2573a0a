/* The control tool: finds the command, reads the settings as the server does, and runs it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "fcgi/ctl.h"

static const size_t faults_ceiling = MIB(16);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv, const Settings *settings);
	const char *arguments, *about;
} commands[] = {
#define CTL(name, function, arguments, about) { name, function, arguments, about },
#include "fcgi/ctl.def"
#undef CTL
};

static void
command_help(size_t i)
{
	printf("Usage: posternctl [--config FILE] [--set section.name=value]... %s %s\n"
	       "%s. See posternctl(8).\n",
	       commands[i].name, commands[i].arguments, commands[i].about);
}

static void
help(FILE *out)
{
	fputs("Usage: posternctl [--config FILE] [--set section.name=value]... COMMAND\n\n",
	      out);
	for (size_t i = 0; i < COUNT(commands); i++) {
		int n =
		    fprintf(out, "  %s%s%s", commands[i].name,
		            *commands[i].arguments == '\0' ? "" : " ", commands[i].arguments);

		fprintf(out, "%*s%s\n", n < 36 ? 36 - n : 2, "", commands[i].about);
	}
	fputs("\nThe configuration is the one that posternd reads: --config, else "
	      "POSTERN_CONFIG,\n"
	      "else the installed one.\n",
	      out);
}

/* What an option that takes a value was given, or NULL; *used: how many arguments it took. */
static char *
option_value(char **argv, int left, const char *name, int *used)
{
	size_t n = strlen(name);

	*used = 1;
	if (strncmp(argv[0], name, n) == 0 && argv[0][n] == '=')
		return argv[0] + n + 1;
	if (strcmp(argv[0], name) != 0 || left < 2)
		return NULL;
	*used = 2;
	return argv[1];
}

static bool
is_common(const char *argument)
{
	return strcmp(argument, "--config") == 0 || strcmp(argument, "--set") == 0;
}

static int
value_missing(const char *option)
{
	fprintf(stderr, "posternctl: %s needs a value\n", option);
	return -1;
}

/*
 * Take --config and --set out of the arguments; returns how many of the others are left, or -1
 * when one of the two has no value.
 */
static int
common_options(int argc, char **argv, const char **file, const char **sets, size_t *n_sets)
{
	int kept = 0;

	for (int i = 0, used; i < argc && argv[i] != NULL; i += used) {
		char *config = option_value(argv + i, argc - i, "--config", &used);
		char *set =
		    config != NULL ? NULL : option_value(argv + i, argc - i, "--set", &used);

		if (config != NULL)
			*file = config;
		else if (set != NULL)
			sets[(*n_sets)++] = set;
		else if (is_common(argv[i]))
			return value_missing(argv[i]);
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

bool
ctl_flag(int *argc, char **argv, const char *flag)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], flag) != 0)
			continue;
		for (int j = i; j < *argc; j++)
			argv[j] = argv[j + 1];
		--*argc;
		return true;
	}
	return false;
}

bool
ctl_no_more(int argc, char **argv)
{
	if (argc > 1)
		fprintf(stderr, "%s: what is '%s'?\n", argv[0], argv[1]);
	return argc <= 1;
}

int
ctl_print(Str text)
{
	if (fwrite(text.p, 1, text.n, stdout) == text.n && fflush(stdout) == 0)
		return EX_OK;
	fprintf(stderr, "posternctl: %s\n", strerror(errno));
	return EX_IOERR;
}

static int
command_run(size_t i, int argc, char **argv, const char *file, const char *const *sets,
            size_t n_sets)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(faults_ceiling);
	Settings *settings;
	Str faults;
	int status;

	settings = settings_read(settings_file(file), sets, n_sets, arena, &faults);
	if (settings == NULL) {
		fprintf(stderr, "%.*s", STR_ARG(faults));
		return EX_CONFIG;
	}
	conf = settings;
	log_setup(LOG_TEXT, LOG_WARNING);
	argv[0] =
	    arena_print(arena, "posternctl %s", commands[i].name); /* for getopt's words */
	status = commands[i].run(argc, argv, settings);
	conf = NULL;
	settings_free(settings);
	return status;
}

int
main(int argc, char **argv)
{
	CLEANUP(freep) const char **sets = calloc((size_t)argc + 1, sizeof *sets);
	const char *file = NULL;
	size_t n_sets = 0;

	CHECK(sets != NULL && argc > 0);
	argc = common_options(argc, argv, &file, sets, &n_sets) - 1;
	argv++;
	if (argc < 0)
		return EX_USAGE;
	if (argc == 0) {
		help(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0) {
		help(stdout);
		return EX_OK;
	}
	if (strcmp(argv[0], "--version") == 0) {
		puts("posternctl " PACKAGE_VERSION);
		return EX_OK;
	}
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (argc == 1 || strcmp(argv[1], "--help") != 0)
			return command_run(i, argc, argv, file, sets, n_sets);
		command_help(i);
		return EX_OK;
	}
	fprintf(stderr, "posternctl: there is no command '%s'. Try 'posternctl --help'.\n",
	        argv[0]);
	return EX_USAGE;
}
