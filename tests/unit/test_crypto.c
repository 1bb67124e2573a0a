#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/crypto.h"
#include "common/encode.h"

/* The key of RFC 7515 appendix A.3, as PKCS #8. */
static const char es256_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";

/* Keys that must not be taken: RSA with 1024 bits, the curve P-384, one with a pass phrase. */
static const char rsa_1024_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAOuXvD+UNj1qK5Iq\n"
    "NzYiaKyxNxvtLDyn81pW/Baxck+/8EiXRajrKz4qooQXgCj9dsUGerfUodCQSXfI\n"
    "Ec8G11Ob4iV2+9fLNRjo2UMfnvYngHekF8FqHbtgNbW+FbUt1OAj8CQZy1DA5okM\n"
    "+coG5SvmHxsOd95m4l6eKT1xBm2pAgMBAAECgYBYxvzxGHC4A+IXWkEj7SN0r/MM\n"
    "WvtogAF78XtdMdDZrIJnWFmvpa7N5lMHY7OvvpOa+y4TR9USOsz0jjfnw7Qv3FUm\n"
    "sQ69WQe5ClwABiXKqK8d9CycxTN/E9ClgUg5nyMhDSVGu6bA3aWHBb8Wg5F6qH4Z\n"
    "nx/vF5509oloNcaYAQJBAPrJRoHboI6P1fBaH2YCKJaxFmdOrDHSIznUhzt4m09w\n"
    "sYBbf96PD746G0NCSWKTnhyCTx9T4ShQVh5R15d4CQkCQQDwfZj8CRhj0XDkNbkj\n"
    "yJSxTLLjR3S8ENYwAI5wOiMpzpPPDW2Sa096MKa50Gt3tAIdnHFns846iEh35ayt\n"
    "3YehAkBof23ttkJUpQKUQDlNHCEliWy4Z0PBDrq24iPnV/3/QAn2XioN5ra8oSGz\n"
    "CO/jL3d2kaW+fAkZ7z+zKo8XAmFhAkB3xDTyH51z6JQuMssXFQdoHOhh4+4w0rm4\n"
    "gi5tmaZ1ZZma3fcZmjOkiKIfm7pJjO4YzRZ1LMihwclFXK5YkCDBAkAHdun+5UB9\n"
    "qsLLAHBPh9pVTxvW7iZHbhuJov12y1VRc4fLWHIXAc+VlvpKsxQBezJdcRhE9nHb\n"
    "eyWfEOioocjb\n"
    "-----END PRIVATE KEY-----\n";
static const char p384_text[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDD2uDtgMQuoH8mNZ22P\n"
    "QoTfFdbwlB1wSlr+KF2/4js6ixKyHVSs+Fro0YDhE63DJa2hZANiAAQQ2YP8x2mY\n"
    "NUkecCbjA4byeitkUL0/gCu75cCXgz1fQf8rXUmRJfdBFNPBLdinpJoWYVlPI373\n"
    "GGHnee7Pv2MzGzw6LjCrU9i1L642PgOFrg8EWMmARMlyJHeD1L5faRM=\n"
    "-----END PRIVATE KEY-----\n";
static const char phrase_text[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgqPVD4tkwqZwICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOmfo/VWBsvApjgFIfCgBVwEgZC0\n"
    "s7S3128gIZo0KgTs6uqjQPQ3W0TDo49oXrIHJ66r+bYUEXx2EG1Gs7J8GxRpI9A6\n"
    "A29LoAKiS+tyUHEG2G0lFh1wLPbJeHx3X4IsRU4uekqrq+FubYqIDUqQIPL+NOp2\n"
    "PnPRi/Xw2L9m2qIEsJvxqaqEmdRdzYbMLz7q6xgpDieNdU7NcYU+82CueP6OpK8=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static int
arena_make(void **state)
{
	*state = arena_open(MIB(1));
	return 0;
}

static int
arena_end(void **state)
{
	arena_close(*state);
	return 0;
}

static void
assert_hex(Arena *arena, const uint8_t *bytes, size_t n, const char *want)
{
	Str got = hex(arena, bytes, n);

	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void
sha256_gives_the_published_digests(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t digest[SHA256_BYTES];

	for (size_t i = 0; i < COUNT(rows); i++) {
		sha256(str_of(rows[i].text), digest);
		assert_hex(*state, digest, sizeof digest, rows[i].want);
	}
}

static void
hmac_gives_the_codes_of_rfc_4231_again_and_again(void **state)
{
	Hmac *hmac = hmac_open(S("Jefe"));
	uint8_t code[SHA256_BYTES];

	for (int i = 0; i < 3; i++) {
		hmac_sha256(hmac, S("what do ya want for nothing?"), code);
		assert_hex(*state, code, sizeof code,
		           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	}
	hmac_close(hmac);
}

static void
the_example_signature_of_rfc_7515_verifies(void **state)
{
	static const char signed_text[] =
	    "eyJhbGciOiJFUzI1NiJ9."
	    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
	    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	Str encoded = S("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
	                "pmWQxfKTUJqPP3-Kg6NU1Q");
	Key *key = key_read(KEY_ES256, str_of(es256_text));
	uint8_t *signature = NULL;
	size_t n = 0;

	assert_non_null(key);
	assert_true(base64url_read(*state, encoded, &signature, &n));
	assert_true(key_verify(key, str_of(signed_text), signature, n));
	assert_false(key_verify(key, S("something else"), signature, n));
	key_close(key);
}

static void
a_public_key_is_shown_as_rfc_7517_has_it(void **state)
{
	Key *key = key_read(KEY_ES256, str_of(es256_text));
	Buf members = { .arena = *state };
	Str want = S("\"crv\":\"P-256\",\"kty\":\"EC\","
	             "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	             "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"");

	assert_non_null(key);
	assert_true(
	    str_eq(key_public_text(*state, key),
	           S("-----BEGIN PUBLIC KEY-----\n"
	             "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
	             "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
	             "-----END PUBLIC KEY-----\n")));
	assert_true(key_public(&members, key));
	assert_true(str_eq(buf_str(&members), want));
	assert_true(str_eq(key_thumbprint(*state, key),
	                   S("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U")));
	key_close(key);
}

static void
a_secret_shows_nothing_public_but_has_a_name(void **state)
{
	Key *key = key_make(KEY_HS256);
	Buf members = { .arena = *state };

	assert_false(key_public(&members, key));
	assert_int_equal(members.n, 0);
	assert_null(key_public_text(*state, key).p);
	assert_int_equal(key_thumbprint(*state, key).n, 43);
	key_close(key);
}

/* 200 signatures: R or S with a leading zero byte occurs in one of 128. */
static void
every_algorithm_verifies_what_it_signed_and_nothing_else(void **state)
{
	static const size_t lengths[KEY_ALGS] = { 64, 256, 32 };
	uint8_t signature[KEY_SIGNATURE_MAX];

	for (unsigned alg = 0; alg < KEY_ALGS; alg++) {
		Key *key = key_make((KeyAlg)alg), *other = key_make((KeyAlg)alg);
		int rounds = alg == KEY_ES256 ? 200 : 4;

		for (int i = 0; i < rounds; i++) {
			Str text = str_print(*state, "message %d", i);
			size_t n = key_sign(key, text, signature);

			assert_int_equal(n, lengths[alg]);
			assert_true(key_verify(key, text, signature, n));
			assert_false(key_verify(other, text, signature, n));
			assert_false(key_verify(key, text, signature, n - 1));
			assert_false(key_verify(key, text, signature, 0));
			assert_false(key_verify(key, S("message"), signature, n));
			signature[(size_t)i % n] ^= 1;
			assert_false(key_verify(key, text, signature, n));
		}
		memset(signature, 0, sizeof signature);
		assert_false(key_verify(key, S("message"), signature, lengths[alg]));
		key_close(key);
		key_close(other);
	}
}

static void
a_key_survives_its_text(void **state)
{
	uint8_t signature[KEY_SIGNATURE_MAX];

	for (unsigned alg = 0; alg < KEY_ALGS; alg++) {
		Key *made = key_make((KeyAlg)alg);
		Key *read = key_read((KeyAlg)alg, key_text(*state, made));
		size_t n = key_sign(made, S("text"), signature);

		assert_non_null(read);
		assert_int_equal(key_alg(read), alg);
		assert_true(key_verify(read, S("text"), signature, n));
		assert_true(str_eq(key_thumbprint(*state, made), key_thumbprint(*state, read)));
		key_close(made);
		key_close(read);
	}
}

static void
a_text_that_is_not_a_key_of_the_algorithm_is_refused(void **state)
{
	static const struct {
		KeyAlg alg;
		const char *text;
	} rows[] = {
		{ KEY_ES256, "" },
		{ KEY_ES256, "not a key" },
		{ KEY_ES256, rsa_1024_text },
		{ KEY_ES256, p384_text },
		{ KEY_ES256, phrase_text },
		{ KEY_RS256, es256_text },
		{ KEY_RS256, rsa_1024_text },
		{ KEY_HS256, "" },
		{ KEY_HS256, es256_text }, /* a PEM text never becomes an HMAC secret */
		{ KEY_HS256, "c2hvcnQ" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_null(key_read(rows[i].alg, str_of(rows[i].text)));
}

static void
algorithms_are_known_by_their_exact_names(void **state)
{
	static const char *const strangers[] = {
		"", "none", "es256", "ES256 ", "ES384", "HS512"
	};
	KeyAlg alg;

	(void)state;
	for (unsigned i = 0; i < KEY_ALGS; i++) {
		assert_true(key_alg_of(str_of(key_alg_names[i]), &alg));
		assert_int_equal(alg, i);
	}
	for (size_t i = 0; i < COUNT(strangers); i++)
		assert_false(key_alg_of(str_of(strangers[i]), &alg));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(hmac_gives_the_codes_of_rfc_4231_again_and_again),
		cmocka_unit_test(the_example_signature_of_rfc_7515_verifies),
		cmocka_unit_test(a_public_key_is_shown_as_rfc_7517_has_it),
		cmocka_unit_test(a_secret_shows_nothing_public_but_has_a_name),
		cmocka_unit_test(every_algorithm_verifies_what_it_signed_and_nothing_else),
		cmocka_unit_test(a_key_survives_its_text),
		cmocka_unit_test(a_text_that_is_not_a_key_of_the_algorithm_is_refused),
		cmocka_unit_test(algorithms_are_known_by_their_exact_names),
	};

	return cmocka_run_group_tests_name("crypto", tests, arena_make, arena_end);
}
