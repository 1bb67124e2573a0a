#include "fcgi/keys.h"

#include <stdlib.h>
#include <string.h>

#include "common/encode.h"
#include "common/json_put.h"
#include "common/log.h"
#include "common/settings.h"
#include "fcgi/revoke.h"
#include "queries.gen.h"

enum {
	SIGNER_MS = 500,  /* who signs has read the keys at most this long ago, */
	UNKNOWN_MS = 200, /* and who meets an unknown kid; below the 300 ms of keys.sql */
	KNOWN_MS = 60000, /* a retired key goes in this time, */
	DEAF_MS = 2000,   /* and any that is gone, where nobody hears of it */
	KEEP_S = 60,      /* that a retired key verifies beyond the life of its last token */
	KID_BYTES = 9,    /* of the name of a secret made from auth.secret */
};

typedef struct SignKey {
	char *kid;
	Key *key;
	bool retired, settled;
} SignKey;

/* Newest first. */
static struct {
	SignKey *v;
	size_t n;
	int64_t read_us; /* monotonic; 0: never */
	uint64_t epoch;  /* of the keys on the board, when they were read */
} ring;

static const Board *watched; /* NULL: nobody tells of changes */

typedef struct SecretKey {
	const char *name; /* of key_secret_names */
	char *kid;
	Hmac *hmac;
	struct SecretKey *next; /* newest first within a name */
} SecretKey;

static SecretKey *secrets;
static int64_t secrets_read_us;

const char *const key_secret_names[] = { "cursor", "refresh", NULL };

static bool
is_older(int64_t read_us, int ms)
{
	return read_us == 0 || clock_mono_us() - read_us > ms * INT64_C(1000);
}

void
keys_watch(const Board *board)
{
	watched = board;
}

uint64_t
keys_epoch(void)
{
	uint16_t keys = revoke_keys_epoch();

	return watched == NULL ? 0 : board_epochs_sum(watched, &keys, 1);
}

/* ------------------------------------------------------------------ signing keys */

static char *
text_keep(Str text)
{
	char *kept = strndup(text.p, text.n);

	CHECK(kept != NULL);
	return kept;
}

/*
 * The parsed key of a row: the one that the ring has, else a new one; NULL when it cannot be
 * read.
 */
static Key *
key_of(const SigningKey *row)
{
	Key *key = NULL;
	KeyAlg alg;

	for (size_t i = 0; i < ring.n; i++)
		if (str_eq(str_of(ring.v[i].kid), row->kid)) {
			key = ring.v[i].key;
			ring.v[i].key = NULL; /* moves into the new ring */
			return key;
		}
	if (key_alg_of(row->alg, &alg))
		key = key_read(alg, row->private_pem);
	if (key == NULL)
		log_say(LOG_ERROR, "key", "signing key %.*s cannot be read as %.*s",
		        STR_ARG(row->kid), STR_ARG(row->alg));
	return key;
}

static void
ring_free(SignKey *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		key_close(v[i].key);
		free(v[i].kid);
	}
	free(v);
}

static const Problem *
ring_read(Ctx *ctx)
{
	uint64_t epoch = keys_epoch(); /* one that rises from here on has them read again */
	const SigningKey *rows;
	SignKey *v;
	size_t n = 0;
	List list;

	TRY(q_signing_key_list(ctx, conf->auth_access_ttl_s + KEEP_S, &list));
	rows = list.v;
	v = calloc(MAX(list.n, (size_t)1), sizeof *v);
	CHECK(v != NULL);
	for (size_t i = 0; i < list.n; i++) {
		Key *key = key_of(&rows[i]);

		if (key != NULL)
			v[n++] = (SignKey){ text_keep(rows[i].kid), key, rows[i].retired_at.has,
				            rows[i].settled };
	}
	ring_free(ring.v, ring.n);
	ring.v = v;
	ring.n = n;
	ring.read_us = clock_mono_us();
	ring.epoch = epoch;
	return NULL;
}

/* The keys as they were so long ago at most; as they are, where the board tells of changes. */
static const Problem *
ring_within(Ctx *ctx, int ms)
{
	return is_older(ring.read_us, ms) || ring.epoch != keys_epoch() ? ring_read(ctx) : NULL;
}

const Problem *
keys_signer(Ctx *ctx, Key **key, Str *kid)
{
	const SignKey *chosen = NULL;

	TRY(ring_within(ctx, SIGNER_MS));
	for (size_t i = 0; i < ring.n; i++) {
		const SignKey *row = &ring.v[i];

		if (row->retired ||
		    strcmp(key_alg_names[key_alg(row->key)], conf->auth_algorithm) != 0)
			continue;
		/* the first key of a deployment has nobody to wait for */
		if (chosen == NULL || !chosen->settled)
			chosen = row;
	}
	if (chosen == NULL)
		return problem_inside(ctx, P_unavailable,
		                      "there is no %s key: posternctl key new",
		                      conf->auth_algorithm);
	*key = chosen->key;
	*kid = str_of(chosen->kid);
	return NULL;
}

static Key *
ring_find(Str kid)
{
	for (size_t i = 0; i < ring.n; i++)
		if (str_eq(str_of(ring.v[i].kid), kid))
			return ring.v[i].key;
	return NULL;
}

static int
known_ms(void)
{
	return watched == NULL || revoke_hears(watched) ? KNOWN_MS : DEAF_MS;
}

const Problem *
keys_find(Ctx *ctx, Str kid, Key **key)
{
	TRY(ring_within(ctx, ring_find(kid) == NULL ? UNKNOWN_MS : known_ms()));
	*key = ring_find(kid);
	return NULL;
}

const Problem *
keys_set(Ctx *ctx, Buf *out)
{
	const char *comma = "";

	TRY(ring_within(ctx, SIGNER_MS));
	buf_puts(out, "{\"keys\":[");
	for (size_t i = 0; i < ring.n; i++) {
		const SignKey *row = &ring.v[i];
		Buf members = { .arena = ctx->arena };

		if (!key_public(&members, row->key))
			continue;
		buf_print(out, "%s{\"kid\":", comma);
		json_put_str(out, str_of(row->kid));
		buf_print(out, ",\"alg\":\"%s\",\"use\":\"sig\",",
		          key_alg_names[key_alg(row->key)]);
		buf_put(out, buf_str(&members));
		buf_byte(out, '}');
		comma = ",";
	}
	buf_puts(out, "]}");
	return NULL;
}

/* ------------------------------------------------------------------ secrets */

static void
secret_keep(const char *name, Str kid, Str value)
{
	SecretKey *secret = calloc(1, sizeof *secret), **end = &secrets;

	CHECK(secret != NULL);
	*secret = (SecretKey){ name, text_keep(kid), hmac_open(value), NULL };
	while (*end != NULL)
		end = &(*end)->next;
	*end = secret;
}

/* From auth.secret: a key of its own for each use, named by what it is. */
static void
secret_derive(Ctx *ctx, const char *name)
{
	Hmac *root = hmac_open(str_of(conf->auth_secret));
	uint8_t value[SHA256_BYTES], digest[SHA256_BYTES];
	Str bytes = { (const char *)value, sizeof value };

	hmac_sha256(root, str_of(name), value);
	sha256(bytes, digest);
	secret_keep(name, base64url(ctx->arena, digest, KID_BYTES), bytes);
	explicit_bzero(value, sizeof value);
	hmac_close(root);
}

static void
secrets_free(SecretKey *first)
{
	while (first != NULL) {
		SecretKey *next = first->next;

		hmac_close(first->hmac);
		free(first->kid);
		free(first);
		first = next;
	}
}

static const Problem *
secrets_read(Ctx *ctx)
{
	List rows[COUNT(key_secret_names) - 1];

	for (size_t i = 0; i < COUNT(rows); i++)
		TRY(q_secret_list(ctx, str_of(key_secret_names[i]), &rows[i]));
	secrets_free(secrets);
	secrets = NULL;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const Secret *v = rows[i].v;

		if (conf->auth_secret[0] != '\0')
			secret_derive(ctx, key_secret_names[i]);
		for (size_t j = 0; j < rows[i].n; j++)
			secret_keep(key_secret_names[i], v[j].kid, v[j].value);
	}
	secrets_read_us = clock_mono_us();
	return NULL;
}

/* The first of this name, and of this kid unless it is none. */
static const SecretKey *
secret_find(const char *name, Str kid)
{
	for (const SecretKey *secret = secrets; secret != NULL; secret = secret->next)
		if (strcmp(secret->name, name) == 0 &&
		    (kid.p == NULL || str_eq(str_of(secret->kid), kid)))
			return secret;
	return NULL;
}

const Problem *
keys_secret(Ctx *ctx, const char *name, Str *kid, Hmac **hmac)
{
	const SecretKey *secret = secret_find(name, STR_NONE);

	if (secret == NULL && is_older(secrets_read_us, UNKNOWN_MS)) {
		TRY(secrets_read(ctx));
		secret = secret_find(name, STR_NONE);
	}
	if (secret == NULL)
		return problem_inside(ctx, P_unavailable,
		                      "there is no secret of %ss: posternctl key new", name);
	*kid = str_of(secret->kid);
	*hmac = secret->hmac;
	return NULL;
}

const Problem *
keys_hmac(Ctx *ctx, const char *name, Hmac **hmac)
{
	Str kid;

	return keys_secret(ctx, name, &kid, hmac);
}

const Problem *
keys_secret_of(Ctx *ctx, const char *name, Str kid, Hmac **hmac)
{
	const SecretKey *secret = secret_find(name, kid);

	if (secret == NULL && is_older(secrets_read_us, UNKNOWN_MS)) {
		TRY(secrets_read(ctx));
		secret = secret_find(name, kid);
	}
	*hmac = secret == NULL ? NULL : secret->hmac;
	return NULL;
}

const Problem *
keys_ready(Ctx *ctx)
{
	Key *key;
	Hmac *hmac;
	Str kid;

	TRY(keys_signer(ctx, &key, &kid));
	for (size_t i = 0; key_secret_names[i] != NULL; i++)
		TRY(keys_hmac(ctx, key_secret_names[i], &hmac));
	return NULL;
}
