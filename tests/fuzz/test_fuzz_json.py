"""JSON, parameters and languages under libFuzzer, for a short while. Longer: the same program by hand."""

from fuzzer import build, fuzz, seeds_write

MODULES = (
    "common/arena common/base common/clock common/db_dsn common/encode common/format common/json common/json_check "
    "common/json_put common/json_scan common/json_write common/lang common/model common/number common/params "
    "common/pointer common/problem common/settings common/settings_check common/settings_value common/str "
    "common/uuid"
)
SEEDS = {
    "whole": b'{"a":"x","b":1,"c":1.5,"d":true,"e":"a","f":"01930000-0000-7000-8000-00000000000a",'
    b'"g":"1970-01-01T00:00:00Z","h":["x"],"i":[1],"j":{},"k":{"amount":1,"currency":"THB"},"l":[],'
    b'"m":"a@b.co","n":null,"o":{"x":[]},"p":["http://a"]}',
    "unicode": '{"a":"\\ud83d\\ude00 ราคา","ก":1,"\\u0061":2}'.encode(),
    "query": b"a=twelve+chars%21&b=-5&c=1e5&d=2026-11-21T09:00:00Z&e=x&e=y&f=1&f=2",
    "language": b"th-TH;q=0.9, en;q=0.5, *;q=0.1",
    "empty object": b'{}"',
}
WORDS = ['"\\\\ud83d\\\\ude00"', '"\\\\u0061"', '"{\\"a\\":\\"x\\""', '",\\"c\\":1e400"', '";q=0.5"', '"%E0%B8%81"', '"e=a&"']


def test_no_bytes_do_harm(tmp_path):
    program = build(tmp_path, "fuzz_json", MODULES, "-ljson-c -lm")
    fuzz(program, seeds_write(tmp_path, SEEDS), WORDS)
