#include "schema/migrate_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/encode.h"

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

static bool
file_read(Arena *arena, const char *path, Str *out)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	Buf text = { .arena = arena };
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &about) == 0) {
		char *room = buf_room(&text, (size_t)about.st_size + 1);

		n = read(fd, room, (size_t)about.st_size + 1);
	}
	if (n < 0 || n != about.st_size) {
		fprintf(stderr, "%s: %s\n", path,
		        n < 0 ? strerror(errno) : "changed while it was read");
		return false;
	}
	text.n += (size_t)n;
	*out = buf_str(&text);
	if (memchr(text.p, '\0', text.n) != NULL) {
		fprintf(stderr, "%s: a NUL byte\n", path);
		return false;
	}
	return true;
}

static bool
name_is_plain(Str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", name.p[i]) == NULL)
			return false;
	return name.n > 0;
}

/* The migration of this version, made when it is new. */
static Migration *
migration_of(Arena *arena, Migrations *all, size_t *room, int64_t version)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].version == version)
			return &all->v[i];
	if (all->n == *room) {
		Migration *more = arena_new(arena, Migration, *room * 2 + 16);

		if (all->n > 0)
			memcpy(more, all->v, all->n * sizeof *more);
		all->v = more;
		*room = *room * 2 + 16;
	}
	all->v[all->n].version = version;
	return &all->v[all->n++];
}

/* One file of the folder; files with other endings are nobody's business here. */
static bool
file_take(Arena *arena, Migrations *all, size_t *room, const char *dir, const char *file)
{
	Str base = str_keep(arena, str_of(file)), rest = base, number, name;
	bool up = str_ends(base, S(".up.sql"));
	const char *path = arena_print(arena, "%s/%s", dir, file);
	Migration *migration;
	int64_t version;

	if (!up && !str_ends(base, S(".down.sql")))
		return true;
	rest.n -= up ? 7 : 9;
	if (!str_next(&rest, '_', &number) || number.n < 4 || !str_i64(number, &version) ||
	    version < 1 || !name_is_plain(name = rest)) {
		fprintf(stderr, "%s: a migration is named NNNN_what.%s.sql\n", path,
		        up ? "up" : "down");
		return false;
	}
	migration = migration_of(arena, all, room, version);
	if ((up ? migration->up_path : migration->down_path) != NULL ||
	    (migration->name.n > 0 && !str_eq(migration->name, name))) {
		fprintf(stderr, "%s: another migration has the number %lld\n", path,
		        (long long)version);
		return false;
	}
	migration->name = name;
	*(up ? &migration->up_path : &migration->down_path) = path;
	return file_read(arena, path, up ? &migration->up : &migration->down);
}

static int
by_version(const void *a, const void *b)
{
	const Migration *x = a, *y = b;

	return (x->version > y->version) - (x->version < y->version);
}

bool
migrations_read(Arena *arena, const char *dir, Migrations *out)
{
	CLEANUP(dir_close) DIR *folder = opendir(dir);
	Migrations all = { NULL, 0 };
	size_t room = 0;
	const struct dirent *entry;

	if (folder == NULL) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		return false;
	}
	while ((entry = readdir(folder)) != NULL)
		if (!file_take(arena, &all, &room, dir, entry->d_name))
			return false;
	for (size_t i = 0; i < all.n; i++) {
		uint8_t digest[SHA256_BYTES];

		if (all.v[i].up_path == NULL || all.v[i].down_path == NULL) {
			fprintf(stderr, "%s: migration %lld has no %s\n", dir,
			        (long long)all.v[i].version,
			        all.v[i].up_path == NULL ? ".up.sql" : ".down.sql");
			return false;
		}
		sha256(all.v[i].up, digest);
		all.v[i].sha256 = hex(arena, digest, sizeof digest);
	}
	if (all.n == 0) { /* the wrong folder, by all odds */
		fprintf(stderr, "%s: there is no migration\n", dir);
		return false;
	}
	qsort(all.v, all.n, sizeof *all.v, by_version);
	*out = all;
	return true;
}
