#pragma once

/*
 * Access tokens that this worker has verified, by their digests, with what their callers may
 * do.
 *
 * A fixed table: a new token puts out the one of its set that was used longest ago. What is
 * kept depends on epochs of the board (see fcgi/revoke.h): a sum other than the one noted, and
 * the database is asked again. Whether the sum can be trusted is the caller's to know.
 */

#include "common/crypto.h"
#include "fcgi/req.h"

#define TOKENS_PLACES 1024
#define TOKENS_EPOCHS 20      /* that a kept token may depend on */
#define TOKENS_TEXT_BYTES 384 /* that its permissions may take */

/* What is known of a token. */
typedef struct Token {
	int64_t nbf_s, exp_s;           /* seconds since 1970, leeway included */
	int64_t until_us;               /* monotonic: its session ends */
	uint16_t epochs[TOKENS_EPOCHS]; /* what it depends on */
	size_t n_epochs;
	uint64_t sum;  /* of them, noted before the database was asked */
	Caller caller; /* permissions borrow */
} Token;

/*
 * The caller of a token that was verified before and is still good; false when it is not known.
 * Lists are in the arena, their texts live until the next tokens_keep().
 */
bool tokens_find(const uint8_t digest[SHA256_BYTES], const Board *board, Arena *arena,
                 Caller *out) MUST_USE;

/* Keep one; what is too large is not kept. */
void tokens_keep(const uint8_t digest[SHA256_BYTES], const Token *token);

/* Forget all, leaving nothing in memory. */
void tokens_wipe(void);
