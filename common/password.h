#pragma once

/*
 * Password hashes. The only file that touches libxcrypt.
 *
 * New hashes are yescrypt; bcrypt hashes from elsewhere verify too. A hash takes tens of
 * milliseconds and, at the default cost, 16 MiB: how many may run at once is for the caller to
 * bound. Nothing of a password is left in memory that this file took.
 */

#include "common/str.h"

#define PASSWORD_POINTS_MIN 12
#define PASSWORD_POINTS_MAX 256
#define PASSWORD_BYTES_MAX 511 /* libxcrypt takes no more */
#define PASSWORD_COST_MAX 11

/*
 * Hash it.
 *
 * password  1 to PASSWORD_BYTES_MAX bytes, none of them NUL
 * cost      of yescrypt, 1 to PASSWORD_COST_MAX; each step doubles time and memory
 * returns   false when the password is out of bounds or there is no memory for the work
 */
bool password_hash(Arena *arena, Str password, int cost, Str *hash) MUST_USE;

typedef enum PasswordVerdict {
	PASSWORD_RIGHT,
	PASSWORD_WRONG,
	PASSWORD_UNREADABLE, /* no hash that we know, or no memory: nothing is known */
} PasswordVerdict;

/*
 * Is this the password of the hash? Takes the time of the hash whether or not it is.
 *
 * A damaged hash is refused by its form before libxcrypt sees it, which would take most texts
 * for a DES salt. bcrypt looks at 72 bytes only, so a longer password is wrong for one of its
 * hashes.
 */
PasswordVerdict password_verify(Str password, Str hash) MUST_USE;

/* Is the hash weaker than, or of another kind than, what password_hash() makes at this cost? */
bool password_is_stale(Str hash, int cost);

/*
 * A hash that no password has, for accounts that do not exist: verifying against it takes as
 * long as against a true one of this cost.
 */
Str password_decoy(Arena *arena, int cost);

/* Is it in the bundled list of common passwords, whatever the case of its ASCII letters? */
bool password_is_common(Str password);
