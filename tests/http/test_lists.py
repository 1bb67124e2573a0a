"""Lists: keyset pages, cursors, parameters. The list is that of products, by a tag of its own."""

import re
import secrets

import pytest
from products import made


@pytest.fixture(scope="module")
def tag(editor):
    """A tag that 25 products have, made in order."""
    tag = "t" + secrets.token_hex(6)
    for i in range(25):
        made(editor, name=f"Lamp {i % 5}", price={"amount": 1000 + i % 7, "currency": "THB"}, tags=[tag])
    return tag


def pages(api, path):
    """All pages of a list by its next_cursor."""
    found, cursor = [], None
    for _ in range(100):
        answer = api.get(path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer
        found.append(answer.json["items"])
        cursor = answer.json["next_cursor"]
        assert (cursor is not None) == ("Link" in answer.headers)
        if cursor is None:
            return found
    raise AssertionError("no end")


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name", "-name", "price", "-price"])
@pytest.mark.parametrize("limit", [1, 7, 25, 100])
def test_pages_have_every_item_once_in_order(api, tag, sort, limit):
    found = pages(api, f"/v1/products?tag={tag}&sort={sort}&limit={limit}")
    assert all(len(page) == limit for page in found[:-1])
    items = [item for page in found for item in page]
    assert len({item["id"] for item in items}) == len(items) == 25
    key = {"created_at": lambda p: p["created_at"], "name": lambda p: p["name"], "price": lambda p: p["price"]["amount"]}
    keys = [key[sort.lstrip("-")](item) for item in items]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


def test_a_full_last_page_is_the_last(api, tag):
    assert [len(page) for page in pages(api, f"/v1/products?tag={tag}&limit=25")] == [25]
    assert [len(page) for page in pages(api, f"/v1/products?tag={tag}&limit=5")] == [5] * 5


def test_the_default_limit_is_twenty(api, tag):
    assert len(api.get(f"/v1/products?tag={tag}").json["items"]) == 20


def test_an_empty_list_has_no_next_page(api):
    answer = api.get("/v1/products?tag=nobody-has-this-tag")
    assert answer.json == {"items": [], "next_cursor": None}
    assert "Link" not in answer.headers


def test_the_link_leads_to_the_next_page(api, tag):
    first = api.get(f"/v1/products?tag={tag}&limit=10&sort=name")
    link = re.fullmatch(r'<([^>]+)>; rel="next"', first.headers["Link"])
    following = api.get(link.group(1)[len(api.base) :])
    assert following.status == 200
    assert not {i["id"] for i in first.json["items"]} & {i["id"] for i in following.json["items"]}


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name"])
def test_rows_that_come_and_go_are_neither_repeated_nor_skipped(api, editor, sort):
    tag = "t" + secrets.token_hex(6)
    before = [made(editor, name=f"N{i:02}", tags=[tag]).json for i in range(12)]
    first = api.get(f"/v1/products?tag={tag}&sort={sort}&limit=5")
    seen = [p["id"] for p in first.json["items"]]
    gone = seen[0]
    assert editor.delete(f"/v1/products/{gone}").status == 204
    made(editor, name="A", tags=[tag])
    made(editor, name="N03", tags=[tag])
    made(editor, name="Z", tags=[tag])
    cursor = first.json["next_cursor"]
    while cursor:
        page = api.get(f"/v1/products?tag={tag}&sort={sort}&limit=5&cursor={cursor}").json
        seen += [p["id"] for p in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert {p["id"] for p in before} <= set(seen)


@pytest.mark.parametrize("change", ["sort=name", "currency=THB", "min_price=1", "max_price=999999", "tag=other"])
def test_a_cursor_is_bound_to_its_sort_and_filters(api, tag, change):
    cursor = api.get(f"/v1/products?tag={tag}&limit=5").json["next_cursor"]
    base = "" if change.startswith("tag=") else f"&tag={tag}"
    answer = api.get(f"/v1/products?{change}{base}&limit=5&cursor={cursor}")
    assert (answer.status, answer.code) == (400, "invalid_cursor")


def test_a_cursor_may_go_on_with_another_limit(api, tag):
    cursor = api.get(f"/v1/products?tag={tag}&limit=5").json["next_cursor"]
    assert len(api.get(f"/v1/products?tag={tag}&limit=9&cursor={cursor}").json["items"]) == 9


def test_a_changed_cursor_is_refused(api, tag):
    cursor = api.get(f"/v1/products?tag={tag}&limit=5").json["next_cursor"]
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", cursor)
    for i in range(0, len(cursor), 5):
        changed = cursor[:i] + ("A" if cursor[i] != "A" else "B") + cursor[i + 1 :]
        answer = api.get(f"/v1/products?tag={tag}&limit=5&cursor={changed}")
        assert (answer.status, answer.code) == (400, "invalid_cursor"), i


@pytest.mark.parametrize("cursor", ["", "x", "0", "AAAA", "." * 40, "A" * 4000])
def test_what_was_never_a_cursor_is_refused(api, cursor):
    answer = api.get(f"/v1/products?cursor={cursor}")
    assert answer.status == 400 and answer.code in ("invalid_cursor", "invalid_parameter")


def test_a_nul_in_a_parameter_is_refused(api):
    assert api.get("/v1/products?cursor=%00", check=False).status == 400


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1.5",
        "limit=%31%30x",
        "limit=99999999999999999999",
        "sort=nothing",
        "sort=--name",
        "status=nothing",
        "min_price=x",
        "currency=baht",
        "unknown=1",
        "limit=1&limit=2",
        "LIMIT=1",
        "=1",
        "limit=1&typo",
    ],
)
def test_a_bad_parameter_is_400(api, query):
    answer = api.get(f"/v1/products?{query}")
    assert (answer.status, answer.code) == (400, "invalid_parameter")


def test_all_bad_parameters_are_reported_at_once(api):
    answer = api.get("/v1/products?limit=0&sort=x&typo=1")
    assert {e["pointer"].strip("/") for e in answer.json["errors"]} == {"limit", "sort", "typo"}


@pytest.mark.parametrize("limit,count", [("1", 1), ("100", 25), ("%31%30", 10)])
def test_a_limit_at_its_bounds_is_taken(api, tag, limit, count):
    assert len(api.get(f"/v1/products?tag={tag}&limit={limit}").json["items"]) == count


def test_parameters_of_routes_without_any_are_refused(api):
    assert api.get("/healthz?x=1").code == "invalid_parameter"
