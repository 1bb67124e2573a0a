#include "fcgi/ctl_migrate.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/str.h"
#include "schema/migrate.h"

static const char usage[] =
    "usage: posternctl migrate up | down [N] | status [--dsn DSN] [--dir DIR] [--wait "
    "SECONDS]\n"
    "  --dsn DSN       libpq connection string of the schema's owner (database.owner_dsn, else "
    "database.dsn)\n"
    "  --dir DIR       the migrations (POSTERN_MIGRATIONS_DIR, else the installed ones)\n"
    "  --wait SECONDS  time that another migration may take to end (60)\n";

static const char *
first_of(const char *a, const char *b, const char *c)
{
	return a != NULL && *a != '\0' ? a : b != NULL && *b != '\0' ? b : c;
}

/* False when the command line is not understood. */
static bool
options_read(int argc, char **argv, MigrateConfig *config)
{
	static const struct option known[] = {
		{ "dsn", required_argument, NULL, 'd' },
		{ "dir", required_argument, NULL, 'D' },
		{ "wait", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	uint64_t wait_s;

	optind = 0; /* glibc: read from the beginning, whoever read before */
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'd':
			config->dsn = optarg;
			break;
		case 'D':
			config->dir = optarg;
			break;
		case 'w':
			if (!str_u64(str_of(optarg), &wait_s) || wait_s > 86400)
				return false;
			config->wait_ms = (int64_t)wait_s * 1000;
			break;
		default:
			return false;
		}
	}
	return true;
}

int
ctl_migrate(int argc, char **argv, const Settings *settings)
{
	MigrateConfig config = { .wait_ms = 60000, .locks_ms = 5000 };
	uint64_t n = 1;
	const char *verb;
	int rest;

	if (!options_read(argc, argv, &config))
		goto wrong;
	config.dsn = first_of(config.dsn, settings->database_owner_dsn, settings->database_dsn);
	config.dir = first_of(config.dir, getenv("POSTERN_MIGRATIONS_DIR"), MIGRATIONS_DIR);
	rest = argc - optind;
	verb = rest > 0 ? argv[optind] : "";
	if (strcmp(verb, "up") == 0 && rest == 1)
		return migrate_up(&config);
	if (strcmp(verb, "status") == 0 && rest == 1)
		return migrate_status(&config);
	if (strcmp(verb, "down") == 0 &&
	    (rest == 1 || (rest == 2 && str_u64(str_of(argv[optind + 1]), &n))))
		return migrate_down(&config, n);
wrong:
	fputs(usage, stderr);
	return EX_USAGE;
}
