#include "schema/qgen.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/migrate.h"

typedef struct Options {
	const char *dsn, *lock, *out, *migrations;
	const char *includes[64];
	size_t n_includes;
} Options;

void *
qgen_grow(Arena *arena, void *array, size_t n, size_t size)
{
	void *more;

	if (n != 0 && (n < 8 || (n & (n - 1)) != 0))
		return array;
	more = arena_take(arena, n == 0 ? 8 : 2 * n, size, _Alignof(max_align_t));
	if (n > 0)
		memcpy(more, array, n * size);
	return more;
}

void
qgen_fault(Run *run, const Source *source, size_t at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s:%d: ", source->path, sql_line(source->text, at));
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	run->faults++;
}

int
qgen_compare(const void *a, const void *b)
{
	const Str *x = a, *y = b;
	int order = memcmp(x->p, y->p, MIN(x->n, y->n));

	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

bool
qgen_has(const Str *sorted, size_t n, Str line)
{
	return n > 0 && bsearch(&line, sorted, n, sizeof line, qgen_compare) != NULL;
}

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static const Source *
source_open(Run *run, const char *path)
{
	Source *source = arena_new(run->arena, Source, 1);
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	char *text;
	ssize_t n;

	if (fd < 0 || fstat(fd, &about) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	text = arena_new(run->arena, char, (size_t)about.st_size + 1);
	n = read(fd, text, (size_t)about.st_size);
	CHECK(n == about.st_size);
	source->path = path;
	source->base = str_of(base_of(path));
	source->text = (Str){ text, (size_t)n };
	return source;
}

/* Write a file whole or not at all; leave one that has this text already, for make's sake. */
static void
file_write(Run *run, const char *path, Str text)
{
	char *part = arena_print(run->arena, "%s.part", path);
	FILE *file;

	if (access(path, F_OK) == 0 && str_eq(source_open(run, path)->text, text))
		return;
	file = fopen(part, "w");
	if (file == NULL || fwrite(text.p, 1, text.n, file) != text.n || fclose(file) != 0 ||
	    rename(part, path) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void
faults_end(const Run *run)
{
	if (run->faults > 0)
		exit(1);
}

static void
server_ask(Run *run, const Options *options)
{
	const MigrateConfig config = {
		.dsn = options->dsn,
		.dir = options->migrations,
		.wait_ms = 10000,
		.locks_ms = 5000,
	};

	if (options->migrations != NULL && migrate_up(&config) != 0)
		exit(1);
	qgen_connect(run, options->dsn);
	for (size_t i = 0; i < run->n; i++) {
		int faults = run->faults;

		qgen_ask(run, &run->queries[i]);
		if (faults == run->faults)
			qgen_check(run, &run->queries[i]);
	}
	qgen_disconnect(run);
	faults_end(run);
}

static void
lock_write(Run *run, const Options *options)
{
	server_ask(run, options);
	file_write(run, options->lock, qgen_lock_text(run));
}

static void
lock_check(Run *run, const Options *options)
{
	server_ask(run, options);
	qgen_lock_compare(run, source_open(run, options->lock));
	faults_end(run);
}

static void
code_emit(Run *run, const Options *options)
{
	const char *header;

	qgen_lock_read(run, source_open(run, options->lock));
	faults_end(run);
	for (size_t i = 0; i < run->n; i++)
		qgen_check(run, &run->queries[i]);
	faults_end(run);
	header = arena_print(run->arena, "%s.h", options->out);
	file_write(run, header, qgen_header(run, options->includes, options->n_includes));
	file_write(run, arena_print(run->arena, "%s.c", options->out),
	           qgen_code(run, base_of(header)));
}

static const struct {
	const char *name;
	void (*run)(Run *run, const Options *options);
	bool server;
} modes[] = {
	{ "lock", lock_write, true },
	{ "check", lock_check, true },
	{ "emit", code_emit, false },
};

static const char usage[] =
    "usage: qgen lock --dsn DSN [--migrations DIR] [--role ROLE] --lock FILE QUERIES.sql...\n"
    "       qgen check --dsn DSN [--migrations DIR] [--role ROLE] --lock FILE QUERIES.sql...\n"
    "       qgen emit --lock FILE --out BASE [--include HEADER]... QUERIES.sql...\n";

static void
usage_end(void)
{
	fputs(usage, stderr);
	exit(64); /* EX_USAGE */
}

static void
options_read(int argc, char **argv, Run *run, Options *options)
{
	static const struct option known[] = {
		{ "dsn", required_argument, NULL, 'd' },
		{ "role", required_argument, NULL, 'r' },
		{ "lock", required_argument, NULL, 'l' },
		{ "out", required_argument, NULL, 'o' },
		{ "include", required_argument, NULL, 'i' },
		{ "migrations", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'd':
			options->dsn = optarg;
			break;
		case 'r':
			run->role = optarg;
			break;
		case 'l':
			options->lock = optarg;
			break;
		case 'o':
			options->out = optarg;
			break;
		case 'm':
			options->migrations = optarg;
			break;
		case 'i':
			CHECK(options->n_includes < COUNT(options->includes));
			options->includes[options->n_includes++] = optarg;
			break;
		default:
			usage_end();
		}
	}
}

int
main(int argc, char **argv)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(1024));
	Run run = { .arena = arena };
	Options options = { .dsn = NULL };
	size_t mode = 0;

	while (mode < COUNT(modes) && (argc < 2 || strcmp(argv[1], modes[mode].name) != 0))
		mode++;
	if (mode == COUNT(modes))
		usage_end();
	options_read(argc - 1, argv + 1, &run, &options);
	if (options.lock == NULL || (modes[mode].server ? options.dsn : options.out) == NULL)
		usage_end();
	for (int i = optind + 1; i < argc; i++)
		qgen_read(&run, source_open(&run, argv[i]));
	faults_end(&run);
	for (size_t i = 0; i < run.n; i++) {
		qgen_names(&run, &run.queries[i]);
		qgen_choices(&run, &run.queries[i]);
	}
	faults_end(&run);
	modes[mode].run(&run, &options);
	return 0;
}
