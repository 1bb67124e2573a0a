#pragma once

/* The files of a folder of migrations: NNNN_what.up.sql and NNNN_what.down.sql. */

#include "common/str.h"

typedef struct Migration {
	int64_t version;
	Str name; /* what */
	const char *up_path, *down_path;
	Str up, down;
	Str sha256; /* of up, hexadecimal */
} Migration;

typedef struct Migrations {
	Migration *v; /* by version, rising, none twice */
	size_t n;
} Migrations;

/*
 * False after a line on standard error: the folder, a file's name, or a half of a pair is
 * wrong.
 */
bool migrations_read(Arena *arena, const char *dir, Migrations *out) MUST_USE;
