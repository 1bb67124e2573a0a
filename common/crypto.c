#include "common/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/encode.h"
#include "common/uuid.h"

enum {
	P256_BYTES = 32,
	SECRET_BYTES = 32, /* of a new HS256 key, and the least of a given one */
	RSA_BITS = 2048,
	RSA_BITS_MOST = 4096,
	DER_MAX = 2 * (P256_BYTES + 3) + 2, /* two INTEGERs with a leading zero each */
};

struct Hmac {
	EVP_MAC_CTX *context;
};

struct Key {
	KeyAlg alg;
	EVP_PKEY *pkey; /* ES256, RS256 */
	/* prepared; libcrypto lets them be used again and again */
	EVP_PKEY_CTX *signs, *verifies;
	Hmac *hmac;   /* HS256 */
	char *secret; /* HS256: secret_n bytes */
	size_t secret_n;
};

const char *const key_alg_names[KEY_ALGS + 1] = { "ES256", "RS256", "HS256", NULL };

bool
key_alg_of(Str name, KeyAlg *out)
{
	for (unsigned i = 0; i < KEY_ALGS; i++)
		if (str_eq(name, str_of(key_alg_names[i]))) {
			*out = (KeyAlg)i;
			return true;
		}
	return false;
}

void
sha256(Str bytes, uint8_t out[SHA256_BYTES])
{
	static EVP_MD *md; /* fetched once: a look-up by name costs more than a short hash */
	static EVP_MD_CTX *context;

	if (context == NULL) {
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
		CHECK(md != NULL && context != NULL);
	}
	CHECK(EVP_DigestInit_ex2(context, md, NULL) == 1);
	CHECK(EVP_DigestUpdate(context, bytes.p, bytes.n) == 1);
	CHECK(EVP_DigestFinal_ex(context, out, NULL) == 1);
}

Hmac *
hmac_open(Str secret)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	const unsigned char *key = (const unsigned char *)secret.p;
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	Hmac *hmac = calloc(1, sizeof *hmac);

	CHECK(mac != NULL && hmac != NULL && secret.n > 0);
	hmac->context = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac); /* the context holds it */
	CHECK(hmac->context != NULL);
	CHECK(EVP_MAC_init(hmac->context, key, secret.n, params) == 1);
	return hmac;
}

void
hmac_close(Hmac *hmac)
{
	if (hmac == NULL)
		return;
	EVP_MAC_CTX_free(hmac->context);
	free(hmac);
}

void
hmac_sha256(Hmac *hmac, Str bytes, uint8_t out[SHA256_BYTES])
{
	/* no key: the one it was prepared with */
	CHECK(EVP_MAC_init(hmac->context, NULL, 0, NULL) == 1);
	CHECK(EVP_MAC_update(hmac->context, (const unsigned char *)bytes.p, bytes.n) == 1);
	CHECK(EVP_MAC_final(hmac->context, out, NULL, SHA256_BYTES) == 1);
}

/* ------------------------------------------------------------------ keys */

/* Contexts that sign and verify SHA-256 digests; false when the library refuses the key. */
static bool
key_prepare(Key *key)
{
	key->signs = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	key->verifies = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	CHECK(key->signs != NULL && key->verifies != NULL);
	if (EVP_PKEY_sign_init(key->signs) != 1 || EVP_PKEY_verify_init(key->verifies) != 1)
		return false;
	if (key->alg == KEY_RS256 &&
	    (EVP_PKEY_CTX_set_rsa_padding(key->signs, RSA_PKCS1_PADDING) != 1 ||
	     EVP_PKEY_CTX_set_rsa_padding(key->verifies, RSA_PKCS1_PADDING) != 1))
		return false;
	return EVP_PKEY_CTX_set_signature_md(key->signs, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(key->verifies, EVP_sha256()) == 1;
}

/* Does the key belong to the algorithm, and is it strong enough? */
static bool
key_fits(KeyAlg alg, const EVP_PKEY *pkey)
{
	char group[32] = "";

	switch (alg) {
	case KEY_ES256:
		return EVP_PKEY_is_a(pkey, "EC") == 1 &&
		       EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
		       strcmp(group, "prime256v1") == 0;
	case KEY_RS256:
		return EVP_PKEY_is_a(pkey, "RSA") == 1 && EVP_PKEY_get_bits(pkey) >= RSA_BITS &&
		       EVP_PKEY_get_bits(pkey) <= RSA_BITS_MOST;
	case KEY_HS256:
	case KEY_ALGS:
		break;
	}
	return false;
}

static Key *
key_of_secret(const void *bytes, size_t n)
{
	Key *key = calloc(1, sizeof *key);

	CHECK(key != NULL);
	key->alg = KEY_HS256;
	key->secret = malloc(n);
	CHECK(key->secret != NULL);
	memcpy(key->secret, bytes, n);
	key->secret_n = n;
	key->hmac = hmac_open((Str){ key->secret, n });
	return key;
}

/* Takes pkey over. */
static Key *
key_of_pkey(KeyAlg alg, EVP_PKEY *pkey)
{
	Key *key = calloc(1, sizeof *key);

	CHECK(key != NULL);
	key->alg = alg;
	key->pkey = pkey;
	if (!key_fits(alg, pkey) || !key_prepare(key)) {
		key_close(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}

Key *
key_make(KeyAlg alg)
{
	uint8_t secret[SECRET_BYTES];
	EVP_PKEY *pkey = NULL;
	Key *key;

	if (alg == KEY_HS256) {
		random_bytes(secret, sizeof secret);
		key = key_of_secret(secret, sizeof secret);
		explicit_bzero(secret, sizeof secret);
		return key;
	}
	pkey = alg == KEY_ES256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(RSA_BITS);
	CHECK(pkey != NULL);
	key = key_of_pkey(alg, pkey);
	CHECK(key != NULL);
	return key;
}

static Key *
secret_read(Str text)
{
	Arena *arena = arena_open(KIB(64));
	uint8_t *bytes = NULL;
	Key *key = NULL;
	size_t n = 0;

	if (text.n <= KIB(1) && base64url_read(arena, text, &bytes, &n)) {
		if (n >= SECRET_BYTES)
			key = key_of_secret(bytes, n);
		explicit_bzero(bytes, n);
	}
	arena_close(arena);
	return key;
}

/* A PEM text with a pass phrase is refused, not asked about on the terminal. */
static int
no_phrase(char *phrase, int size, int writing, void *user)
{
	(void)phrase;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

Key *
key_read(KeyAlg alg, Str text)
{
	EVP_PKEY *pkey = NULL;
	BIO *bio = NULL;

	if (alg == KEY_HS256)
		return secret_read(text);
	if (text.n == 0 || text.n > KIB(64))
		return NULL;
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	CHECK(bio != NULL);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL);
	BIO_free(bio);
	if (pkey == NULL) {
		ERR_clear_error();
		return NULL;
	}
	return key_of_pkey(alg, pkey);
}

void
key_close(Key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_CTX_free(key->signs);
	EVP_PKEY_CTX_free(key->verifies);
	EVP_PKEY_free(key->pkey);
	hmac_close(key->hmac);
	if (key->secret != NULL)
		explicit_bzero(key->secret, key->secret_n);
	free(key->secret);
	free(key);
}

KeyAlg
key_alg(const Key *key)
{
	return key->alg;
}

Str
key_text(Arena *arena, const Key *key)
{
	BIO *bio = NULL;
	char *text = NULL, *kept = NULL;
	long n = 0;

	if (key->alg == KEY_HS256) {
		Str secret = base64url(arena, (const uint8_t *)key->secret, key->secret_n);

		kept = arena_secret(arena, secret.n);
		memcpy(kept, secret.p, secret.n);
		OPENSSL_cleanse((char *)(uintptr_t)secret.p, secret.n);
		return (Str){ kept, secret.n };
	}
	bio = BIO_new(BIO_s_secmem());
	CHECK(bio != NULL);
	CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1);
	n = BIO_get_mem_data(bio, &text);
	CHECK(n > 0);
	kept = arena_secret(arena, (size_t)n);
	memcpy(kept, text, (size_t)n);
	BIO_free(bio); /* wipes */
	return (Str){ kept, (size_t)n };
}

Str
key_public_text(Arena *arena, const Key *key)
{
	BIO *bio = NULL;
	char *text = NULL;
	long n = 0;
	Str kept;

	if (key->alg == KEY_HS256)
		return STR_NONE;
	bio = BIO_new(BIO_s_mem());
	CHECK(bio != NULL);
	CHECK(PEM_write_bio_PUBKEY(bio, key->pkey) == 1);
	n = BIO_get_mem_data(bio, &text);
	CHECK(n > 0);
	kept = str_keep(arena, (Str){ text, (size_t)n });
	BIO_free(bio);
	return kept;
}

/* "name":"base64url of the number", padded to width bytes (0: as long as it is). */
static void
member_put(Buf *out, const Key *key, const char *name, const char *param, int width)
{
	uint8_t bytes[RSA_BITS_MOST / 8];
	BIGNUM *number = NULL;
	int n;

	CHECK(EVP_PKEY_get_bn_param(key->pkey, param, &number) == 1);
	n = BN_bn2binpad(number, bytes, width > 0 ? width : BN_num_bytes(number));
	CHECK(n > 0);
	BN_free(number);
	buf_print(out, "\"%s\":\"", name);
	buf_put(out, base64url(out->arena, bytes, (size_t)n));
	buf_byte(out, '"');
}

bool
key_public(Buf *out, const Key *key)
{
	/* the order of RFC 7638: by name */
	switch (key->alg) {
	case KEY_ES256:
		buf_puts(out, "\"crv\":\"P-256\",\"kty\":\"EC\",");
		member_put(out, key, "x", OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES);
		buf_byte(out, ',');
		member_put(out, key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES);
		return true;
	case KEY_RS256:
		member_put(out, key, "e", OSSL_PKEY_PARAM_RSA_E, 0);
		buf_puts(out, ",\"kty\":\"RSA\",");
		member_put(out, key, "n", OSSL_PKEY_PARAM_RSA_N, 0);
		return true;
	case KEY_HS256:
	case KEY_ALGS:
		break;
	}
	return false;
}

Str
key_thumbprint(Arena *arena, const Key *key)
{
	uint8_t digest[SHA256_BYTES];
	Buf members = { .arena = arena };

	buf_byte(&members, '{');
	if (key_public(&members, key)) {
		buf_byte(&members, '}');
		sha256(buf_str(&members), digest);
	} else {
		/* what is signed has a dot in it, so this is never the signature of a token */
		hmac_sha256(key->hmac, S("name of the key"), digest);
	}
	return base64url(arena, digest, sizeof digest);
}

/* ------------------------------------------------------------------ signatures */

/* One INTEGER of DER from 32 big-endian bytes: no leading zeros, but one before a high bit. */
static size_t
der_integer(uint8_t *out, const uint8_t number[P256_BYTES])
{
	size_t zeros = 0, n, pad;

	while (zeros < P256_BYTES - 1 && number[zeros] == 0)
		zeros++;
	n = P256_BYTES - zeros;
	pad = (number[zeros] & 0x80) != 0;
	out[0] = 0x02;
	out[1] = (uint8_t)(n + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, number + zeros, n);
	return 2 + pad + n;
}

/* R and S as ECDSA signatures are in DER (RFC 3279 section 2.2.3); at most DER_MAX bytes. */
static size_t
der_of_raw(uint8_t *out, const uint8_t raw[2 * P256_BYTES])
{
	size_t n = der_integer(out + 2, raw);

	n += der_integer(out + 2 + n, raw + P256_BYTES);
	out[0] = 0x30;
	out[1] = (uint8_t)n;
	return 2 + n;
}

/* One INTEGER that libcrypto wrote, as 32 bytes. Returns where the next one begins. */
static const uint8_t *
raw_integer(uint8_t out[P256_BYTES], const uint8_t *der)
{
	size_t n = der[1];
	const uint8_t *number = der + 2, *next = number + n;

	CHECK(der[0] == 0x02 && n >= 1 && n <= P256_BYTES + 1);
	if (n == P256_BYTES + 1) {
		number++;
		n--;
	}
	memset(out, 0, P256_BYTES);
	memcpy(out + P256_BYTES - n, number, n);
	return next;
}

static void
raw_of_der(uint8_t out[2 * P256_BYTES], const uint8_t *der, size_t n)
{
	const uint8_t *next;

	CHECK(n >= 8 && n <= DER_MAX && der[0] == 0x30 && der[1] == n - 2);
	next = raw_integer(out, der + 2);
	next = raw_integer(out + P256_BYTES, next);
	CHECK(next == der + n);
}

size_t
key_sign(Key *key, Str bytes, uint8_t *out)
{
	uint8_t digest[SHA256_BYTES], der[DER_MAX];
	size_t n = 0;

	if (key->alg == KEY_HS256) {
		hmac_sha256(key->hmac, bytes, out);
		return SHA256_BYTES;
	}
	sha256(bytes, digest);
	if (key->alg == KEY_RS256) {
		n = KEY_SIGNATURE_MAX;
		CHECK(EVP_PKEY_sign(key->signs, out, &n, digest, sizeof digest) == 1);
		return n;
	}
	n = sizeof der;
	CHECK(EVP_PKEY_sign(key->signs, der, &n, digest, sizeof digest) == 1);
	raw_of_der(out, der, n);
	return 2 * P256_BYTES;
}

bool
key_verify(Key *key, Str bytes, const uint8_t *signature, size_t n)
{
	uint8_t digest[SHA256_BYTES], der[DER_MAX];
	bool right = false;
	size_t whole;

	if (key->alg == KEY_HS256) {
		hmac_sha256(key->hmac, bytes, digest);
		right = n == sizeof digest && CRYPTO_memcmp(digest, signature, n) == 0;
		explicit_bzero(digest, sizeof digest);
		return right;
	}
	whole = key->alg == KEY_ES256 ? 2 * P256_BYTES : (size_t)EVP_PKEY_get_size(key->pkey);
	if (n != whole)
		return false;
	sha256(bytes, digest);
	if (key->alg == KEY_ES256) {
		n = der_of_raw(der, signature);
		signature = der;
	}
	right = EVP_PKEY_verify(key->verifies, signature, n, digest, sizeof digest) == 1;
	if (!right)
		ERR_clear_error();
	return right;
}
