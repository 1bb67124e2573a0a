#pragma once

/*
 * Hashes, message authentication and signing keys. The only file that touches libcrypto.
 *
 * Keys are parsed once and kept with their contexts: parsing a PEM text costs 0.3 ms, verifying
 * an ES256 signature with a kept key 0.05 ms. Nothing here reads a clock or keeps a secret that
 * was not asked for. What is opened here belongs to the process that opened it; it may be used
 * after a fork.
 */

#include "common/str.h"

#define SHA256_BYTES 32

void sha256(Str bytes, uint8_t out[SHA256_BYTES]);

/* HMAC-SHA-256 under one key, which is prepared once. */
typedef struct Hmac Hmac;

/* secret: copied, at least one byte. Never NULL; end it with hmac_close(). */
Hmac *hmac_open(Str secret);
void hmac_close(Hmac *hmac);
void hmac_sha256(Hmac *hmac, Str bytes, uint8_t out[SHA256_BYTES]);

/* Algorithms of JSON Web Signatures (RFC 7518 section 3) that this program signs with. */
typedef enum KeyAlg { KEY_ES256, KEY_RS256, KEY_HS256, KEY_ALGS } KeyAlg;

/* "ES256" ..., as the header `alg` and the setting have them; NULL at the end. */
extern const char *const key_alg_names[KEY_ALGS + 1];

/* The algorithm of exactly this name; false when there is none. */
bool key_alg_of(Str name, KeyAlg *out) MUST_USE;

/* A signing key with all that is needed to sign and to verify. Never printed, never logged. */
typedef struct Key Key;

#define KEY_SIGNATURE_MAX 512 /* bytes: RS256 with 4096 bits */

/* A new one from the system's generator: P-256, RSA with 2048 bits, or 32 random bytes. */
Key *key_make(KeyAlg alg);

/*
 * From its text: a PEM private key, or for HS256 base64url of at least 32 bytes.
 * returns  NULL when the text is no private key, or not one that fits alg (another curve, RSA
 * with less than 2048 or more than 4096 bits)
 */
Key *key_read(KeyAlg alg, Str text) MUST_USE;
void key_close(Key *key);

KeyAlg key_alg(const Key *key);

/* The text that key_read() takes, in memory that is wiped with the arena. */
Str key_text(Arena *arena, const Key *key);

/* Its public half as PEM; none for HS256. */
Str key_public_text(Arena *arena, const Key *key);

/*
 * The members of its public JWK (RFC 7517, RFC 7518 section 6), without braces:
 * "crv":"P-256","kty":"EC","x":"...","y":"...". False for HS256, which has nothing public.
 */
bool key_public(Buf *out, const Key *key);

/*
 * A name for the key, 43 characters of base64url: the SHA-256 thumbprint of its public JWK (RFC
 * 7638), for HS256 an HMAC under it of a text that is no token.
 */
Str key_thumbprint(Arena *arena, const Key *key);

/*
 * Sign. ES256 gives R and S, 32 bytes each, as JWS has them.
 *
 * out      at least KEY_SIGNATURE_MAX bytes
 * returns  bytes written
 */
size_t key_sign(Key *key, Str bytes, uint8_t *out);

/* Is this the signature of these bytes? A signature of another length never is. */
bool key_verify(Key *key, Str bytes, const uint8_t *signature, size_t n) MUST_USE;
