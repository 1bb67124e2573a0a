"""Tokens, keys and stored hashes under libFuzzer, for a short while. Longer: by hand."""

import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).parent.parent.parent
MODULES = (
    "arena base clock crypto encode format json json_check json_put json_scan json_write jwt lang model "
    "number password pointer problem settings settings_check settings_value str uuid"
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


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_token"
    subprocess.run(
        ["clang", "-std=gnu17", "-D_GNU_SOURCE", "-DPOSTERN_SANITIZE", "-O1", "-g", "-I", str(TOP)]
        + ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
        + [str(TOP / "tests/fuzz/fuzz_token.c"), str(TOP / "fcgi/refresh.c")]
        + [str(TOP / f"common/{module}.c") for module in MODULES.split()]
        + ["-o", str(program), "-ljson-c", "-ljwt", "-lcrypto", "-lcrypt", "-lm"],
        check=True,
    )
    return program


def test_no_bytes_are_a_token_that_we_did_not_sign(fuzzer, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, seed in SEEDS.items():
        (corpus / name).write_bytes(seed)
    (tmp_path / "words").write_text("".join(word + "\n" for word in WORDS))
    run = subprocess.run(
        [str(fuzzer), "-max_total_time=20", "-max_len=5000", "-timeout=5", "-rss_limit_mb=1024"]
        + ["-dict=words", "-print_final_stats=1", "corpus"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    runs = [int(line.split()[-1]) for line in run.stderr.splitlines() if "number_of_executed_units" in line]
    assert runs and runs[0] > 2000
