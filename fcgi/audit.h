#pragma once

/* The trail of who did what. A row commits with what it tells of, or not at all. */

#include "fcgi/req.h"

/*
 * Note that somebody did something; travels with the transaction's next statement. Inside
 * db_begin() only.
 *
 * action  "session.login"
 * actor   NULL: nobody that is known
 * target  what it was done to, or none
 * detail  JSON text of an object, or none
 */
const Problem *audit(Req *rq, const char *action, const Uuid *actor, Str target,
                     Str detail) MUST_USE;

/* The client's User-Agent, for a row: at most 256 characters, none when it is no text. */
Str user_agent(const Req *rq);
