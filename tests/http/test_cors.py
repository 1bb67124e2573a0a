"""CORS: an allow list, on every answer, errors included."""

import pytest

EXPOSED = {
    "etag",
    "link",
    "location",
    "x-request-id",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "idempotency-replayed",
    "server-timing",
}


@pytest.fixture()
def listed(postern):
    """The origin that the instance allows."""
    return postern.sets["cors.origins"]


def cors_headers(answer):
    return {k.lower() for k in answer.headers if k.lower().startswith("access-control-")}


def vary(answer):
    return {v.strip().lower() for line in answer.headers.get_all("Vary") or [] for v in line.split(",")}


@pytest.mark.parametrize("path,status", [("/healthz", 200), ("/v1/products", 200), ("/nothing", 404), ("/v1/me", 401)])
def test_a_listed_origin_is_echoed(api, listed, path, status):
    answer = api.get(path, headers={"Origin": listed})
    assert answer.status == status
    assert answer.headers["Access-Control-Allow-Origin"] == listed
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    exposed = answer.headers["Access-Control-Expose-Headers"].lower().split(",")
    assert {name.strip() for name in exposed} == EXPOSED
    assert "origin" in vary(answer)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "https://www.example.org.evil.net",
        "http://www.example.org",
        "https://www.example.org:8443",
        "https://WWW.example.org",
        "null",
        "*",
    ],
)
def test_another_origin_gets_no_cors_headers(api, origin):
    for answer in (
        api.get("/v1/products", headers={"Origin": origin}),
        api.options("/v1/products", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}),
    ):
        assert cors_headers(answer) == set()
        assert "origin" in vary(answer)


def test_without_an_origin_there_are_no_cors_headers(api):
    answer = api.get("/v1/products")
    assert cors_headers(answer) == set()
    assert "origin" in vary(answer)


def test_a_preflight_needs_no_token(api, listed):
    answer = api.options(
        "/v1/products",
        headers={
            "Origin": listed,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type",
        },
    )
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == listed
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = {h.strip().lower() for h in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "if-match", "idempotency-key"} <= allowed
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


def test_options_without_a_method_is_no_preflight(api, listed):
    answer = api.options("/v1/products", headers={"Origin": listed})
    assert answer.status == 204
    assert "access-control-allow-methods" not in cors_headers(answer)
