#pragma once

/*
 * Migrations: numbered pairs of files, applied in order, each exactly once whoever else starts.
 *
 * One applier at a time holds an advisory lock, which is polled, so that waiting ends at a
 * deadline. Each file is one transaction together with its row in schema_migrations, unless its
 * first line is
 * "-- postern: no-transaction"; then each statement is sent by itself. A file that was changed
 * after it was applied, is gone, or comes late by its number, is drift, and nothing is done.
 *
 * These are tools' functions: they write to standard output and standard error, and return an
 * exit code.
 */

#include "common/base.h"

typedef struct MigrateConfig {
	const char *dsn;  /* of the schema's owner; "": libpq's own defaults */
	const char *dir;  /* of the files */
	int64_t wait_ms;  /* for another applier to end */
	int64_t locks_ms; /* lock_timeout of the statements */
} MigrateConfig;

int migrate_up(const MigrateConfig *config);

/* Take back the newest n. */
int migrate_down(const MigrateConfig *config, uint64_t n);

/*
 * One line a migration: its number, name, when it was applied, or `pending`, or what is wrong
 * with it.
 */
int migrate_status(const MigrateConfig *config);
