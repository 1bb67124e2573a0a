#pragma once

/*
 * Refresh tokens: "v1." and base64url of session id (16 bytes), generation (8, big-endian) and
 * an HMAC-SHA-256 of both (32), under a secret of the deployment whose kid is in the session's
 * row.
 */

#include "common/crypto.h"
#include "common/uuid.h"

#define REFRESH_TEXT_BYTES 78

typedef struct RefreshToken {
	Uuid session_id;
	int64_t gen; /* from 1 */
	uint8_t mac[SHA256_BYTES];
} RefreshToken;

Str refresh_make(Arena *arena, Hmac *hmac, Uuid session_id, int64_t gen);

/* Only its form is read: nothing in it may be believed before refresh_signed() says so. */
bool refresh_read(Arena *arena, Str text, RefreshToken *out) MUST_USE;

/* Was it made under this secret? Takes the same time whatever differs. */
bool refresh_signed(Hmac *hmac, const RefreshToken *token) MUST_USE;
