#pragma once

/*
 * The deployment's keys, as this worker knows them: those that sign access tokens, and secrets
 * of what is no JWT (cursors, refresh tokens, and with that of cursors copies in Redis).
 *
 * They lie in the database, are read when they are first needed, and kept while the board does
 * not say that they have changed, and not for long: a worker that hears of nothing signs with
 * what it has read within half a second and verifies with what it has read within two, and an
 * unknown kid has them read anew, at most five times a second. With auth.secret set, secrets
 * are made from it instead.
 *
 * Problems: unavailable, when there is no key to work with; those of the database.
 */

#include "common/board.h"
#include "common/crypto.h"
#include "common/problem.h"

/* What secrets are of: each name has keys of its own. */
extern const char *const key_secret_names[]; /* "cursor", "refresh"; NULL at the end */

/* Where it is said that signing keys have changed (see fcgi/revoke.h); kept by address. */
void keys_watch(const Board *board);

/* A sum that is another when signing keys have changed; 0 where nobody tells of it. */
uint64_t keys_epoch(void);

/* There is a key to sign with, and every secret. For /readyz. */
const Problem *keys_ready(Ctx *ctx) MUST_USE;

/* The key that signs now. kid borrows until the next call of this module. */
const Problem *keys_signer(Ctx *ctx, Key **key, Str *kid) MUST_USE;

/* The key of this name; *key is NULL when there is none. A JwtFind. */
const Problem *keys_find(Ctx *ctx, Str kid, Key **key) MUST_USE;

/* The JSON Web Key Set (RFC 7517) of all that sign or still verify. */
const Problem *keys_set(Ctx *ctx, Buf *out) MUST_USE;

/* The newest secret of this use. */
const Problem *keys_hmac(Ctx *ctx, const char *name, Hmac **hmac) MUST_USE;
const Problem *keys_secret(Ctx *ctx, const char *name, Str *kid, Hmac **hmac) MUST_USE;

/* The one that was the newest when kid was noted; *hmac is NULL when there is none. */
const Problem *keys_secret_of(Ctx *ctx, const char *name, Str kid, Hmac **hmac) MUST_USE;
