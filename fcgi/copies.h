#pragma once

/*
 * Copies in Redis of what the database said of a session, for hosts that do not hear what
 * others change (revoke_hears() is false): they would ask the database for every request, and
 * so ask it for each session every two seconds.
 *
 * A copy belongs to a session and the roles that its token names. It is good for COPIES_MS,
 * counted from a moment before the database was asked, by Redis' clock; who has been stopped on
 * the way writes none.
 *
 * Why no revoked token comes alive:
 *
 *  - What this host has revoked, or heard of, has raised epochs after its COMMIT and before its
 *    answer. A copy is looked for only when none that the token depends on was raised in the
 *    last COPIES_REST_MS, and is younger than that: the database was asked after the last
 *    raise, and knew what it was for. So revocation holds for the next request on this host.
 *  - What another host has revoked, unheard by this one, is in every copy that is younger. So
 *    it holds here COPIES_MS later at most.
 *  - Redis' clock may be turned, or Redis lie. A copy also says when the host that wrote it
 *    asked, by that host's clock, and is too old by that as well, give or take the
 *    COPIES_CLOCKS_MS that hosts' clocks may differ. Either of the two clocks is enough for all
 *    that is said here.
 *  - A code made with a secret of the deployment covers the copy, its moments and its key: what
 *    others wrote, or wrote for another session, is no copy. It is no fault either: it may be
 *    one of before secrets were changed.
 *  - Routes that are `fresh` take no copies, nor are any kept with the tokens that a worker
 *    knows.
 */

#include "common/crypto.h"
#include "fcgi/req.h"
#include "schema/models/sessions.h"

#define COPIES_MS 2000
#define COPIES_CLOCKS_MS 500
/* The age that a copy can have: by Redis' clock, were it a third too slow, or by the hosts'. */
#define COPIES_REST_MS (COPIES_MS + 2 * COPIES_CLOCKS_MS)

/* A question that Redis was asked before the database is. Zeroed: it was not asked. */
typedef struct CopyAsked {
	Str key;
	int64_t stamp_ms; /* by Redis' clock, since 1970 */
	int64_t at_ms;    /* by ours */
} CopyAsked;

/* What the rights depend on: the session, the roles that its token names, and their epochs. */
typedef struct CopyOf {
	Uuid session_id;
	StrList roles;
	const uint16_t *epochs;
	size_t n_epochs;
} CopyOf;

/*
 * Is there a good one? asked: for copies_put() when there is none; left zeroed when Redis did
 * not answer.
 */
bool copies_find(Req *rq, const CopyOf *of, CopyAsked *asked, SessionRights *row) MUST_USE;

/* The database has been asked since, and row is good. Returns whether Redis has taken it. */
bool copies_put(Req *rq, const CopyAsked *asked, const SessionRights *row);

/* --- what lies in Redis: the code, the two moments and the row, as text */

Str copy_seal(Arena *arena, Hmac *hmac, const CopyAsked *asked, const SessionRights *row);

/*
 * now      its key, and both clocks when Redis was asked
 * returns  whether it is ours, of this key and young enough; then row has what is left of its
 *          time
 */
bool copy_open(Ctx *ctx, Hmac *hmac, const CopyAsked *now, Str copy,
               SessionRights *row) MUST_USE;
