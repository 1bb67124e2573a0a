"""Behind nginx: conf/nginx.conf as it is, with its own errors. One instance, whatever the fronts of other files."""

import os
import secrets
import signal

import pytest
from bench import Postern, process_alive, until
from products import made

BODY_MOST = 65 << 20  # client_max_body_size


@pytest.fixture(scope="module")
def postern():
    with Postern(front="nginx", sets={"pool.workers": 2, "auth.hash_cost": 1}) as running:
        yield running


@pytest.fixture(scope="module")
def api(postern):
    return postern.api()


def assert_problem(api, answer, status, code):
    """A problem of the web server's own: without a request id, otherwise as all are."""
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json["status"] == status
    assert answer.json["type"] == f"/problems/{code}"
    api.contract.validate(api.contract.document["components"]["schemas"]["Problem"], answer.json, "nginx")


def test_it_is_healthy_by_way_of_both_sockets(api):
    for path in ("/healthz", "/readyz", "/status"):
        assert api.get(path).status == 200


def test_a_product_is_created_and_read(api):
    editor = api.as_("editor")
    product = made(editor)
    read = editor.get(product.headers["Location"])
    assert (read.status, read.json) == (200, product.json)
    assert api.head("/v1/products").status == 200


def test_a_request_id_is_passed_through(api):
    request_id = secrets.token_hex(8)
    assert api.get("/v1/products", headers={"X-Request-Id": request_id}).headers["X-Request-Id"] == request_id


def test_a_body_above_postern_s_limit_is_refused_by_postern(api):
    answer = api.post("/v1/auth/login", {"email": "x" * (2 << 20), "password": ""})
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_a_body_above_nginx_s_limit_is_refused_by_nginx_before_it_is_sent(api):
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d"
    assert_problem(api, api.raw(head % (BODY_MOST + 1), method="POST"), 413, "body_too_large")


def test_a_pool_that_is_down_is_unavailable_for_a_while(postern, api):
    os.kill(postern.pid, signal.SIGTERM)
    until(lambda: not process_alive(postern.pid), 20, "the end of posternd")
    for answer in (api.get("/v1/products", check=False), api.post("/v1/auth/login", {}, check=False)):
        assert_problem(api, answer, 503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
    assert_problem(api, api.get("/healthz", check=False), 503, "unavailable")
    gone = api.head("/v1/products", check=False)
    assert (gone.status, gone.headers["Retry-After"], gone.body) == (503, "1", b"")
