"""Pages for people: the API and its problems, without scripts and without anything from elsewhere."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

THAI = re.compile(r"[\u0e00-\u0e7f]")


class Page(HTMLParser):
    """Text, links and styles of a page; fails where tags do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.text, self.styles = [], [], "", []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "iframe", "img", "link", "object", "embed", "form")
        assert not any(name.startswith("on") or name in ("style", "src") for name, _ in attrs)
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        self.text += data


def html(answer):
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(answer.body.decode())


def test_the_policy_allows_the_style_of_the_page_and_nothing_else(api):
    answer = api.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in html(answer).styles]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert [f"'sha256-{h}'" for h in hashes] == re.findall(r"'sha256-[^']*'", policy)


def test_the_page_has_every_operation_and_every_shape(api, contract):
    page = html(api.get("/docs"))
    for path, item in contract.document["paths"].items():
        for method in item.keys() & {"get", "put", "post", "delete", "patch"}:
            assert f"{method} {path}" in page.text
    for name in contract.document["components"]["schemas"].keys() - {"Problem", "FieldError"}:
        assert name.removesuffix("Input") in page.text


def test_every_link_of_the_page_leads_somewhere(api):
    base = api.base
    for link in sorted(set(html(api.get("/docs")).links)):
        assert link.startswith(base + "/")
        assert api.get(link.removeprefix(base)).status == 200, link


@pytest.mark.parametrize("accept", [None, "text/html", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_a_problem_has_a_page_in_both_languages(api, accept):
    page = html(api.get("/problems/sku_taken", headers={"Accept": accept}))
    assert "409" in page.text and "Another product has this SKU" in page.text and THAI.search(page.text)


def test_a_problem_explains_itself_to_programs_too(api):
    answer = api.get("/problems/sku_taken", headers={"Accept": "application/json"})
    assert answer.json["code"] == "sku_taken" and answer.json["status"] == 409
    assert all(answer.json[k]["en"] and THAI.search(answer.json[k]["th"]) for k in ("title", "detail"))


def test_the_type_of_a_problem_resolves(api):
    target = api.get("/v1/products/00000000-0000-7000-8000-000000000000").json["type"]
    assert api.get(target.removeprefix(api.base)).status == 200
