/*
 * Bytes as an access token, as its header and claims under a right signature, as a refresh
 * token and as a stored password hash. For libFuzzer: clang -fsanitize=fuzzer.
 *
 * What must hold: nothing that we did not sign is taken; what is taken has every claim; a
 * problem is one that a client may hear of; a text that is no hash of ours never reaches the
 * hash function.
 */

#include "common/encode.h"
#include "common/json.h"
#include "common/jwt.h"
#include "common/password.h"
#include "fcgi/refresh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Key *secret;

static const Problem *
find(Ctx *ctx, Str kid, Key **key)
{
	(void)ctx;
	*key = str_eq(kid, S("k")) ? secret : NULL;
	return NULL;
}

static const JwtRules rules = {
	.find = find,
	.issuer = { "postern", 7 },
	.audience = { "postern", 7 },
	.now = { INT64_C(1700000000000000) },
};

static const Problem *
token_try(Ctx *ctx, Str token, Claims *claims)
{
	const Problem *p = jwt_read(ctx, token, &rules, claims);

	CHECK(p == NULL || p->code == P_token_invalid || p->code == P_token_expired);
	return p;
}

static Str
token_sign(Ctx *ctx, Str header, Str payload)
{
	uint8_t signature[KEY_SIGNATURE_MAX];
	Str head = base64url(ctx->arena, (const uint8_t *)header.p, header.n);
	Str body = base64url(ctx->arena, (const uint8_t *)payload.p, payload.n);
	Str text = str_print(ctx->arena, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
	Str end = base64url(ctx->arena, signature, key_sign(secret, text, signature));

	return str_print(ctx->arena, "%.*s.%.*s", STR_ARG(text), STR_ARG(end));
}

/* Rightly signed claims of any bytes; what is taken can be made again and says the same. */
static void
claims_try(Ctx *ctx, Str payload)
{
	Str token =
	    token_sign(ctx, S("{\"alg\":\"HS256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}"), payload);
	Claims claims, again;

	if (token_try(ctx, token, &claims) != NULL)
		return;
	CHECK(str_eq(claims.iss, rules.issuer) && str_eq(claims.aud, rules.audience));
	CHECK(claims.gen >= 1 && claims.roles.n <= JWT_ROLES_MAX);
	CHECK(jwt_make(ctx, secret, S("k"), &claims, &token) == NULL);
	CHECK(token_try(ctx, token, &again) == NULL);
	CHECK(uuid_eq(claims.sid, again.sid) && claims.exp == again.exp &&
	      claims.gen == again.gen);
}

static void
header_try(Ctx *ctx, Str header)
{
	static const char payload[] =
	    "{\"iss\":\"postern\",\"aud\":\"postern\",\"sub\":\"01937b2e-0000-7000-8000-"
	    "000000000001\","
	    "\"sid\":\"01937b2e-0000-7000-8000-000000000002\",\"jti\":\"01937b2e-0000-7000-"
	    "8000-"
	    "000000000003\",\"iat\":1,\"nbf\":1,\"exp\":1800000000,\"gen\":1,\"roles\":[]}";
	Claims claims;

	if (token_try(ctx, token_sign(ctx, header, str_of(payload)), &claims) == NULL)
		CHECK(json_check(ctx, header, 1, 4) == NULL); /* one object of three members */
}

static void
refresh_try(Ctx *ctx, Hmac *hmac, Str text)
{
	RefreshToken token;

	if (refresh_read(ctx->arena, text, &token)) {
		CHECK(token.gen >= 1);
		CHECK(!refresh_signed(hmac, &token));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_closep) Arena *arena = arena_open(MIB(64));
	Ctx ctx = { .arena = arena };
	Str text = { (const char *)data, size };
	static Hmac *hmac;
	Claims claims;

	if (secret == NULL) {
		secret = key_make(KEY_HS256);
		hmac = hmac_open(S("a secret that no input knows"));
	}
	CHECK(token_try(&ctx, text, &claims) != NULL);
	claims_try(&ctx, text);
	header_try(&ctx, text);
	refresh_try(&ctx, hmac, text);
	key_close(key_read(KEY_ES256, text));
	password_is_common(text);
	if (password_is_stale(text, 1)) /* else a hash would be made for each */
		CHECK(password_verify(S("x"), text) != PASSWORD_RIGHT);
	return 0;
}
