"""Errors: their form, and their languages."""

import json
import re

import pytest

THAI = re.compile(r"[\u0e00-\u0e7f]")


def test_a_problem_has_its_members_in_order(api):
    answer = api.get("/nothing")
    assert list(answer.json)[:6] == ["type", "title", "status", "detail", "code", "instance"]
    assert answer.json["type"] == "/problems/not_found"
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", answer.json["instance"])


def test_an_instance_is_the_request(api):
    answer = api.get("/nothing")
    assert answer.json["instance"] == "urn:uuid:" + answer.headers["X-Request-Id"]
    assert answer.json["instance"] != api.get("/nothing").json["instance"]


@pytest.mark.parametrize(
    "accept,language",
    [
        (None, "en"),
        ("", "en"),
        ("th", "th"),
        ("TH", "th"),
        ("th-TH", "th"),
        ("th-TH-u-nu-thai", "th"),
        ("en", "en"),
        ("fr", "en"),
        ("fr, th;q=0.1", "th"),
        ("en;q=0.5, th;q=0.9", "th"),
        ("th;q=0.5, en;q=0.9", "en"),
        ("th;q=0", "en"),
        ("th;q=0, *", "en"),
        ("*", "en"),
        ("en;q=0, *", "th"),
        ("thx", "en"),
        ("th;q=2", "en"),
        ("th;q=abc", "en"),
        (";;;,,,", "en"),
        ("th;q=0.001", "th"),
        ("x" * 2000, "en"),
    ],
)
def test_the_language_follows_accept_language(api, accept, language):
    answer = api.get("/nothing", headers={"Accept-Language": accept})
    assert answer.headers["Content-Language"] == language
    assert bool(THAI.search(answer.json["title"])) == (language == "th")
    assert bool(THAI.search(answer.json["detail"] or "")) == (language == "th")
    assert answer.json["code"] == "not_found"
    assert "Accept-Language" in ", ".join(answer.headers.get_all("Vary"))


def test_details_of_fields_are_localised_too(api):
    answer = api.post("/v1/auth/login", {}, headers={"Accept-Language": "th"})
    assert all(THAI.search(e["detail"]) for e in answer.json["errors"])
    assert {e["code"] for e in answer.json["errors"]} == {"required"}


def test_headers_have_no_thai(api):
    answer = api.get("/v1/me", headers={"Accept-Language": "th"})
    assert all(value.isascii() for value in answer.headers.values())


def test_every_problem_explains_itself_in_both_languages(postern, api):
    told = {row["code"] for row in json.loads(postern.ctl("problems", "--json").stdout)}
    listed = set(api.contract.document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    assert listed == told
    for code in listed:
        answer = api.get(f"/problems/{code}", check=False)
        assert answer.status == 200, code
        text = answer.body.decode()
        assert code in text and THAI.search(text)


def test_an_unknown_problem_is_404(api):
    assert api.get("/problems/no_such_thing").status == 404
    assert api.get("/problems/<script>").status in (400, 404)
