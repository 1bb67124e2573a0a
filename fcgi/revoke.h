#pragma once

/*
 * Revocation is at once: who changes a session, a user, a role or a key says so here, within
 * the transaction that changes it.
 *
 * On this host the board's epochs are raised after the COMMIT and before the answer; on others
 * their keepers hear of it (NOTIFY) when the transaction commits. Rights that a worker keeps
 * are good only while nothing has changed and the host's keeper proves that it hears.
 *
 * The message, on the channel postern_epochs, is one letter, a colon and an id: "s:" and "u:"
 * with a UUID, "r:" with a name, "k:" with a kid. ("o:" is fcgi/outbox.h's.)
 */

#include "common/board.h"
#include "common/problem.h"

#define REVOKE_CHANNEL "postern_epochs"
#define REVOKE_TRUST_MS 2500 /* that kept rights are good after a proof that we hear */

/* One session; all of a user's sessions and rights; what a role permits; the signing keys. */
const Problem *revoke_session(Ctx *ctx, Uuid id) MUST_USE;
const Problem *revoke_user(Ctx *ctx, Uuid id) MUST_USE;
const Problem *revoke_role(Ctx *ctx, Str name) MUST_USE;
const Problem *revoke_key(Ctx *ctx, Str kid) MUST_USE;

/* The transaction is over, whatever came of it: raise what was said in it. */
void revoke_settle(Ctx *ctx, Board *board);

/* Raise what a message from another host names, or everything when it is not understood. */
void revoke_heard(Board *board, Str words);

/* The number of the database that we hear of, from its settings. */
uint64_t revoke_source(void);

/* Does this host hear what others change? Otherwise nothing that is kept may be trusted. */
bool revoke_hears(const Board *board);

/* The counter of the signing keys: one for all of them, since they are read together. */
uint16_t revoke_keys_epoch(void);
uint16_t revoke_uuid_epoch(EpochKind kind, Uuid id);
