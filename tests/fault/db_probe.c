/*
 * The database layer alone, driven from outside: one line a request, one line an answer.
 *
 *	db_probe DSN named|unnamed < requests
 *
 * A request is "MS COMMAND [N]", MS its deadline. An answer has tabs between: the problem's
 * code or "ok", milliseconds, "again" or "-", connections made, and the value or what is inside
 * the problem.
 *
 *	ready      db_ready
 *	read N     the note of item N
 *	list N     the sum of the numbers to N, row by row
 *	write N    insert item N in one trip, with a second statement
 *	pair N     insert items N and -N in a transaction of three trips
 *	sleep N    N ms on the server
 *
 * Items are in table probe_items (id bigint primary key, note text).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/db_bench.h"

typedef struct Note {
	Str note;
} Note;

static const DbColumn gives_note[] = { COLUMN(Note, note, DB_TEXT) };

QUERY(item_note, "SELECT note FROM probe_items WHERE id = $1", with_number, gives_note, Note);
QUERY(item_put,
      "INSERT INTO probe_items (id, note) VALUES ($1, 'note ' || $1::bigint) RETURNING id",
      with_number, gives_number, Number);
QUERY(item_count, "SELECT count(*) AS n FROM probe_items WHERE id = $1", with_number,
      gives_number, Number);
QUERY(numbers, "SELECT generate_series(1, $1::bigint) AS n", with_number, gives_number, Number);
QUERY(nap, "SELECT pg_sleep($1::bigint / 1000.0)", with_number, gives_nothing, Number);

static const Problem *
run_ready(Ctx *ctx, int64_t n, Str *value)
{
	(void)n;
	*value = S("ready");
	return db_ready(ctx);
}

static const Problem *
run_read(Ctx *ctx, int64_t n, Str *value)
{
	return db_one(ctx, &item_note, (const void *[]){ &(Number){ n } }, value, P_not_found);
}

static const Problem *
add(Ctx *ctx, const void *row, void *to)
{
	(void)ctx;
	*(int64_t *)to += ((const Number *)row)->n;
	return NULL;
}

static const Problem *
run_list(Ctx *ctx, int64_t n, Str *value)
{
	int64_t sum = 0;

	TRY(db_each(ctx, &numbers, (const void *[]){ &(Number){ n } }, add, &sum));
	*value = str_print(ctx->arena, "%lld", (long long)sum);
	return NULL;
}

/* As work_do() of fcgi/ does: what fails is rolled back. */
static const Problem *
settled(Ctx *ctx, const Problem *p)
{
	if (p == NULL)
		p = db_commit(ctx);
	if (p != NULL)
		db_rollback(ctx);
	return p;
}

static const Problem *
write_both(Ctx *ctx, int64_t n)
{
	const void *args[] = { &(Number){ n } };
	Number out;

	TRY(db_queue(ctx, &item_count, args));
	db_last(ctx);
	return db_one(ctx, &item_put, args, &out, P_internal);
}

static const Problem *
run_write(Ctx *ctx, int64_t n, Str *value)
{
	*value = S("written");
	TRY(db_begin(ctx));
	return settled(ctx, write_both(ctx, n));
}

static const Problem *
run_pair(Ctx *ctx, int64_t n, Str *value)
{
	Number out;
	const Problem *p;

	*value = S("written");
	TRY(db_begin(ctx));
	p = db_one(ctx, &item_put, (const void *[]){ &(Number){ n } }, &out, P_internal);
	if (p == NULL)
		p = db_one(ctx, &item_put, (const void *[]){ &(Number){ -n } }, &out,
		           P_internal);
	return settled(ctx, p);
}

static const Problem *
run_sleep(Ctx *ctx, int64_t n, Str *value)
{
	*value = S("slept");
	return db_exec(ctx, &nap, (const void *[]){ &(Number){ n } }, NULL);
}

static const struct {
	const char *name;
	const Problem *(*run)(Ctx *ctx, int64_t n, Str *value);
} commands[] = {
	{ "ready", run_ready }, { "read", run_read }, { "list", run_list },
	{ "write", run_write }, { "pair", run_pair }, { "sleep", run_sleep },
};

static void
answer(Ctx *ctx, const char *command, int64_t n)
{
	Str value = STR_NONE, line;
	const Problem *p = problem_inside(ctx, P_internal, "no such command");
	int64_t start_us = clock_mono_us();

	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i].name, command) == 0)
			p = commands[i].run(ctx, n, &value);
	if (p != NULL)
		value = str_of(p->inside);
	line = str_print(
	    ctx->arena, "%s\t%lld\t%s\t%u\t%.*s", p == NULL ? "ok" : problem_rows[p->code].code,
	    (long long)(clock_mono_us() - start_us) / 1000,
	    p != NULL && p->again ? "again" : "-", db_cost(ctx->db).connects, STR_ARG(value));
	for (size_t i = 0; i < line.n; i++)
		putchar(line.p[i] == '\n' ? ' ' : line.p[i]);
	putchar('\n');
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	Ctx ctx = { .arena = arena_open(MIB(16)) };
	DbConfig config = { .statement_ms = 10000, .name = "db_probe" };
	char line[256], command[16];
	long long ms, n;

	if (argc != 3)
		return 64;
	config.dsn = argv[1];
	config.named = strcmp(argv[2], "named") == 0;
	ctx.db = db_open(&config);
	while (fgets(line, sizeof line, stdin) != NULL) {
		n = 0;
		if (sscanf(line, "%lld %15s %lld", &ms, command, &n) < 2)
			return 64;
		ctx.deadline = deadline_in_ms(ms);
		answer(&ctx, command, n);
		db_settle(ctx.db);
		arena_reset(ctx.arena);
	}
	db_close(ctx.db);
	arena_close(ctx.arena);
	return 0;
}
