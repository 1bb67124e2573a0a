#!/usr/bin/python3
"""
Check the digit model: the stored held-out rows through the forward pass, then a server of its own
by HTTP: each row of REFUSED, both forms of data, a clean stop. Exit status 0 if all is right.
"""

import array
import contextlib
import http.client
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import network

HERE = pathlib.Path(__file__).parent
INFER = "/v2/models/digits/infer"
FLOOR = 0.95
START_S = 10
BODY_MAX = 100_000  # bytes

ZERO = {"name": "image", "datatype": "FP32", "shape": [1, 64], "data": [0] * 64}


def request(*outputs, **changes):
    return json.dumps({"inputs": [{**ZERO, **changes}], "outputs": list(outputs)})


def first(value):
    """The text of a request whose first number is this text."""
    return request().replace("[0,", f"[{value},", 1)


LENGTH = len(request())
REFUSED = [  # status, method, path, body, headers
    (400, "POST", INFER, "{", {}),
    (400, "POST", INFER, b"\xff", {}),
    (400, "POST", INFER, "[]", {}),
    (400, "POST", INFER, "[" * 50_000, {}),
    (400, "POST", INFER, request() + "x", {}),
    (400, "POST", INFER, '{"id":1,' + request()[1:], {}),
    (400, "POST", INFER, '{"id":"a","id":"b",' + request()[1:], {}),
    (400, "POST", INFER, '{"parameters":[],' + request()[1:], {}),
    (400, "POST", INFER, '{"inputs":[]}', {}),
    (400, "POST", INFER, '{"inputs":{}}', {}),
    (400, "POST", INFER, json.dumps({"inputs": [ZERO, ZERO]}), {}),
    (400, "POST", INFER, json.dumps({"inputs": [ZERO, {**ZERO, "name": "other"}]}), {}),
    (400, "POST", INFER, request(name="other"), {}),
    (400, "POST", INFER, request(name=None), {}),
    (400, "POST", INFER, request(datatype="FP64"), {}),
    (400, "POST", INFER, request(datatype=0).replace(" 0", " " + "[" * 900 + "]" * 900, 1), {}),
    (400, "POST", INFER, request(shape=[64]), {}),
    (400, "POST", INFER, request(shape=[2, 64]), {}),
    (400, "POST", INFER, request(shape=[-1, 64]), {}),
    (400, "POST", INFER, request(shape=[True, 64]), {}),
    (400, "POST", INFER, request(shape=[0, 64]).replace("[0, 64]", f"[{'9' * 4299}, 64]"), {}),
    (400, "POST", INFER, request(shape=[1, 8, 8]), {}),
    (400, "POST", INFER, request(data=None), {}),
    (400, "POST", INFER, request(data=[0] * 63), {}),
    (400, "POST", INFER, request(data=[[0] * 64] * 2), {}),
    (400, "POST", INFER, request(data=[[0] * 63]), {}),
    (400, "POST", INFER, request(data=[[0] * 64, 0]), {}),
    (400, "POST", INFER, first("NaN"), {}),
    (400, "POST", INFER, first("-Infinity"), {}),
    (400, "POST", INFER, first("1e39"), {}),
    (400, "POST", INFER, first("1e999"), {}),
    (400, "POST", INFER, first("9" * 400), {}),
    (400, "POST", INFER, first("9" * 5000), {}),
    (400, "POST", INFER, first("true"), {}),
    (400, "POST", INFER, first('"0"'), {}),
    (400, "POST", INFER, request({"name": "other"}), {}),
    (400, "POST", INFER, request({"name": "label"}, {"name": "label"}), {}),
    (400, "POST", INFER, request({"name": "label", "parameters": {"binary_data": 1}}), {}),
    (400, "POST", INFER, request(parameters={"binary_data_size": 256}), {}),
    (400, "POST", INFER, request(), {"Inference-Header-Content-Length": "9999"}),
    (400, "POST", INFER, request(), {"Inference-Header-Content-Length": "-1"}),
    (400, "POST", INFER, request(), {"Inference-Header-Content-Length": "all"}),
    (400, "POST", INFER, "{}raw", {"Inference-Header-Content-Length": "2"}),
    (400, "POST", INFER, request() + "r", {"Inference-Header-Content-Length": str(LENGTH)}),
    (400, "POST", INFER, request(), {"Content-Length": "1e3"}),
    (404, "POST", "/v2/models/letters/infer", request(), {}),
    (404, "POST", "/v2/models/digits/versions/2/infer", request(), {}),
    (404, "GET", "/v2/models/letters/ready", None, {}),
    (404, "GET", "/v2/", None, {}),
    (404, "GET", "/v1/models/digits", None, {}),
    (405, "GET", INFER, None, {}),
    (405, "POST", "/v2/health/ready", "", {}),
    (405, "DELETE", "/v2/models/digits", None, {}),
    (413, "POST", INFER, " " * (BODY_MAX + 1), {}),
    (413, "POST", INFER, iter([b" " * BODY_MAX, b" "]), {}),
    (501, "BREW", "/v2", None, {}),
]

READ = [
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/digits",
    "/v2/models/digits/ready",
    "/v2/models/digits/versions/1",
    "/v2/models/digits/versions/1/ready",
]


class Failed(Exception):
    pass


def need(condition, *what):
    if not condition:
        raise Failed(" ".join(map(str, what)))


@contextlib.contextmanager
def server():
    """A server of its own; gives its port, and sees that SIGTERM ends it well."""
    with tempfile.TemporaryDirectory() as folder:
        port_file = pathlib.Path(folder, "port")
        command = [sys.executable, HERE / "server.py", "--quiet", "--port", "0"]
        command += ["--port-file", port_file, "--body-max", str(BODY_MAX)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                end = time.monotonic() + START_S
                while not port_file.exists():
                    started = process.poll() is None and time.monotonic() < end
                    need(started, "the server does not start")
                    time.sleep(0.01)
                yield int(port_file.read_text(encoding="ascii"))
            finally:
                process.terminate()
        need(process.returncode == 0, "the server ended with", process.returncode)


def call(client, method, path, body=None, headers={}):
    """returns  status, headers and body; the client connects again by itself after a close"""
    client.request(method, path, body, headers)
    answer = client.getresponse()
    return answer.status, answer.headers, answer.read()


def check_refusals(client):
    for status, method, path, body, headers in REFUSED:
        got, answered, text = call(client, method, path, body, headers)
        row = (method, path, str(body)[:60], headers, "gave", got, text)
        need(got == status, *row)
        need(list(json.loads(text)) == ["error"], *row)
        need((got == 405) == ("Allow" in answered), *row)


def check_pages(client):
    for path in READ:
        status, _, body = call(client, "GET", path)
        need(status == 200 and isinstance(json.loads(body), dict), path, "gave", status, body)
        status, _, body = call(client, "HEAD", path)
        need(status == 200 and body == b"", "HEAD", path, "gave", status, body)


def check_json(client, held_out, expected):
    """Nested data, all rows at once, outputs the other way round."""
    images = held_out["images"]
    text = request({"name": "scores"}, {"name": "label"}, shape=[len(images), 64], data=images)
    status, _, body = call(client, "POST", INFER, '{"id":"a",' + text[1:])
    need(status == 200, "nested data gave", status, body)
    answer = json.loads(body)
    scores, labels = answer["outputs"]
    need(answer["id"] == "a", "the id is", answer["id"])
    need((scores["name"], scores["shape"]) == ("scores", [len(images), 10]), "scores are", scores)
    need(scores["data"] == sum(expected, []), "scores differ by HTTP")
    need(labels["data"] == list(map(network.label_of, expected)), "labels differ by HTTP")


def check_binary(client, held_out, expected):
    """Raw tensor in, chunked; raw scores and a JSON label out."""
    raw = array.array("f", held_out["images"][0]).tobytes()
    need(sys.byteorder == "little", "this check makes tensors on little-endian machines only")
    text = request(
        {"name": "label"},
        {"name": "scores", "parameters": {"binary_data": True}},
        data=None,
        parameters={"binary_data_size": 256},
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    status, headers, body = call(client, "POST", INFER, iter([text[:9], text[9:], raw]), headers)
    need(status == 200, "a raw tensor gave", status, body)
    size = int(headers["Inference-Header-Content-Length"])
    label, scores = json.loads(body[:size])["outputs"]
    need(label["data"] == [network.label_of(expected[0])], "label is", label)
    need(scores["parameters"] == {"binary_data_size": 40}, "scores are", scores)
    need(body[size:] == array.array("f", expected[0]).tobytes(), "raw scores differ")


def main():
    if sys.argv[1:] in (["--help"], ["-h"]):
        print(f"usage: check.py\n\n{__doc__.strip()}")
        return
    if sys.argv[1:]:
        print(f"check.py: {sys.argv[1]}: not an option; see --help", file=sys.stderr)
        sys.exit(64)
    held_out = json.loads((HERE / "heldout.json").read_text(encoding="utf-8"))
    model = network.Network()
    part = network.accuracy(model, held_out["images"], held_out["labels"])
    print(f"held-out page: {part:.1%} of {len(held_out['labels'])} rows")
    expected = [model.scores(image) for image in held_out["images"]]
    try:
        need(part >= FLOOR, "that is too few")
        with server() as port:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
            check_refusals(client)
            check_pages(client)
            check_json(client, held_out, expected)
            check_binary(client, held_out, expected)
    except Failed as failed:
        sys.exit(f"check: {failed}")
    print(f"server: {len(REFUSED)} refusals, {len(READ)} pages, JSON and binary tensors are right")


if __name__ == "__main__":
    main()
