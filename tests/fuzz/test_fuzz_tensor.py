"""Tensors and an inference server's words under libFuzzer, for a short while. Longer: by hand."""

import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).parent.parent.parent
MODULES = (
    "arena base clock encode format json json_check json_put json_scan json_write lang model number "
    "pointer problem settings settings_check settings_value str uuid"
)
SOURCES = ["fcgi/infer_words.c", "fcgi/tensor.c", "fcgi/tensor_data.c", "schema/models/models.c"]
SEEDS = {
    "request": b'{"id":"a","parameters":{"p":1},"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],'
    b'"data":[[1.5,-2e3],[3,4]]},{"name":"y","datatype":"BYTES","shape":[2],"data":["a\\u0041","b]\\""]}],'
    b'"outputs":[{"name":"z","parameters":{"binary_data":false}}]}',
    "answer": b'{"outputs":[{"name":"x","datatype":"UINT64","shape":[1,2,1],"data":[[[18446744073709551615],[3]]]}]}',
    "metadata": b'{"inputs":[{"name":"x","datatype":"BOOL","shape":[-1,2]}],"outputs":null}',
    "error": b'{"error":"see /opt/m.py:17 at http://triton:8000 (10.0.0.1), 0x7f00aa11bb"}',
    "errors": '{"detail":[{"msg":"ผิด\\u0007"},{"msg":"::1"}]}'.encode(),
}
WORDS = ['"\\"data\\":["', '"\\"shape\\":["', '"INT8"', '"UINT16"', '"FP16"', '"BOOL"', '"true"', '"[["', '"]]"']


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_tensor"
    subprocess.run(
        ["clang", "-std=gnu17", "-D_GNU_SOURCE", "-DPOSTERN_SANITIZE", "-O1", "-g", "-I", str(TOP)]
        + ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
        + [str(TOP / "tests/fuzz/fuzz_tensor.c"), *(str(TOP / source) for source in SOURCES)]
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
