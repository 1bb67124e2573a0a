"""Bodies that come in: what is JSON, and what the JSON may say."""

import json

import pytest

LOGIN = "/v1/auth/login"


def send(api, body, path=LOGIN):
    return api.post(path, body=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"email"',
        b'{"email":}',
        b'{"email":"a",}',
        b'{"email":"a"}}',
        b'{"email":"a"} x',
        b'{"email":"a"}{"email":"a"}',
        b"{'email':'a'}",
        b"{email:1}",
        b'{"email":NaN}',
        b'{"email":Infinity}',
        b'{"email":-}',
        b'{"email":01}',
        b'{"email":1.}',
        b'{"email":.5}',
        b'{"email":+1}',
        b'{"email":1e}',
        b'{"email":0x10}',
        b'{"email":1e400}',
        b'{"email":True}',
        b'{"email":nul}',
        b'{"email":"a" /* no */}',
        b'{"email":"a\nb"}',
        b'{"email":"a\tb"}',
        b'{"email":"\\x41"}',
        b'{"email":"\\u00"}',
        b'{"email":"\\u0000"}',
        b'{"em\\u0000ail":"a"}',
        b'{"email":"\\ud800"}',
        b'{"email":"\\udc00\\ud800"}',
        b'{"email":"\xff"}',
        b'{"email":"\xc0\xaf"}',
        b'{"email":"\xed\xa0\x80"}',
        b'{"email":"\xf4\x90\x80\x80"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'{"email":"a","email":"a"}',
        b'{"email":"a","\\u0065mail":"b"}',
        b'{"x":{"a":1,"a":2}}',
        b'{"x":' + b"[" * 32 + b"]" * 32 + b"}",
        b"[" * 100000,
        b'{"email":"a"}\x00',
        b'\x00{"email":"a"}',
    ],
    ids=lambda b: repr(b[:24]),
)
def test_what_is_not_json_is_400(api, body):
    answer = send(api, body)
    assert (answer.status, answer.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' + b"[" * 31 + b"]" * 31 + b"}",
        b' \t\r\n{ "x" : 1 } \r\n',
        b'{"x":"\\ud83d\\ude00 \xf0\x9f\x98\x80"}',
        b'{"x":-0}',
        b'{"x":123456789012345678901234567890}',
        b'{"x":"\\"\\\\\\/\\b\\f\\n\\r\\t"}',
    ],
    ids=lambda b: repr(b[:24]),
)
def test_unusual_json_is_read(api, body):
    answer = send(api, body)
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert {"pointer": "/x", "code": "unknown_field"} in [
        {k: e[k] for k in ("pointer", "code")} for e in answer.json["errors"]
    ]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null", b"true", b"[{}]"])
def test_a_body_that_is_no_object_is_422_at_its_root(api, body):
    answer = send(api, body)
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert [(e["pointer"], e["code"]) for e in answer.json["errors"]] == [("", "type")]


def faults(answer):
    assert (answer.status, answer.code) == (422, "validation_failed"), answer
    return {(e["pointer"], e["code"]) for e in answer.json["errors"]}


def test_all_invalid_fields_are_reported_at_once(api):
    answer = api.post("/v1/auth/register", {"email": "nobody", "password": "short", "typo": 1})
    assert faults(answer) == {("/email", "format"), ("/password", "too_short"), ("/typo", "unknown_field")}
    assert "3" in answer.json["detail"]


def test_a_missing_field_is_required(api):
    assert faults(api.post(LOGIN, {})) == {("/email", "required"), ("/password", "required")}


def test_null_is_no_value_for_a_required_field(api):
    answer = api.post(LOGIN, {"email": None, "password": None})
    assert {p for p, _ in faults(answer)} == {"/email", "/password"}


@pytest.mark.parametrize("value", [1, True, [], {}, 1.5])
def test_another_type_is_named(api, value):
    assert ("/email", "type") in faults(api.post(LOGIN, {"email": value, "password": "x" * 12}))


def test_a_pointer_escapes_the_name(api):
    assert ("/a~1b~0c", "unknown_field") in faults(api.post(LOGIN, {"a/b~c": 1}))


def test_a_pointer_leads_into_objects_and_lists(editor):
    body = {"sku": "P-1", "name": "lamp", "price": {"amount": "1", "currency": "THB"}, "tags": ["a", 2]}
    assert faults(editor.post("/v1/products", body)) == {("/price/amount", "type"), ("/tags/1", "type")}


def test_at_most_a_hundred_faults_are_reported(api):
    answer = api.post(LOGIN, {f"x{i}": 1 for i in range(300)})
    assert len(answer.json["errors"]) == 100


@pytest.mark.parametrize("stock", [1.5, "1", 1e300, 10**30, -1, 2**31])
def test_a_number_out_of_its_range_is_refused(editor, stock):
    body = {"sku": "N-1", "name": "lamp", "price": {"amount": 1, "currency": "THB"}, "stock": stock}
    answer = editor.post("/v1/products", body)
    assert {p for p, _ in faults(answer)} == {"/stock"}


def test_answers_are_compact(api):
    answer = api.get("/healthz")
    assert answer.body == json.dumps(answer.json, separators=(",", ":"), ensure_ascii=False).encode()
