#pragma once

/*
 * Access tokens: JSON Web Tokens of RFC 9068 form, made and verified. The only file that
 * touches libjwt.
 *
 * libjwt composes the claims. It cannot make the whole token: 1.10 writes "typ":"JWT" over any
 * other, and parses the PEM text at each call (0.5 ms). So header and signature are ours, with
 * kept keys. Nor does it verify: its jwt_decode() takes the algorithm from the token and checks
 * no claim. Here the header is read strictly, the algorithm is the key's, and claims are looked
 * at only after the signature was right.
 *
 * Problems: token_invalid, with the reason for the log; token_expired, when all else is right.
 */

#include "common/crypto.h"
#include "common/model.h"

#define JWT_BYTES_MAX 4096
#define JWT_LEEWAY_S 5 /* that clocks of hosts may differ */
#define JWT_ROLES_MAX 64

/* The claims by their names in the token; times are seconds since 1970. */
typedef struct Claims {
	Str iss, aud;          /* who made it, and for whom */
	Uuid sub, sid, jti;    /* user, session, the token's own */
	int64_t iat, nbf, exp; /* issued, good from, good until */
	int64_t gen;           /* of the refresh token it was handed out with, from 1 */
	StrList roles;
} Claims;
MODEL_OF(Claims);

/* Sign a token. kid: the key's name. */
const Problem *jwt_make(Ctx *ctx, Key *key, Str kid, const Claims *claims, Str *token) MUST_USE;

/*
 * Find the key of this name: *key is NULL when there is none. A problem is that of the search.
 */
typedef const Problem *(*JwtFind)(Ctx *ctx, Str kid, Key **key);

/* What a token is held against. */
typedef struct JwtRules {
	JwtFind find;
	Str issuer, audience;
	Instant now;
	bool ended_too; /* one that has expired is good, as for a logout */
} JwtRules;

/*
 * Verify: exactly three parts of canonical base64url; a header of alg, kid and typ and nothing
 * else; typ at+jwt; the key of that kid with exactly that alg; its signature; every claim there
 * and of its type; iss, aud, nbf, exp. Claims that are not known are passed over: a newer
 * program may have more.
 */
const Problem *jwt_read(Ctx *ctx, Str token, const JwtRules *rules, Claims *claims) MUST_USE;
