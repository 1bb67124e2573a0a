"""Every request: paths, methods, order of refusal, request ids."""

import re

import pytest

MIB = 1 << 20
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


# --- paths


@pytest.mark.parametrize(
    "target",
    [
        b"/v1//products",
        b"//v1/products",
        b"/v1/./products",
        b"/v1/x/../products",
        b"/v1/products/..",
        b"/v1/products/%2e%2e",
        b"/v1/%2e/products",
        b"/v1/products/%2Fetc",
        b"/v1/products/a%2fb",
        b"/v1/products/%00",
        b"/v1/products/%01",
        b"/v1/products/%0d%0aX:1",
        b"/v1/products/%1f",
        b"/v1/products/%7f",
        b"/v1/products/%ff",
        b"/v1/products/%c0%af",
        b"/v1/products/%ed%a0%80",
        b"/v1/products/%zz",
        b"/v1/products/%2",
        b"/v1/products/%",
        b"/healthz/../v1/me",
    ],
)
def test_a_malformed_path_is_400(api, target):
    answer = api.target(target)
    if answer.headers.get("X-Request-Id"):
        assert (answer.status, answer.code) == (400, "bad_request")
        api.contract.check("GET", "/malformed", answer)
    else:
        assert 400 <= answer.status < 500, "the web server's own refusal"


def test_a_path_outside_of_the_root_is_refused(api):
    assert 400 <= api.target(b"/../../etc/passwd").status < 500


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2", "/nothing", "/v1/products/", "/healthz/", "/V1/products"])
def test_an_unknown_path_is_404(api, path):
    answer = api.get(path)
    assert (answer.status, answer.code) == (404, "not_found")


def test_an_encoded_letter_is_the_letter(api):
    assert api.get("/health%7A").status == 200
    assert api.target(b"/v1/%70roducts").status == 200


def test_a_path_is_decoded_once(api):
    answer = api.get("/v1/products/%252e%252e")
    assert answer.status in (400, 404) and answer.code != "bad_request"


def test_a_long_path_is_answered(api):
    assert api.get("/v1/models/" + "x" * 4000, token=None).status in (401, 404)


# --- methods


def test_a_method_that_a_path_does_not_have_is_405_with_allow(api):
    answer = api.delete("/healthz")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("method", ["TRACE", "FOO", "CONNECT", "get"])
def test_an_unknown_method_is_refused(api, method):
    answer = api.raw(f"{method} {api.base}/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close".encode())
    assert answer.status in (400, 405, 501)


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/v1/products", "/nothing", "/v1/me"])
def test_head_has_the_headers_of_get_and_no_body(api, path):
    got, head = api.get(path), api.head(path)
    own = {"date", "x-request-id", "connection", "keep-alive", "ratelimit"}
    assert head.status == got.status
    assert head.body == b""
    assert [(k.lower(), v) for k, v in head.headers.items() if k.lower() not in own] == [
        (k.lower(), v) for k, v in got.headers.items() if k.lower() not in own
    ]
    assert int(head.headers["Content-Length"]) == len(got.body)


@pytest.mark.parametrize(
    "path,allow",
    [
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/v1/products", "GET, HEAD, POST, OPTIONS"),
        ("/v1/products/019abc", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("/v1/auth/login", "POST, OPTIONS"),
        ("/v1/me", None),
    ],
)
def test_options_says_what_is_allowed(api, path, allow):
    answer = api.options(path)
    assert answer.status == 204
    if allow:
        assert answer.headers["Allow"] == allow


def test_options_of_an_unknown_path_is_404(api):
    assert api.options("/nothing").status == 404


# --- order of refusal: each request breaks all the rules from one on; the first is the answer

BAD_TOKEN = {"Authorization": "Bearer nonsense"}


def test_a_malformed_path_comes_before_all(api):
    answer = api.target(b"/v1/./nothing", method="DELETE", headers=(b"Authorization: Bearer nonsense",))
    assert answer.status == 400


def test_an_unknown_path_comes_before_a_wrong_method_and_a_bad_token(api):
    assert api.delete("/nothing", headers=BAD_TOKEN).status == 404


def test_a_wrong_method_comes_before_a_bad_token(api):
    assert api.delete("/v1/products", headers=BAD_TOKEN).status == 405


def test_a_body_that_is_too_large_comes_before_a_wrong_type_and_a_bad_token(api):
    answer = api.post(
        "/v1/products", body=b"x" * (MIB + 1), headers={**BAD_TOKEN, "Content-Type": "text/plain"}
    )
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_a_wrong_type_comes_before_a_bad_token(api):
    answer = api.post("/v1/products", body=b"{", headers={**BAD_TOKEN, "Content-Type": "text/plain"})
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


def test_an_answer_that_is_not_acceptable_comes_before_a_bad_token(api):
    answer = api.get("/v1/me", headers={**BAD_TOKEN, "Accept": "text/html"})
    assert (answer.status, answer.code) == (406, "not_acceptable")


def test_a_bad_token_comes_before_a_bad_body(api):
    answer = api.post("/v1/products", body=b"{", headers={**BAD_TOKEN, "Content-Type": "application/json"})
    assert (answer.status, answer.code) == (401, "token_invalid")


def test_a_missing_right_comes_before_a_bad_body(user):
    answer = user.post("/v1/products", body=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (403, "forbidden")


def test_a_bad_token_is_not_ignored_where_none_is_needed(api):
    assert api.get("/v1/products", headers=BAD_TOKEN).status == 401
    assert api.get("/healthz", headers=BAD_TOKEN).status in (200, 401)


def test_a_missing_token_has_a_challenge_without_an_error(api):
    answer = api.get("/v1/me")
    assert (answer.status, answer.code) == (401, "token_missing")
    assert "error" not in answer.headers["WWW-Authenticate"]


def test_a_bad_token_has_a_challenge_with_an_error(api):
    answer = api.get("/v1/me", headers=BAD_TOKEN)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "nonsense"])
def test_another_form_of_authorization_is_401(api, value):
    assert api.get("/v1/me", headers={"Authorization": value}).status == 401


# --- bodies and their limits


def json_of(size):
    """A JSON object of exactly size bytes."""
    return b'{"filler":"' + b"x" * (size - 13) + b'"}'


def test_a_body_of_exactly_the_limit_is_read(editor):
    body = json_of(MIB)
    assert len(body) == MIB
    answer = editor.post("/v1/products", body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (422, "validation_failed")


def test_a_body_one_byte_over_the_limit_is_413(editor):
    answer = editor.post("/v1/products", body=json_of(MIB + 1), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (413, "body_too_large")


def chunked(api, path, body):
    lines = [
        f"POST {api.base}{path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        f"Authorization: Bearer {api.token}",
    ]
    pieces = [body[i : i + 60000] for i in range(0, len(body), 60000)]
    wire = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    return api.raw("\r\n".join(lines).encode(), wire, method="POST")


def test_a_body_without_a_length_is_read_to_its_end(editor):
    answer = chunked(editor, "/v1/products", json_of(200000))
    assert (answer.status, answer.code) == (422, "validation_failed")


def test_a_body_without_a_length_has_the_same_limit(editor):
    assert chunked(editor, "/v1/products", json_of(MIB)).status == 422
    assert chunked(editor, "/v1/products", json_of(MIB + 1)).status == 413


def test_after_a_413_the_next_request_is_another(api):
    """What was not read of a body is never taken for a request."""
    inner = f"GET {api.base}/v1/nothing-inside HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    body = inner * (2 * MIB // len(inner))
    for _ in range(3):
        assert api.post("/v1/products", body=body, headers={"Content-Type": "application/json"}).status == 413
        assert api.get("/healthz").status == 200


@pytest.mark.parametrize(
    "media", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", 'application/json;x="a;b"']
)
def test_json_is_taken_with_parameters(api, media):
    answer = api.post("/v1/auth/login", body=b"{}", headers={"Content-Type": media})
    assert (answer.status, answer.code) == (422, "validation_failed")


@pytest.mark.parametrize("media", ["text/plain", "application/jsonx", "application", "application/xml", "*/*", None])
def test_another_type_of_body_is_415(api, media):
    answer = api.post("/v1/auth/login", body=b"{}", headers={"Content-Type": media})
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/*", "application/json", "text/html, application/json;q=0.1", "text/html, */*;q=0.1", ", ,"],
)
def test_what_accept_allows_is_sent(api, accept):
    assert api.get("/v1/products", headers={"Accept": accept}).status == 200


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=0, */*", "image/*"])
def test_what_accept_does_not_allow_is_406(api, accept):
    assert api.get("/v1/products", headers={"Accept": accept}).status == 406


def test_a_cache_is_told_where_the_media_type_is_chosen(api):
    def vary(path):
        return {v.strip() for line in api.get(path).headers.get_all("Vary") or [] for v in line.split(",")}

    assert "Accept" in vary("/problems/not_found")
    assert "Accept" not in vary("/healthz")


# --- request ids


@pytest.mark.parametrize("value", ["a", "A-1_b.c", "x" * 64])
def test_a_plain_request_id_is_echoed(api, value):
    assert api.get("/healthz", headers={"X-Request-Id": value}).headers["X-Request-Id"] == value


@pytest.mark.parametrize("value", ["x" * 65, "a b", "a/b", "<script>", "a,b", "é".encode().decode("latin-1")])
def test_another_request_id_is_replaced(api, value):
    assert UUID.fullmatch(api.get("/healthz", headers={"X-Request-Id": value}).headers["X-Request-Id"])


def test_every_request_has_an_id_of_its_own(api):
    ids = {api.get("/healthz").headers["X-Request-Id"] for _ in range(20)}
    assert len(ids) == 20 and all(UUID.fullmatch(i) for i in ids)


def test_the_log_has_the_request_under_its_id(postern, api):
    mark = postern.log_size()
    api.get("/v1/products", headers={"X-Request-Id": "look-for-me"})
    line = postern.log_until(lambda l: l.get("request_id") == "look-for-me", mark)
    assert line["status"] == 200


def test_no_secret_is_in_the_log(postern, api, user):
    mark = postern.log_size()
    user.get("/v1/me")
    api.post("/v1/auth/login", {"email": user.user["email"], "password": "wrong-password-here"})
    api.get("/v1/me", headers={"X-Request-Id": "last-of-them"})
    postern.log_until(lambda l: l.get("request_id") == "last-of-them", mark)
    text = (postern.state / "log/posternd.log").read_text()
    for secret in (user.token, user.token.split(".")[2], user.user["password"], "wrong-password-here"):
        assert secret not in text
