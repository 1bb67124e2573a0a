#include "fcgi/revoke.h"

#include "common/settings.h"
#include "queries.gen.h"

/* An epoch to be raised when the transaction is over. */
typedef struct Revoked {
	uint16_t epoch;
	struct Revoked *next;
} Revoked;

uint16_t
revoke_keys_epoch(void)
{
	return board_epoch_of(EPOCH_KEY, STR_NONE);
}

uint16_t
revoke_uuid_epoch(EpochKind kind, Uuid id)
{
	return board_epoch_of(kind, (Str){ (const char *)id.b, sizeof id.b });
}

static const Problem *
tell(Ctx *ctx, uint16_t epoch, char letter, Str id)
{
	Revoked *revoked = arena_new(ctx->arena, Revoked, 1);

	*revoked = (Revoked){ epoch, ctx->revoked };
	ctx->revoked = revoked;
	return q_epoch_tell_queue(ctx, str_print(ctx->arena, "%c:%.*s", letter, STR_ARG(id)));
}

const Problem *
revoke_session(Ctx *ctx, Uuid id)
{
	return tell(ctx, revoke_uuid_epoch(EPOCH_SESSION, id), 's', uuid_str(ctx->arena, id));
}

const Problem *
revoke_user(Ctx *ctx, Uuid id)
{
	return tell(ctx, revoke_uuid_epoch(EPOCH_USER, id), 'u', uuid_str(ctx->arena, id));
}

const Problem *
revoke_role(Ctx *ctx, Str name)
{
	return tell(ctx, board_epoch_of(EPOCH_ROLE, name), 'r', name);
}

const Problem *
revoke_key(Ctx *ctx, Str kid)
{
	return tell(ctx, revoke_keys_epoch(), 'k', kid);
}

void
revoke_settle(Ctx *ctx, Board *board)
{
	for (const Revoked *revoked = ctx->revoked; revoked != NULL; revoked = revoked->next)
		board_epoch_raise(board, revoked->epoch);
	ctx->revoked = NULL;
}

void
revoke_heard(Board *board, Str words)
{
	char letter = words.n >= 2 && words.p[1] == ':' ? words.p[0] : '\0';
	Str id = str_sub(words, 2, words.n);
	Uuid uuid;

	if (letter == 'k')
		board_epoch_raise(board, revoke_keys_epoch());
	else if (letter == 'r')
		board_epoch_raise(board, board_epoch_of(EPOCH_ROLE, id));
	else if (letter == 's' && uuid_read(id, &uuid))
		board_epoch_raise(board, revoke_uuid_epoch(EPOCH_SESSION, uuid));
	else if (letter == 'u' && uuid_read(id, &uuid))
		board_epoch_raise(board, revoke_uuid_epoch(EPOCH_USER, uuid));
	else
		board_epochs_raise(board);
}

uint64_t
revoke_source(void)
{
	const char *const texts[] = { conf->database_dsn, conf->database_listen_dsn };
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < COUNT(texts); i++)
		for (const char *c = texts[i]; *c != '\0'; c++)
			hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

bool
revoke_hears(const Board *board)
{
	int64_t age_us = clock_mono_us() - board_heard_us(board, revoke_source());

	return age_us >= 0 && age_us < REVOKE_TRUST_MS * INT64_C(1000);
}
