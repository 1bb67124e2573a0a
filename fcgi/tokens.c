#include "fcgi/tokens.h"

#include <string.h>

enum { WAYS = 4, SETS = TOKENS_PLACES / WAYS };

typedef struct Place {
	bool taken;
	uint64_t used; /* the turn of its last use */
	uint8_t digest[SHA256_BYTES];
	Token token;
	char text[TOKENS_TEXT_BYTES]; /* its caller's permissions, each with a NUL */
} Place;

static Place places[SETS][WAYS];
static uint64_t turn;

static Place *
set_of(const uint8_t digest[SHA256_BYTES])
{
	return places[(digest[0] | digest[1] << 8) % SETS];
}

/* Its place; NULL: none. */
static Place *
place_of(const uint8_t digest[SHA256_BYTES])
{
	Place *set = set_of(digest);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].taken && memcmp(set[i].digest, digest, SHA256_BYTES) == 0)
			return &set[i];
	return NULL;
}

static bool
is_good(const Token *token, const Board *board)
{
	int64_t now_s = clock_now().us / 1000000;

	return token->nbf_s <= now_s && now_s < token->exp_s &&
	       clock_mono_us() < token->until_us &&
	       board_epochs_sum(board, token->epochs, token->n_epochs) == token->sum;
}

bool
tokens_find(const uint8_t digest[SHA256_BYTES], const Board *board, Arena *arena, Caller *out)
{
	Place *place = place_of(digest);
	const char *at;
	StrList list;

	if (place == NULL || !is_good(&place->token, board))
		return false;
	place->used = ++turn;
	list = (StrList){ arena_new(arena, Str, place->token.caller.permissions.n),
		          place->token.caller.permissions.n };
	at = place->text;
	for (size_t i = 0; i < list.n; i++) {
		list.v[i] = str_of(at);
		at += list.v[i].n + 1;
	}
	*out = place->token.caller;
	out->permissions = list;
	return true;
}

/* Where it goes: its own place, a free one, or that of the token used longest ago. */
static Place *
place_choose(const uint8_t digest[SHA256_BYTES])
{
	Place *set = set_of(digest), *oldest = set, *own = place_of(digest);

	for (size_t i = 1; i < WAYS && oldest->taken; i++)
		if (!set[i].taken || set[i].used < oldest->used)
			oldest = &set[i];
	return own != NULL ? own : oldest;
}

static bool
fits(const Token *token)
{
	const StrList *permissions = &token->caller.permissions;
	size_t bytes = 0;

	for (size_t i = 0; i < permissions->n; i++)
		bytes += permissions->v[i].n + 1;
	return bytes <= TOKENS_TEXT_BYTES && token->n_epochs <= TOKENS_EPOCHS;
}

void
tokens_keep(const uint8_t digest[SHA256_BYTES], const Token *token)
{
	const StrList *permissions = &token->caller.permissions;
	Place *place;
	char *at;

	if (!fits(token))
		return;
	place = place_choose(digest);
	*place = (Place){ .taken = true, .used = ++turn, .token = *token };
	memcpy(place->digest, digest, SHA256_BYTES);
	place->token.caller.permissions.v = NULL;
	place->token.caller.roles = (StrList){ NULL, 0 };
	at = place->text;
	for (size_t i = 0; i < permissions->n; i++) {
		memcpy(at, permissions->v[i].p, permissions->v[i].n);
		at += permissions->v[i].n + 1;
	}
}

void
tokens_wipe(void)
{
	explicit_bzero(places, sizeof places);
}
