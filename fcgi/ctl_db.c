#include "fcgi/ctl_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/db.h"
#include "fcgi/revoke.h"

enum { COMMAND_MS = 30000 };

static const size_t command_bytes = MIB(64);

Ctx *
ctl_db_open(const Settings *settings)
{
	const char *owner = settings->database_owner_dsn;
	Ctx *ctx = calloc(1, sizeof *ctx);

	CHECK(ctx != NULL);
	ctx->arena = arena_open(command_bytes);
	ctx->deadline = deadline_in_ms(COMMAND_MS);
	ctx->db = db_open(&(DbConfig){
	    .dsn = owner[0] != '\0' ? owner : settings->database_dsn,
	    .named = false, /* each statement runs once */
	    .statement_ms = COMMAND_MS,
	    .name = "posternctl",
	});
	return ctx;
}

/*
 * The server of this host learns at once what was changed; those of others, and of a board that
 * is not ours to write, by message.
 */
static void
settle(Ctx *ctx, const Settings *settings)
{
	Board *board = ctx->revoked == NULL ? NULL : board_join(settings->run_dir);

	if (board != NULL)
		revoke_settle(ctx, board);
	board_close(board);
}

void
ctl_db_close(Ctx *ctx, const Settings *settings)
{
	settle(ctx, settings);
	db_close(ctx->db);
	arena_close(ctx->arena);
	free(ctx);
}

int
ctl_problem(Ctx *ctx, const Problem *p)
{
	fprintf(stderr, "posternctl: %s\n", problem_rows[p->code].title[LANG_EN]);
	for (size_t i = 0; i < p->n_fields; i++) {
		const FieldError *error = &p->fields[i];
		Str name = str_sub(error->pointer, 1, error->pointer.n);
		Str words = message_text(ctx->arena, error->code, LANG_EN, error->number);

		fprintf(stderr, "  %.*s: %.*s\n", STR_ARG(name), STR_ARG(words));
	}
	if (p->inside != NULL)
		fprintf(stderr, "  %s\n", p->inside);
	return problem_rows[p->code].status < 500 ? EX_DATAERR : EX_UNAVAILABLE;
}
