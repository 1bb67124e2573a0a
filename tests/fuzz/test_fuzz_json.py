"""JSON, parameters and languages under libFuzzer, for a short while. Longer: the same program by hand."""

import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).parent.parent.parent
MODULES = (
    "arena base clock encode format json json_check json_put json_scan json_write lang model number "
    "params pointer problem settings settings_check settings_value str uuid"
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


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_json"
    subprocess.run(
        ["clang", "-std=gnu17", "-D_GNU_SOURCE", "-DPOSTERN_SANITIZE", "-O1", "-g", "-I", str(TOP)]
        + ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
        + [str(TOP / "tests/fuzz/fuzz_json.c")]
        + [str(TOP / f"common/{module}.c") for module in MODULES.split()]
        + ["-o", str(program), "-ljson-c", "-lm"],
        check=True,
    )
    return program


def test_no_bytes_do_harm(fuzzer, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, seed in SEEDS.items():
        (corpus / name).write_bytes(seed)
    (tmp_path / "words").write_text("".join(word + "\n" for word in WORDS))
    run = subprocess.run(
        [str(fuzzer), "-max_total_time=20", "-max_len=2000", "-timeout=5", "-rss_limit_mb=1024"]
        + ["-dict=words", "-print_final_stats=1", "corpus"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    runs = [int(line.split()[-1]) for line in run.stderr.splitlines() if "number_of_executed_units" in line]
    assert runs and runs[0] > 5000
