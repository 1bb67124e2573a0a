#pragma once

/*
 * Password hashes of requests: at most auth.hash_concurrency at once on this host.
 *
 * A hash takes 20 ms of a core and 16 MiB, so a storm of logins would starve all else. Who
 * finds no place waits for half of what is left of his time, then the answer is `overloaded`.
 * Places are the board's, owned by the worker's slot, so a killed worker gives its place back.
 */

#include "fcgi/req.h"

/*
 * Hash a new password at auth.hash_cost.
 * Problems: overloaded; internal when libxcrypt fails
 */
const Problem *hashing_make(Req *rq, Str password, Str *hash) MUST_USE;

/*
 * Is this the password of the hash? hash: none for an account that does not exist or has no
 * password; then, and when it cannot be read, a decoy of auth.hash_cost takes the time of a
 * true one.
 *
 * fresh    a new hash of the password where the old one is below auth.hash_cost and the
 * password was right, else none Problems: overloaded; internal when libxcrypt fails
 */
const Problem *hashing_verify(Req *rq, Str password, Str hash, bool *right,
                              Str *fresh) MUST_USE;
