#include "common/jwt.h"

#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "common/encode.h"
#include "common/json.h"

enum { HEADER_KEPT = 256 };

static const char type[] = "at+jwt";

/* Nothing else is taken: no crit, no key of its own, no compression. */
typedef struct Header {
	Str alg, kid, typ;
} Header;

#define SECONDS .required = true, .min = 0, .max = INSTANT_MAX_US / 1000000

/* clang-format off */
MODEL_OF(Header);
MODEL(Header,
	FIELD(Header, alg, .required = true),
	FIELD(Header, kid, .required = true),
	FIELD(Header, typ, .required = true));

MODEL(Claims,
	FIELD(Claims, iss,   .required = true),
	FIELD(Claims, aud,   .required = true),
	FIELD(Claims, sub,   .required = true),
	FIELD(Claims, sid,   .required = true),
	FIELD(Claims, jti,   .required = true),
	FIELD(Claims, iat,   SECONDS),
	FIELD(Claims, nbf,   SECONDS),
	FIELD(Claims, exp,   SECONDS),
	FIELD(Claims, gen,   .required = true, .min = 1),
	FIELD(Claims, roles, .required = true, .max = JWT_ROLES_MAX));
/* clang-format on */

static void
jwt_done(void *jwt)
{
	jwt_free(jwt);
}

/* The claims as libjwt encodes them: the middle part of a token that nobody signed. */
static const Problem *
payload_make(Ctx *ctx, const Claims *claims, Str *payload)
{
	Buf text = { .arena = ctx->arena };
	jwt_t *jwt = NULL;
	char *unsigned_token = NULL;
	Str rest;

	json_write(&text, &Claims_model, claims);
	buf_byte(&text, '\0');
	if (jwt_new(&jwt) == 0) {
		arena_own(ctx->arena, jwt, jwt_done);
		if (jwt_add_grants_json(jwt, text.p) == 0)
			unsigned_token = jwt_encode_str(jwt);
	}
	if (unsigned_token == NULL)
		return problem_inside(ctx, P_internal, "libjwt cannot encode the claims");
	arena_own(ctx->arena, unsigned_token, free);
	rest = str_of(unsigned_token);
	CHECK(str_next(&rest, '.', payload) && str_next(&rest, '.', payload));
	return NULL;
}

const Problem *
jwt_make(Ctx *ctx, Key *key, Str kid, const Claims *claims, Str *token)
{
	uint8_t signature[KEY_SIGNATURE_MAX];
	Buf out = { .arena = ctx->arena }, header = { .arena = ctx->arena };
	Str payload = STR_NONE;
	size_t n;

	CHECK(claims->roles.n <= JWT_ROLES_MAX);
	TRY(payload_make(ctx, claims, &payload));
	buf_print(&header, "{\"alg\":\"%s\",\"kid\":", key_alg_names[key_alg(key)]);
	json_put_str(&header, kid);
	buf_print(&header, ",\"typ\":\"%s\"}", type);
	buf_put(&out, base64url(ctx->arena, (const uint8_t *)header.p, header.n));
	buf_byte(&out, '.');
	buf_put(&out, payload);
	n = key_sign(key, buf_str(&out), signature);
	buf_byte(&out, '.');
	buf_put(&out, base64url(ctx->arena, signature, n));
	if (out.n > JWT_BYTES_MAX)
		return problem_inside(ctx, P_internal, "a token of %zu bytes is too long",
		                      out.n);
	*token = buf_str(&out);
	return NULL;
}

/* ------------------------------------------------------------------ verification */

static const Problem *
invalid(Ctx *ctx, const char *why)
{
	return problem_inside(ctx, P_token_invalid, "%s", why);
}

/* The three parts; false when there are more or fewer. */
static bool
split(Str token, Str parts[3])
{
	size_t n = 0;

	while (n < 3 && str_next(&token, '.', &parts[n]))
		n++;
	return n == 3 && token.p == NULL;
}

/* One part as an object of the model; false when it is none, or a member is wrong. */
static bool
part_read(Ctx *ctx, Str part, const Model *model, void *out, bool more_too)
{
	FieldErrors errors = { 0 };
	uint8_t *bytes;
	size_t n;

	if (!base64url_read(ctx->arena, part, &bytes, &n) ||
	    json_read(ctx, (Str){ (const char *)bytes, n }, model, out, &errors) != NULL)
		return false;
	for (size_t i = 0; i < errors.n; i++)
		if (!more_too || errors.v[i].code != F_unknown_field)
			return false;
	return true;
}

/*
 * The header of the last token that was good. Nearly all have the same one, a key's, and
 * reading it costs a third of reading a token. Nothing in it is secret.
 */
static struct {
	char part[HEADER_KEPT], kid[HEADER_KEPT];
	size_t part_n, kid_n; /* 0: none yet */
	KeyAlg alg;
} last;

static void
header_keep(Str part, Str kid, KeyAlg alg)
{
	if (part.p == NULL || kid.p == NULL || part.n > sizeof last.part ||
	    kid.n > sizeof last.kid)
		return;
	memcpy(last.part, part.p, part.n);
	memcpy(last.kid, kid.p, kid.n);
	last.part_n = part.n;
	last.kid_n = kid.n;
	last.alg = alg;
}

static const Problem *
header_read(Ctx *ctx, Str part, Str *kid, KeyAlg *alg)
{
	Header header = { 0 };

	if (part.n > 0 && str_eq(part, (Str){ last.part, last.part_n })) {
		*kid = (Str){ last.kid, last.kid_n };
		*alg = last.alg;
		return NULL;
	}
	if (!part_read(ctx, part, &Header_model, &header, false))
		return invalid(ctx, "the header is not made of alg, kid and typ alone");
	if (!key_alg_of(header.alg, alg))
		return invalid(ctx, "the header's alg is none of ours");
	if (!str_eq(header.typ, str_of(type)))
		return invalid(ctx, "the header's typ is not at+jwt");
	*kid = header.kid;
	return NULL;
}

static const Problem *
signature_check(Ctx *ctx, Str token, const Str parts[3], JwtFind find)
{
	Str signed_text = { token.p, parts[0].n + 1 + parts[1].n }, kid = STR_NONE;
	uint8_t *signature;
	KeyAlg alg = KEY_ALGS;
	Key *key = NULL;
	size_t n;

	TRY(header_read(ctx, parts[0], &kid, &alg));
	if (!base64url_read(ctx->arena, parts[2], &signature, &n))
		return invalid(ctx, "the signature is not base64url");
	TRY(find(ctx, kid, &key));
	if (key == NULL)
		return invalid(ctx, "there is no such key");
	if (key_alg(key) != alg)
		return invalid(ctx, "the header's alg is not the key's");
	if (!key_verify(key, signed_text, signature, n))
		return invalid(ctx, "the signature is wrong");
	if (kid.p != last.kid)
		header_keep(parts[0], kid, alg);
	return NULL;
}

const Problem *
jwt_read(Ctx *ctx, Str token, const JwtRules *rules, Claims *claims)
{
	int64_t now_s = rules->now.us / 1000000;
	Str parts[3];
	Claims read = { 0 };

	if (token.n > JWT_BYTES_MAX)
		return invalid(ctx, "the token is too long");
	if (!split(token, parts))
		return invalid(ctx, "the token has not three parts");
	TRY(signature_check(ctx, token, parts, rules->find));
	if (!part_read(ctx, parts[1], &Claims_model, &read, true))
		return invalid(ctx, "a claim is missing or of the wrong type");
	if (!str_eq(read.iss, rules->issuer))
		return invalid(ctx, "iss is another");
	if (!str_eq(read.aud, rules->audience))
		return invalid(ctx, "aud is another");
	if (read.nbf > now_s + JWT_LEEWAY_S)
		return invalid(ctx, "nbf is in the future");
	if (read.exp + JWT_LEEWAY_S <= now_s && !rules->ended_too)
		return problem(P_token_expired);
	*claims = read;
	return NULL;
}
