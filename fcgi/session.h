#pragma once

/*
 * Who is calling: from the access token of a request to the rights of its session, and the
 * sessions that tokens belong to.
 *
 * The rights of a request are those that both the token's roles and the database give. They are
 * asked in one round trip, and kept with the token while fcgi/revoke.h says that nothing has
 * changed; so a logout, a disabled account or a role taken away holds for the next request. A
 * host that does not hear what others change asks again, or has a copy (fcgi/copies.h).
 */

#include "common/jwt.h"
#include "fcgi/req.h"
#include "schema/models/auth.h"

/*
 * Fill rq->caller from the header Authorization; without one the caller stays unknown. A bad
 * token is refused on open routes too. Routes that read the token themselves (own_token) are
 * passed by.
 * Problems: token_invalid, token_expired, session_revoked (also: a disabled account)
 */
const Problem *session_admit(Req *rq) MUST_USE;

/*
 * Ask the database again, within the transaction: for routes that are `fresh`.
 * Problems: session_revoked, forbidden
 */
const Problem *session_confirm(Req *rq) MUST_USE;

/*
 * What the request's access token claims; *found is false without the header Authorization.
 * Says nothing of the session. ended_too: one that has expired is good.
 * Problems: token_invalid, token_expired
 */
const Problem *session_claims(Req *rq, bool ended_too, Claims *claims, bool *found) MUST_USE;

/*
 * Begin a session of out->user and make its tokens, which fill the rest of out. The row's
 * statement is the transaction's last, and takes its COMMIT along. Inside db_begin() only.
 */
const Problem *session_open(Req *rq, LoginOut *out) MUST_USE;
