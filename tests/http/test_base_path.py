"""Mounting: everything below http.base_path, and links follow it."""

import re

import pytest
from products import made


@pytest.fixture(scope="module")
def mounted(instance):
    return instance({"http.base_path": "/shop/api", "pool.workers": 2, "auth.hash_cost": 1})


@pytest.fixture(scope="module")
def api(mounted):
    return mounted.api()


@pytest.fixture(scope="module")
def editor(api):
    return api.as_("editor")


def test_the_url_has_the_path(mounted):
    assert mounted.url.endswith("/shop/api")


def test_routes_are_below_it(api):
    assert api.get("/healthz").status == 200
    assert api.get("/v1/products").status == 200


def test_nothing_is_outside_of_it(api):
    def outside(target):
        return api.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close")

    for target in (b"/healthz", b"/v1/products", b"/shop/apix/healthz", b"/shop/healthz", b"/"):
        assert outside(target).status in (403, 404), "the web server's own answer"


def test_a_way_out_of_it_is_refused(api):
    assert 400 <= api.target(b"/../../healthz").status < 500
    assert 400 <= api.target(b"/../api/healthz").status < 500


def test_location_and_link_have_it(api, editor):
    first, second = made(editor), made(editor)
    assert first.headers["Location"] == "/shop/api/v1/products/" + first.json["id"]
    assert api.get(second.headers["Location"][len(api.base) :]).status == 200
    link = api.get("/v1/products?limit=1").headers["Link"]
    assert re.match(r"</shop/api/v1/products\?", link)


def test_problems_lead_to_their_page(api):
    kind = api.get("/nothing").json["type"]
    assert kind == "/shop/api/problems/not_found"
    assert api.get(kind[len(api.base) :]).status == 200


def test_the_document_says_it(api):
    assert api.get("/openapi.json").json["servers"][0]["url"].endswith("/shop/api")
