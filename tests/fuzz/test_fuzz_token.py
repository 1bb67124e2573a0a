"""Tokens, keys and stored hashes under libFuzzer, for a short while. Longer: by hand."""

from fuzzer import build, fuzz, seeds_write

MODULES = (
    "common/arena common/base common/clock common/db_dsn common/crypto common/encode common/format common/json "
    "common/json_check common/json_put common/json_scan common/json_write common/jwt common/lang common/model "
    "common/number common/password common/pointer common/problem common/settings common/settings_check "
    "common/settings_value common/str common/uuid fcgi/refresh"
)
SEEDS = {
    "claims": b'{"iss":"postern","aud":"postern","sub":"01937b2e-0000-7000-8000-000000000001",'
    b'"sid":"01937b2e-0000-7000-8000-000000000002","jti":"01937b2e-0000-7000-8000-000000000003",'
    b'"iat":1,"nbf":1,"exp":1800000000,"gen":1,"roles":["a"]}',
    "header": b'{"alg":"HS256","kid":"k","typ":"at+jwt"}',
    "none": b'{"alg":"none","kid":"k","typ":"at+jwt","crit":["b64"]}',
    "token": b"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJhdCtqd3QifQ.e30.AAAA",
    "refresh": b"v1.AZN7LgAAcACAAAAAAAAA_wAAAAAAAAAB" + b"A" * 43,
    "hash": b"$y$j9T$4Jny6lOcKqTBmbUokGlCs0$ZIK/xv0Pvm0Tu7r9FarSgJLk8TFIr1aOyN8iwRPBth2",
    "pem": b"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n",
}
WORDS = ['"\\"exp\\":"', '"\\"roles\\":["', '"\\"typ\\":"', '"crit"', '"none"', '"$y$j"', '"v1."', '"."']


def test_no_bytes_are_a_token_that_we_did_not_sign(tmp_path):
    program = build(tmp_path, "fuzz_token", MODULES, "-ljson-c -ljwt -lcrypto -lcrypt -lm")
    fuzz(program, seeds_write(tmp_path, SEEDS), WORDS, max_len=5000, least=2000)
