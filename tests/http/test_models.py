"""Inference: models are rows, and a model runs over the Open Inference Protocol v2."""

import secrets

import pytest
from digits import Digits
from upstream import Upstream, answer, free_port, status


@pytest.fixture(scope="module")
def digits():
    with Digits() as running:
        yield running


@pytest.fixture()
def upstream():
    with Upstream() as running:
        yield running


def named():
    return "m-" + secrets.token_hex(6)


def put(admin, endpoints, **more):
    """A model that exists: its name. Names upstream are "m"."""
    name = named()
    endpoints = [endpoints] if isinstance(endpoints, str) else endpoints
    body = {"kind": "kserve_v2", "endpoints": endpoints, "upstream_name": "m", **more}
    made = admin.put(f"/v1/models/{name}", body)
    assert made.status == 201, made
    return name


def tensor(data, **more):
    shape = [len(data)] + ([len(data[0])] if data and isinstance(data[0], list) else [])
    return {"name": "x", "datatype": "FP32", "shape": shape, "data": data, **more}


def infer(api, name, inputs, **more):
    return api.post(f"/v1/models/{name}/infer", {"inputs": inputs, **more})


def faults(problem):
    return {(e["code"], e["pointer"]) for e in problem.json["errors"]}


@pytest.fixture(scope="module")
def holder(postern):
    """Make a client whose role has these permissions: holder("models:infer", "models:vip")."""

    def make(*permissions):
        role = "r-" + secrets.token_hex(6)
        postern.sql("INSERT INTO roles (name, permissions) VALUES (%s, %s)", (role, list(permissions)))
        return postern.api().as_(role)

    return make


# --- rows


def test_a_model_is_made_replaced_and_removed(postern, admin):
    name = named()
    body = {"kind": "kserve_v2", "endpoints": ["http://127.0.0.1:1/a", "https://example.org"]}
    made = admin.put(f"/v1/models/{name}", body)
    assert made.status == 201
    assert made.headers["Location"].endswith(f"/v1/models/{name}")
    assert made.json["upstream_name"] == name
    assert (made.json["timeout_ms"], made.json["permission"], made.json["status"]) == (10000, "models:infer", "active")
    assert made.json["version"] == 1
    again = admin.put(f"/v1/models/{name}", {**body, "timeout_ms": 500, "upstream_version": "2"})
    assert (again.status, again.json["version"]) == (200, 2)
    assert "Location" not in again.headers
    assert (again.json["timeout_ms"], again.json["upstream_version"]) == (500, "2")
    assert again.json["created_at"] == made.json["created_at"]
    assert admin.delete(f"/v1/models/{name}").status == 204
    assert admin.get(f"/v1/models/{name}").status == 404
    assert admin.delete(f"/v1/models/{name}").status == 404
    assert infer(admin, name, [tensor([1.0])]).code == "not_found"
    trail = postern.sql("SELECT action FROM audit WHERE target = %s ORDER BY at, id", (name,))
    assert trail == [("model.put",), ("model.put",), ("model.delete",)]


@pytest.mark.parametrize(
    "more, wrong",
    [
        ({"kind": "onnx"}, ("not_allowed", "/kind")),
        ({"kind": "torchserve"}, ("not_allowed", "/kind")),
        ({"kind": "kserve_v1"}, ("not_allowed", "/kind")),
        ({"endpoints": []}, ("too_few", "/endpoints")),
        ({"endpoints": "http://a"}, ("type", "/endpoints")),
        ({"endpoints": ["ftp://a"]}, ("format", "/endpoints/0")),
        ({"endpoints": ["file:///etc/passwd"]}, ("format", "/endpoints/0")),
        ({"endpoints": ["http://a", "http://user:pass@b"]}, ("format", "/endpoints/1")),
        ({"endpoints": ["http://a/?x=1"]}, ("format", "/endpoints/0")),
        ({"endpoints": ["http://a", "http://a"]}, ("repeated", "/endpoints/1")),
        ({"upstream_name": ".."}, ("format", "/upstream_name")),
        ({"upstream_name": "a/b"}, ("format", "/upstream_name")),
        ({"upstream_version": "1/../../repository"}, ("format", "/upstream_version")),
        ({"timeout_ms": 0}, ("too_small", "/timeout_ms")),
        ({"timeout_ms": 1.5}, ("type", "/timeout_ms")),
        ({"permission": "models"}, ("format", "/permission")),
        ({"permission": "Models:infer"}, ("format", "/permission")),
        ({"permission": "models:infer:x"}, ("format", "/permission")),
        ({"status": "gone"}, ("not_allowed", "/status")),
        ({"credential": "triton"}, ("not_allowed", "/credential")),
        ({"daily_quota": 5}, ("not_allowed", "/daily_quota")),
        ({"cache_ttl_s": 60}, ("not_allowed", "/cache_ttl_s")),
        ({"retry_on_timeout": True}, ("not_allowed", "/retry_on_timeout")),
        ({"max_concurrency": 8}, ("not_allowed", "/max_concurrency")),
        ({"inputs": {}}, ("type", "/inputs")),
        ({"inputs": [{"name": "x", "datatype": "FP8", "shape": [1]}]}, ("not_allowed", "/inputs/0/datatype")),
        ({"outputs": [{"name": "x", "datatype": "FP32", "shape": [-2]}]}, ("too_small", "/outputs/0/shape/0")),
        ({"outputs": [{"name": "x"}]}, ("required", "/outputs/0/shape")),
        ({"endpoint": "http://a"}, ("unknown_field", "/endpoint")),
    ],
)
def test_a_row_that_could_not_be_served_is_refused(admin, more, wrong):
    name = named()
    refused = admin.put(f"/v1/models/{name}", {"kind": "kserve_v2", "endpoints": ["http://127.0.0.1:1"], **more})
    assert (refused.status, refused.code) == (422, "validation_failed")
    assert wrong in faults(refused)
    assert admin.get(f"/v1/models/{name}").status == 404


def test_what_nothing_serves_yet_may_be_given_as_it_is_by_default(admin, upstream):
    plain = {"cache_ttl_s": 0, "retry_on_timeout": False, "max_concurrency": 4, "daily_quota": None, "credential": None}
    made = admin.get("/v1/models/" + put(admin, upstream.url, **plain)).json
    assert plain.items() <= made.items()


@pytest.mark.parametrize("name", ["a%20b", "%E0%B8%81", "-a", "a:b", "x" * 129])
def test_a_name_is_plain(admin, name):
    refused = admin.put(f"/v1/models/{name}", {"kind": "kserve_v2", "endpoints": ["http://127.0.0.1:1"]})
    assert refused.status in (404, 422)
    assert refused.status == 404 or faults(refused) == {("format", "/name")}


def test_only_writers_write_and_see_where_a_model_runs(admin, user, api, upstream):
    name = put(admin, upstream.url, upstream_name="secret-name", upstream_version="7")
    seen = user.get(f"/v1/models/{name}")
    assert seen.status == 200
    assert seen.json["endpoints"] is seen.json["upstream_name"] is seen.json["upstream_version"] is None
    assert str(upstream.port) not in seen.body.decode() and "secret-name" not in seen.body.decode()
    assert admin.get(f"/v1/models/{name}").json["endpoints"] == [upstream.url]
    listed = user.get("/v1/models?limit=100")
    assert str(upstream.port) not in listed.body.decode()
    assert user.put(f"/v1/models/{name}", {"kind": "kserve_v2", "endpoints": ["http://a"]}).code == "forbidden"
    assert user.delete(f"/v1/models/{name}").code == "forbidden"
    for method, path in [("GET", ""), ("GET", f"/{name}"), ("PUT", f"/{name}"), ("DELETE", f"/{name}")]:
        more = {"json": {}} if method == "PUT" else {}
        assert api.request(method, "/v1/models" + path, **more).code == "token_missing"
    assert infer(api, name, [tensor([[1.0, 2.0]])]).code == "token_missing"


def test_a_list_has_what_its_reader_may_use(admin, user, holder, upstream):
    open_to_all = put(admin, upstream.url)
    guarded = put(admin, upstream.url, permission="models:vip")
    off = put(admin, upstream.url, status="disabled")

    def names(client):
        found, path = [], "/v1/models?limit=3"
        while path:
            page = client.get(path)
            assert page.status == 200
            found += [item["name"] for item in page.json["items"]]
            cursor = page.json["next_cursor"]
            assert (cursor is not None) == ('rel="next"' in page.headers.get("Link", ""))
            path = cursor and f"/v1/models?limit=3&cursor={cursor}"
        assert found == sorted(found) and len(set(found)) == len(found)
        return set(found) & {open_to_all, guarded, off}

    vip = holder("models:infer", "models:vip")
    assert names(user) == {open_to_all}
    assert names(vip) == {open_to_all, guarded}
    assert names(admin) == {open_to_all, guarded, off}
    for cursor in ("AAAA", "", "A" * 3000):
        assert user.get(f"/v1/models?cursor={cursor}").code == "invalid_cursor"
    assert user.get("/v1/models?limit=0").code == "invalid_parameter"


def test_a_model_asks_for_its_own_permission(admin, user, holder, upstream):
    name = put(admin, upstream.url, permission="models:vip")
    row = [tensor([[1.0, 2.0]])]
    assert infer(user, name, row).code == "forbidden"
    assert user.get(f"/v1/models/{name}").code == "forbidden"
    assert infer(admin, name, row).code == "forbidden"  # who may write a model need not use it
    assert upstream.asked == []
    assert infer(holder("models:vip"), name, row).status == 200
    off = put(admin, upstream.url, status="disabled")
    assert infer(user, off, row).code == user.get(f"/v1/models/{off}").code == "not_found"


def test_inputs_and_outputs_are_told_by_the_row_or_else_by_the_server(admin, user, upstream):
    name = put(admin, upstream.url)
    told = user.get(f"/v1/models/{name}").json
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert told["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1]}]
    assert upstream.asked[-1].path == "/v2/models/m"
    declared = [{"name": "z", "datatype": "BYTES", "shape": [1]}]
    name = put(admin, upstream.url, inputs=declared)
    told = user.get(f"/v1/models/{name}").json
    assert (told["inputs"], told["outputs"][0]["name"]) == (declared, "y")
    upstream.metadata = answer({"name": "m", "inputs": [], "outputs": None})
    told = user.get(f"/v1/models/{put(admin, upstream.url)}").json
    assert told["inputs"] is told["outputs"] is None


def test_a_declaration_reads_the_same_wherever_it_is_shown(admin, upstream):
    """Byte by byte: one strong ETag stands for both."""
    shapes = [{"shape": [-1, 2], "datatype": "FP32", "name": "x"}]
    name = named()
    body = {"kind": "kserve_v2", "endpoints": [upstream.url], "inputs": shapes, "outputs": shapes}
    made = admin.put(f"/v1/models/{name}", body)
    read = admin.get(f"/v1/models/{name}")
    assert (read.body, read.headers["ETag"]) == (made.body, made.headers["ETag"])
    listed, path = b"", "/v1/models?limit=100"
    while path:
        page = admin.get(path)
        listed += page.body
        path = page.json["next_cursor"] and f"/v1/models?limit=100&cursor={page.json['next_cursor']}"
    assert made.body in listed


def test_a_page_of_long_declarations_is_no_matter_of_memory(postern, admin, upstream):
    """What is read of one declaration is many times its text, and goes before the next is read."""
    shape = [-1] * 32
    first = put(admin, upstream.url, inputs=[{"name": f"{i:0256d}", "datatype": "FP32", "shape": shape} for i in range(256)])
    more = (
        "INSERT INTO models SELECT (jsonb_populate_record(m, jsonb_build_object('name', '0' || m.name || i))).*"
        " FROM models m, generate_series(101, 200) i WHERE m.name = %s"
    )
    postern.sql(more, (first,))
    try:
        page = admin.get("/v1/models?limit=100", check=False)  # a validator takes its time for 10 MB
        assert page.status == 200
        assert [len(m["inputs"]) for m in page.json["items"]] == [256] * 100
    finally:
        postern.sql("DELETE FROM models WHERE starts_with(name, %s)", ("0" + first,))


def test_a_row_is_readable_while_no_server_runs(admin, user):
    name = put(admin, f"http://127.0.0.1:{free_port()}")
    told = user.get(f"/v1/models/{name}")
    assert (told.status, told.json["inputs"]) == (200, None)


# --- running a model


def test_digits_that_the_model_never_saw_are_read(admin, user, digits):
    name = put(admin, digits.url, upstream_name="digits", upstream_version="1")
    images, labels = digits.rows["images"], digits.rows["labels"]
    image = {"name": "image", "datatype": "FP32", "shape": [len(images), 64], "data": images}
    read = infer(user, name, [image], id="all", outputs=[{"name": "label"}])
    assert read.status == 200
    assert (read.json["id"], [o["name"] for o in read.json["outputs"]]) == ("all", ["label"])
    right = sum(a == b for a, b in zip(read.json["outputs"][0]["data"], labels, strict=True))
    assert right >= 95
    flat = infer(user, name, [{**image, "shape": [1, 64], "data": images[0]}])
    assert [o["datatype"] for o in flat.json["outputs"]] == ["INT64", "FP32"]


def test_the_request_goes_out_as_it_is_and_says_whose_it_is(admin, user, upstream):
    name = put(admin, upstream.url, upstream_version="3")
    tensors = b'[ {"shape":[1,2],"data":[[1,2.50]],"datatype":"FP32","name":"\\u0078"}]'
    body = b'{ "inputs":' + tensors + b',\n"id":"\xe0\xb8\x81"}'
    trace, span = "a" * 32, "b" * 16
    headers = {"X-Request-Id": "call-1", "traceparent": f"00-{trace}-{span}-01", "Content-Type": "application/json"}
    done = user.request("POST", f"/v1/models/{name}/infer", body=body, headers=headers)
    assert done.status == 200
    sent = upstream.inferred[-1]
    assert sent.body == body
    assert sent.path == "/v2/models/m/versions/3/infer"
    assert sent.headers["x-request-id"] == "call-1"
    assert sent.headers["traceparent"].startswith(f"00-{trace}-")
    assert span not in sent.headers["traceparent"]
    assert "authorization" not in sent.headers
    assert (done.json["id"], done.json["outputs"][0]["data"]) == ("\u0e01", [3.5])
    assert (done.headers["X-Postern-Upstream"], done.headers["X-Postern-Attempts"]) == ("1", "1")
    assert float(done.headers["Server-Timing"].removeprefix("upstream;dur=")) > 0


@pytest.mark.parametrize(
    "inputs, wrong",
    [
        ([], ("required", "/inputs")),
        ([tensor([[1, 2, 3]])], ("shape", "/inputs/0/shape/1")),
        ([tensor([1, 2])], ("shape", "/inputs/0/shape")),
        ([tensor([[1, 2], [3]], shape=[2, 2])], ("shape", "/inputs/0/data/1")),
        ([tensor([1, 2, 3], shape=[2, 2])], ("shape", "/inputs/0/data")),
        ([tensor([[1, "2"]])], ("type", "/inputs/0/data/0/1")),
        ([tensor([[1, 1e39]])], ("out_of_range", "/inputs/0/data/0/1")),
        ([tensor([[1, 2]], datatype="INT32")], ("not_allowed", "/inputs/0/datatype")),
        ([tensor([[1, 2]], datatype="FLOAT")], ("not_allowed", "/inputs/0/datatype")),
        ([tensor([[1, 2]], name="w")], ("not_allowed", "/inputs/0/name")),
        ([tensor([[1, 2]]), tensor([[1, 2]])], ("repeated", "/inputs/1/name")),
        ([{"name": "x", "datatype": "FP32", "shape": [1, 2]}], ("required", "/inputs/0/data")),
    ],
)
def test_a_tensor_that_does_not_fit_never_leaves(admin, user, upstream, inputs, wrong):
    refused = infer(user, put(admin, upstream.url), inputs)
    assert (refused.status, refused.code) == (422, "invalid_tensor")
    assert wrong in faults(refused)
    pointers = [e["pointer"] for e in refused.json["errors"]]
    assert len(set(pointers)) == len(pointers)  # each told once
    assert upstream.inferred == []


def test_what_the_server_does_not_tell_the_row_declares(admin, user, upstream):
    upstream.metadata = status(404, {"error": "no metadata"})
    free = put(admin, upstream.url)
    assert infer(user, free, [tensor([[1, 2, 3]], name="anything")]).status == 200
    bound = put(admin, upstream.url, inputs=[{"name": "x", "datatype": "FP32", "shape": [-1, 2]}])
    assert faults(infer(user, bound, [tensor([[1, 2, 3]])])) == {("shape", "/inputs/0/shape/1")}


@pytest.mark.parametrize(
    "body, code, wrong",
    [
        (b"", "malformed_json", None),
        (b'{"inputs": [', "malformed_json", None),
        (b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[NaN,1]}]}', "malformed_json", None),
        (b'{"inputs":[],"inputs":[]}', "malformed_json", None),
        (b"[]", "validation_failed", ("type", "")),
        (b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"input":1}',
         "validation_failed", ("unknown_field", "/input")),
        (b'{"id":7,"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}',
         "validation_failed", ("type", "/id")),
        (b'{"parameters":{"binary_data_output":true},"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],'
         b'"data":[1,2]}]}', "validation_failed", ("not_allowed", "/parameters/binary_data_output")),
    ],
)
def test_a_frame_that_is_wrong_never_leaves(admin, user, upstream, body, code, wrong):
    name = put(admin, upstream.url)
    refused = user.request("POST", f"/v1/models/{name}/infer", body=body, headers={"Content-Type": "application/json"})
    assert refused.code == code
    assert wrong is None or wrong in faults(refused)
    assert upstream.inferred == []


def test_a_body_has_its_type_and_its_size(admin, user, upstream):
    name = put(admin, upstream.url)
    text = user.request("POST", f"/v1/models/{name}/infer", body=b"{}", headers={"Content-Type": "text/plain"})
    assert text.code == "unsupported_media_type"
    rows = [[0.5, 1.25]] * 200_000  # more than other routes take
    big = infer(user, name, [tensor(rows)])
    assert (big.status, len(big.json["outputs"][0]["data"])) == (200, 200_000)
    headers = {"Content-Type": "application/json"}
    path = f"/v1/models/{name}/infer"
    assert user.request("POST", path, body=b" " * (16 << 20), headers=headers).code == "malformed_json"
    assert user.request("POST", path, body=b" " * ((16 << 20) + 1), headers=headers).code == "body_too_large"


def test_connections_are_kept(postern, admin, user, upstream):
    name = put(admin, upstream.url)
    for _ in range(40):
        assert infer(user, name, [tensor([[1, 2]])]).status == 200
    assert len(upstream.inferred) == 40
    assert upstream.connections <= len(postern.workers())


def test_a_server_that_cannot_be_reached_makes_way_for_the_next(admin, user, upstream):
    gone = f"http://127.0.0.1:{free_port()}"
    name = put(admin, [gone, upstream.url])
    done = infer(user, name, [tensor([[1, 2]])])
    assert (done.status, done.headers["X-Postern-Upstream"], done.headers["X-Postern-Attempts"]) == (200, "2", "2")
    once = put(admin, [gone, upstream.url], max_attempts=1)
    refused = infer(user, once, [tensor([[1, 2]])])
    assert (refused.status, refused.code) == (503, "upstream_unavailable")
    assert (refused.headers["X-Postern-Upstream"], refused.headers["X-Postern-Attempts"]) == ("1", "1")
    both = infer(user, put(admin, [gone, f"http://127.0.0.1:{free_port()}"]), [tensor([[1, 2]])])
    assert (both.headers["X-Postern-Upstream"], both.headers["X-Postern-Attempts"]) == ("2", "2")


def test_what_a_server_says_of_the_input_is_told_without_its_inside(admin, user, upstream):
    words = f"[StatusCode.X] 'x' must be positive; see /opt/models/m/1/model.py:17 at {upstream.url} (127.0.0.1)\n\x1b"
    upstream.infer = status(400, {"error": words})
    refused = infer(user, put(admin, upstream.url), [tensor([[1, 2]])])
    assert (refused.status, refused.code) == (422, "invalid_tensor")
    assert refused.json["detail"] == "[StatusCode.X] 'x' must be positive; see … at … …"
    upstream.infer = status(422, {"detail": [{"msg": "x " * 1000}]})
    refused = infer(user, put(admin, upstream.url), [tensor([[1, 2]])])
    assert 400 < len(refused.json["detail"]) <= 500
    assert refused.headers["X-Postern-Attempts"] == "1"


@pytest.mark.parametrize(
    "code, body, problem",
    [
        (404, {"error": "unknown model m"}, (502, "upstream_error")),
        (401, {"error": "who?"}, (502, "upstream_error")),
        (403, {"error": "no"}, (502, "upstream_error")),
        (500, b"Traceback (most recent call last): /usr/lib/x.py", (502, "upstream_error")),
        (501, {"error": "no"}, (502, "upstream_error")),
        (204, b"", (502, "upstream_error")),
        (429, {"error": "busy"}, (503, "upstream_unavailable")),
        (503, {"error": "queue full"}, (503, "upstream_unavailable")),
        (504, b"", (504, "upstream_timeout")),
    ],
)
def test_other_faults_are_the_servers(admin, user, upstream, code, body, problem):
    upstream.infer = status(code, body, {"Retry-After": "7"})
    failed = infer(user, put(admin, upstream.url), [tensor([[1, 2]])])
    assert (failed.status, failed.code) == problem
    assert failed.status != 503 or failed.headers["Retry-After"] == "7"
    for word in ("Traceback", "queue", "unknown model", str(upstream.port)):
        assert word not in failed.body.decode()
    assert len(upstream.inferred) == 1  # no second try


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[NaN]}]}',
        b'{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1]}]}',
        b'{"outputs":[{"name":"y","datatype":"BYTES","shape":[1],"data":["\xff"]}]}',
        b'{"outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[300]}]}',
        b'{"error":"none"}',
        b"[]",
        b"",
    ],
)
def test_an_answer_that_is_none_is_not_passed_on(postern, admin, user, upstream, body):
    upstream.infer = status(200, body)
    since = postern.log_size()
    failed = infer(user, put(admin, upstream.url), [tensor([[1, 2]])])
    assert (failed.status, failed.code) == (502, "upstream_error")
    line = postern.log_until(lambda line: line.get("request_id") == failed.headers["X-Request-Id"], since)
    assert "its answer" in line["inside"]


def test_an_answer_is_passed_on_byte_by_byte(admin, user, upstream):
    output = b'{"data":[0.10000000149011612,1e-7],"name":"y","shape":[2],"datatype":"FP32"}'
    body = b'{"outputs" : [' + output + b'],\n"model_name":null}'
    upstream.infer = status(200, body)
    assert infer(user, put(admin, upstream.url), [tensor([[1, 2]])]).body == body


def test_a_model_that_changes_upstream_is_asked_anew_when_its_row_is_written(admin, user, upstream):
    name = put(admin, upstream.url)
    assert infer(user, name, [tensor([[1, 2]])]).status == 200
    upstream.metadata = answer({"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}], "outputs": []})
    admin.put(f"/v1/models/{name}", {"kind": "kserve_v2", "endpoints": [upstream.url], "upstream_name": "m"})
    assert infer(user, name, [tensor([[1, 2, 3]])]).status == 200
    assert infer(user, name, [tensor([[1, 2]])]).code == "invalid_tensor"


def test_the_servers_headers_stay_behind(admin, user, upstream):
    def act(asked, sock, server):
        request = asked.json
        body = {"model_name": "m", "outputs": [], "id": request["id"]}
        return status(200, body, {"Server": "triton-7", "X-Secret": "1", "Set-Cookie": "a=b"})(asked, sock, server)

    upstream.infer = act
    done = infer(user, put(admin, upstream.url), [tensor([[1, 2]])], id="x")
    assert done.status == 200
    assert "X-Secret" not in done.headers and "Set-Cookie" not in done.headers
    assert "triton" not in done.headers.get("Server", "")
