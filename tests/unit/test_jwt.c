#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/encode.h"
#include "common/jwt.h"

/* The key of RFC 7515 appendix A.3, as PKCS #8. */
static const char key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";

/* A token of another program (PyJWT 2.6.0) under that key. */
static const char foreign[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiYXQrand0In0.eyJpc3MiOiJwb3N0ZXJuIiwi"
    "YXVkIjoiY2xpZW50cyIsInN1YiI6IjAxOTM3YjJlLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMSIs"
    "InNpZCI6IjAxOTM3YjJlLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMiIsImp0aSI6IjAxOTM3YjJl"
    "LTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMyIsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAw"
    "MDAwLCJleHAiOjE3MDAwMDA5MDAsImdlbiI6Nywicm9sZXMiOlsiZWRpdG9yIiwidXNlciJdfQ.ieNJC"
    "r_DjttY6nsaWrfKX9P0z9MsMYAbrdn-wAowoov0eTwPTTId8-oFbHB-"
    "Oor2FkjHsZOuMJ0zoQlb8IXIpA";

#define ISSUED_S 1700000000
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}"
#define SUB "\"sub\":\"01937b2e-0000-7000-8000-000000000001\","
#define SID "\"sid\":\"01937b2e-0000-7000-8000-000000000002\","
#define JTI "\"jti\":\"01937b2e-0000-7000-8000-000000000003\","
#define WHO "\"iss\":\"postern\",\"aud\":\"clients\"," SUB SID JTI
#define TIMES "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700000900,"
#define PAYLOAD "{" WHO TIMES "\"gen\":7,\"roles\":[\"editor\",\"user\"]}"

typedef struct Bench {
	Ctx ctx;
	Key *key, *secret; /* kids k1 and s1 */
	JwtRules rules;
} Bench;

static Bench bench;

static const Problem *
find(Ctx *ctx, Str kid, Key **key)
{
	(void)ctx;
	*key = str_eq(kid, S("k1")) ? bench.key : str_eq(kid, S("s1")) ? bench.secret : NULL;
	return NULL;
}

static int
bench_open(void **state)
{
	(void)state;
	bench.ctx.arena = arena_open(MIB(32));
	bench.key = key_read(KEY_ES256, str_of(key_pem));
	bench.secret = key_make(KEY_HS256);
	bench.rules = (JwtRules){
		.find = find,
		.issuer = S("postern"),
		.audience = S("clients"),
		.now = { (ISSUED_S + 10) * INT64_C(1000000) },
	};
	return bench.key == NULL;
}

static int
bench_close(void **state)
{
	(void)state;
	key_close(bench.key);
	key_close(bench.secret);
	arena_close(bench.ctx.arena);
	return 0;
}

/* A token of any header and payload, rightly signed. */
static Str
token_of(Key *key, const char *header, const char *payload)
{
	Arena *arena = bench.ctx.arena;
	uint8_t signature[KEY_SIGNATURE_MAX];
	Str head = base64url(arena, (const uint8_t *)header, strlen(header));
	Str body = base64url(arena, (const uint8_t *)payload, strlen(payload));
	Str text = str_print(arena, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
	Str end = base64url(arena, signature, key_sign(key, text, signature));

	return str_print(arena, "%.*s.%.*s", STR_ARG(text), STR_ARG(end));
}

static int
code_of(Str token)
{
	Claims claims = { .gen = -1 };
	const Problem *p = jwt_read(&bench.ctx, token, &bench.rules, &claims);

	assert_int_equal(p == NULL, claims.gen != -1); /* untouched on failure */
	return p == NULL ? -1 : (int)p->code;
}

static void
assert_claims(const Claims *claims)
{
	assert_true(str_eq(claims->iss, S("postern")));
	assert_true(str_eq(claims->aud, S("clients")));
	assert_true(str_eq(uuid_str(bench.ctx.arena, claims->sub),
	                   S("01937b2e-0000-7000-8000-000000000001")));
	assert_true(str_eq(uuid_str(bench.ctx.arena, claims->sid),
	                   S("01937b2e-0000-7000-8000-000000000002")));
	assert_true(str_eq(uuid_str(bench.ctx.arena, claims->jti),
	                   S("01937b2e-0000-7000-8000-000000000003")));
	assert_int_equal(claims->iat, ISSUED_S);
	assert_int_equal(claims->nbf, ISSUED_S);
	assert_int_equal(claims->exp, ISSUED_S + 900);
	assert_int_equal(claims->gen, 7);
	assert_int_equal(claims->roles.n, 2);
	assert_true(str_eq(claims->roles.v[0], S("editor")));
	assert_true(str_eq(claims->roles.v[1], S("user")));
}

static void
a_token_of_another_program_is_read(void **state)
{
	Claims claims;

	(void)state;
	assert_null(jwt_read(&bench.ctx, str_of(foreign), &bench.rules, &claims));
	assert_claims(&claims);
}

static void
what_is_made_is_read_again(void **state)
{
	Claims claims, again;
	Str token;

	(void)state;
	assert_null(jwt_read(&bench.ctx, str_of(foreign), &bench.rules, &claims));
	assert_null(jwt_make(&bench.ctx, bench.key, S("k1"), &claims, &token));
	assert_true(token.n <= JWT_BYTES_MAX);
	assert_null(jwt_read(&bench.ctx, token, &bench.rules, &again));
	assert_claims(&again);
	assert_null(jwt_make(&bench.ctx, bench.secret, S("s1"), &claims, &token));
	assert_null(jwt_read(&bench.ctx, token, &bench.rules, &again));
	assert_claims(&again);
}

static void
a_made_token_says_its_type_and_key(void **state)
{
	Claims claims;
	uint8_t *header;
	Str token;
	size_t n;

	(void)state;
	assert_null(jwt_read(&bench.ctx, str_of(foreign), &bench.rules, &claims));
	assert_null(jwt_make(&bench.ctx, bench.key, S("k1"), &claims, &token));
	assert_true(base64url_read(bench.ctx.arena, str_sub(token, 0, str_find(token, '.')),
	                           &header, &n));
	assert_true(str_eq((Str){ (const char *)header, n }, S(HEADER)));
}

static void
only_a_header_of_alg_kid_and_typ_is_taken(void **state)
{
	/* clang-format off */
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"None\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"es256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES384\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":\"s1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k2\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":null,\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"AT+JWT\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\"}",
		"{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}",
		"{\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"crit\":[\"b64\"],\"b64\":false}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"crit\":[]}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"jwk\":{\"kty\":\"EC\"}}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"jku\":\"http://127.0.0.1/\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"x5c\":[]}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"x5u\":\"x\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\",\"zip\":\"DEF\"}",
		"{\"alg\":\"ES256\",\"kid\":\"k2\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"none\",\"\\u0061lg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
		"[]", "\"\"", "null", "", "{", "{}", HEADER "x",
	};
	/* clang-format on */

	(void)state;
	assert_int_equal(code_of(token_of(bench.key, HEADER, PAYLOAD)), -1);
	for (size_t i = 0; i < COUNT(headers); i++) {
		assert_int_equal(code_of(token_of(bench.key, headers[i], PAYLOAD)),
		                 P_token_invalid);
		assert_int_equal(code_of(token_of(bench.secret, headers[i], PAYLOAD)),
		                 P_token_invalid);
	}
}

/* The last good header is kept: it must not lend its key to another, nor outlive its key. */
static void
headers_of_two_keys_come_in_turn(void **state)
{
	static const char secret_header[] =
	    "{\"alg\":\"HS256\",\"kid\":\"s1\",\"typ\":\"at+jwt\"}";
	Str first = token_of(bench.key, HEADER, PAYLOAD);
	Str second = token_of(bench.secret, secret_header, PAYLOAD);
	Str crossed = token_of(bench.secret, HEADER, PAYLOAD);
	Key *kept = bench.key;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(code_of(first), -1);
		assert_int_equal(code_of(crossed), P_token_invalid);
		assert_int_equal(code_of(second), -1);
		assert_int_equal(code_of(crossed), P_token_invalid);
	}
	assert_int_equal(code_of(first), -1);
	bench.key = NULL;
	assert_int_equal(code_of(first), P_token_invalid);
	bench.key = kept;
}

/* The public key is no secret: as an HMAC key it must open nothing. */
static void
a_public_key_is_never_an_hmac_secret(void **state)
{
	static const char public_pem[] =
	    "-----BEGIN PUBLIC KEY-----\n"
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
	    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
	    "-----END PUBLIC KEY-----\n";
	static const char *const headers[] = {
		HEADER,
		"{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
	};
	Arena *arena = bench.ctx.arena;
	Hmac *hmac = hmac_open(str_of(public_pem));

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		Str token = token_of(bench.secret, headers[i], PAYLOAD), text = token, end;
		uint8_t code[SHA256_BYTES];

		while (text.p[text.n - 1] != '.')
			text.n--;
		hmac_sha256(hmac, str_sub(text, 0, text.n - 1), code);
		end = base64url(arena, code, sizeof code);
		assert_int_equal(
		    code_of(str_print(arena, "%.*s%.*s", STR_ARG(text), STR_ARG(end))),
		    P_token_invalid);
	}
	hmac_close(hmac);
}

static void
every_claim_must_be_there_and_of_its_type(void **state)
{
#define REST "\"gen\":7,\"roles\":[]}"
	/* clang-format off */
	static const struct { const char *payload; int want; } rows[] = {
		{ "{" WHO TIMES REST, -1 },
		{ "{" WHO TIMES "\"further\":{\"a\":1}," REST, -1 },
		{ "{" SUB SID JTI "\"aud\":\"clients\"," TIMES REST, P_token_invalid },
		{ "{" SUB SID JTI "\"iss\":\"postern\"," TIMES REST, P_token_invalid },
		{ "{" SUB SID JTI "\"iss\":\"another\",\"aud\":\"clients\"," TIMES REST, P_token_invalid },
		{ "{" SUB SID JTI "\"iss\":\"postern\",\"aud\":\"another\"," TIMES REST, P_token_invalid },
		{ "{" SUB SID JTI "\"iss\":\"postern\",\"aud\":[\"clients\"]," TIMES REST, P_token_invalid },
		{ "{" SUB SID JTI "\"iss\":[],\"aud\":\"clients\"," TIMES REST, P_token_invalid },
		{ "{\"iss\":\"postern\",\"aud\":\"clients\"," SID JTI TIMES REST, P_token_invalid },
		{ "{\"iss\":\"postern\",\"aud\":\"clients\"," SUB JTI TIMES REST, P_token_invalid },
		{ "{\"iss\":\"postern\",\"aud\":\"clients\"," SUB SID TIMES REST, P_token_invalid },
		{ "{\"iss\":\"postern\",\"aud\":\"clients\",\"sub\":\"1\"," SID JTI TIMES REST, P_token_invalid },
		{ "{" WHO "\"nbf\":1700000000,\"exp\":1700000900," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"exp\":1700000900," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":\"1700000900\"," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700000900.0," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":17e8," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":null," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":true," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":9223372036854775807," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":18446744073709551616," REST, P_token_invalid },
		{ "{" WHO "\"iat\":1700000000,\"nbf\":-1,\"exp\":1700000900," REST, P_token_invalid },
		{ "{" WHO TIMES "\"exp\":1800000000," REST, P_token_invalid }, /* twice */
		{ "{" WHO TIMES "\"roles\":[]}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":0,\"roles\":[]}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":\"7\",\"roles\":[]}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":7}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":7,\"roles\":\"admin\"}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":7,\"roles\":[1]}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":7,\"roles\":[null]}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":7,\"roles\":{}}", P_token_invalid },
		{ "{" WHO TIMES "\"gen\":7,\"roles\":[\"a\\u0000b\"]}", P_token_invalid },
		{ "[" PAYLOAD "]", P_token_invalid },
		{ "{}", P_token_invalid },
		{ "", P_token_invalid },
		{ PAYLOAD PAYLOAD, P_token_invalid },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(code_of(token_of(bench.key, HEADER, rows[i].payload)),
		                 rows[i].want);
}

static void
a_token_is_good_from_nbf_to_exp_and_five_seconds_around(void **state)
{
	/* clang-format off */
	static const struct { int64_t now_s; int want; } rows[] = {
		{ ISSUED_S - 6, P_token_invalid }, { ISSUED_S - 5, -1 },
		{ ISSUED_S, -1 },                  { ISSUED_S + 899, -1 },
		{ ISSUED_S + 904, -1 },            { ISSUED_S + 905, P_token_expired },
		{ ISSUED_S + 906, P_token_expired }, { 0, P_token_invalid },
	};
	/* clang-format on */
	Instant now = bench.rules.now;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bench.rules.now.us = rows[i].now_s * 1000000;
		assert_int_equal(code_of(str_of(foreign)), rows[i].want);
	}
	bench.rules.now.us = (ISSUED_S + 1000000) * INT64_C(1000000);
	bench.rules.ended_too = true;
	assert_int_equal(code_of(str_of(foreign)), -1);
	bench.rules.ended_too = false;
	bench.rules.now = now;
}

/* "expired" is said of tokens that are right in all else, or it would tell what was wrong. */
static void
an_expired_token_with_a_wrong_signature_is_invalid(void **state)
{
	Instant now = bench.rules.now;
	Str other = token_of(bench.secret, HEADER, PAYLOAD);

	(void)state;
	bench.rules.now.us = (ISSUED_S + 1000000) * INT64_C(1000000);
	assert_int_equal(code_of(str_of(foreign)), P_token_expired);
	assert_int_equal(code_of(other), P_token_invalid);
	bench.rules.now = now;
}

static void
every_byte_of_a_token_counts(void **state)
{
	Arena *arena = bench.ctx.arena;
	Str token = str_of(foreign);

	(void)state;
	for (size_t i = 0; i < token.n; i++) {
		ArenaMark mark = arena_mark(arena);
		Str other = str_keep(arena, token);
		char *p = arena_new(arena, char, token.n);

		memcpy(p, other.p, other.n);
		p[i] = p[i] == 'A' ? 'B' : 'A';
		assert_int_equal(code_of((Str){ p, token.n }), P_token_invalid);
		assert_int_equal(code_of(str_sub(token, 0, i)), P_token_invalid);
		arena_back(arena, mark);
	}
}

static void
a_token_has_three_parts_of_canonical_base64url(void **state)
{
	Arena *arena = bench.ctx.arena;
	Str token = str_of(foreign);
	size_t first = str_find(token, '.');
	Str rows[] = {
		S(""),
		S("."),
		S(".."),
		S("..."),
		S("a.b.c"),
		str_print(arena, "%s.", foreign),
		str_print(arena, ".%s", foreign),
		str_print(arena, "%s.AAAA", foreign),
		str_print(arena, "%s=", foreign),
		str_print(arena, " %s", foreign),
		str_print(arena, "%s\n", foreign),
		str_print(arena, "%.*s=%s", (int)first, foreign, foreign + first),
		str_print(arena, "%.*sB", (int)token.n - 1,
		          foreign), /* bits that no byte has */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(code_of(rows[i]), P_token_invalid);
}

static void
a_token_over_4_kib_is_not_looked_at(void **state)
{
	Arena *arena = bench.ctx.arena;
	char *fill = arena_new(arena, char, JWT_BYTES_MAX + 1);
	Str token;

	(void)state;
	for (size_t n = 2000; n < 3000; n++) {
		ArenaMark mark = arena_mark(arena);
		const char *payload;

		memset(fill, 'f', n);
		fill[n] = '\0';
		payload = arena_print(arena, "{" WHO TIMES "\"further\":\"%s\"," REST, fill);
		token = token_of(bench.key, HEADER, payload);
		assert_int_equal(code_of(token),
		                 token.n <= JWT_BYTES_MAX ? -1 : P_token_invalid);
		arena_back(arena, mark);
		n += token.n + 8 < JWT_BYTES_MAX || token.n > JWT_BYTES_MAX + 8 ? 50 : 0;
	}
}

static void
roles_that_do_not_fit_make_no_token(void **state)
{
	Arena *arena = bench.ctx.arena;
	Claims claims;
	Str token = S("untouched");

	(void)state;
	assert_null(jwt_read(&bench.ctx, str_of(foreign), &bench.rules, &claims));
	claims.roles = (StrList){ arena_new(arena, Str, JWT_ROLES_MAX), JWT_ROLES_MAX };
	for (size_t i = 0; i < JWT_ROLES_MAX; i++)
		claims.roles.v[i] =
		    S("a-role-with-a-name-that-has-sixty-four-characters-as-the-longest");
	assert_non_null(jwt_make(&bench.ctx, bench.key, S("k1"), &claims, &token));
	assert_true(str_eq(token, S("untouched")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_of_another_program_is_read),
		cmocka_unit_test(what_is_made_is_read_again),
		cmocka_unit_test(a_made_token_says_its_type_and_key),
		cmocka_unit_test(only_a_header_of_alg_kid_and_typ_is_taken),
		cmocka_unit_test(headers_of_two_keys_come_in_turn),
		cmocka_unit_test(a_public_key_is_never_an_hmac_secret),
		cmocka_unit_test(every_claim_must_be_there_and_of_its_type),
		cmocka_unit_test(a_token_is_good_from_nbf_to_exp_and_five_seconds_around),
		cmocka_unit_test(an_expired_token_with_a_wrong_signature_is_invalid),
		cmocka_unit_test(every_byte_of_a_token_counts),
		cmocka_unit_test(a_token_has_three_parts_of_canonical_base64url),
		cmocka_unit_test(a_token_over_4_kib_is_not_looked_at),
		cmocka_unit_test(roles_that_do_not_fit_make_no_token),
	};

	return cmocka_run_group_tests_name("jwt", tests, bench_open, bench_close);
}
