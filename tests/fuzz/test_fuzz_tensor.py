"""Tensors and an inference server's words under libFuzzer, for a short while. Longer: by hand."""

from fuzzer import build, fuzz, seeds_write

MODULES = (
    "common/arena common/base common/clock common/db_dsn common/encode common/format common/json common/json_check "
    "common/json_put common/json_scan common/json_write common/lang common/model common/number common/pointer "
    "common/problem common/settings common/settings_check common/settings_value common/str common/uuid "
    "fcgi/infer_words fcgi/tensor fcgi/tensor_data schema/models/models"
)
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


def test_no_bytes_do_harm(tmp_path):
    program = build(tmp_path, "fuzz_tensor", MODULES, "-ljson-c -lm")
    fuzz(program, seeds_write(tmp_path, SEEDS), WORDS)
