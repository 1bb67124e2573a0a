"""Products: the catalogue."""

import base64
import itertools
import re
import urllib.parse

import pytest

numbers = itertools.count(1)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def lamp(**members):
    n = next(numbers)
    return {
        "sku": f"LAMP-{n}-{id(members)}",
        "name": f"โคมไฟ {n}",
        "price": {"amount": 129900, "currency": "THB"},
        "status": "active",
        **members,
    }


def create(writer, **members):
    answer = writer.post("/v1/products", lamp(**members))
    assert answer.status == 201, answer
    return answer.json


def pages(client, query):
    """All items of a list, page by page, by the Link header; the body's cursor must agree."""
    path, items = f"/v1/products?{query}", []
    for _ in range(200):
        answer = client.get(path)
        assert answer.status == 200, answer
        items += answer.json["items"]
        link = answer.headers.get("Link")
        cursor = answer.json["next_cursor"]
        assert (link is None) == (cursor is None)
        if link is None:
            return items
        target = re.fullmatch(r'<([^>]*)>; rel="next"', link).group(1)
        assert urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)["cursor"] == [cursor]
        path = target[len(client.base):]
    raise AssertionError("the list has no end")


# --- create and read


def test_a_product_is_made_with_its_defaults(editor):
    body = lamp()
    del body["status"]
    answer = editor.post("/v1/products", body)
    made = answer.json
    assert answer.status == 201
    assert list(made) == [
        "id", "sku", "name", "description", "price", "stock", "status", "tags", "attributes",
        "version", "created_at", "updated_at",
    ]
    assert (made["description"], made["stock"], made["status"]) == ("", 0, "draft")
    assert (made["tags"], made["attributes"], made["version"]) == ([], {}, 1)
    assert TIME.fullmatch(made["created_at"]) and made["created_at"] == made["updated_at"]
    assert answer.headers["Location"] == f"{editor.base}/v1/products/{made['id']}"
    assert answer.headers["ETag"] == '"1"'
    again = editor.get(f"/v1/products/{made['id']}")
    assert (again.status, again.json, again.headers["ETag"]) == (200, made, '"1"')


def test_a_product_keeps_all_it_was_given(editor, api):
    body = lamp(
        description="ละเอียด\n\"quoted\" \\ \t ☕",
        stock=2147483647,
        tags=["a b", "ไทย"],
        attributes={"size": 1.50, "deep": [{"x": None}, True, 12345678901234567890]},
        price={"amount": 9007199254740991, "currency": "USD"},
    )
    made = editor.post("/v1/products", body).json
    seen = api.get(f"/v1/products/{made['id']}")
    assert seen.status == 200
    assert {name: seen.json[name] for name in body} == body


def test_a_second_product_with_the_same_sku_is_refused(editor):
    assert editor.post("/v1/products", lamp(sku="TWICE")).status in (201, 409)
    again = editor.post("/v1/products", lamp(sku="TWICE"))
    assert (again.status, again.code) == (409, "sku_taken")


@pytest.mark.parametrize("what", ["post", "patch", "delete"])
def test_only_writers_change_products(what, api, user, editor):
    made = create(editor)
    path = f"/v1/products/{made['id']}"
    call = {
        "post": lambda client: client.post("/v1/products", lamp()),
        "patch": lambda client: client.patch(path, {"stock": 1}, headers={"If-Match": '"1"'}),
        "delete": lambda client: client.delete(path),
    }[what]
    anonymous, mere = call(api), call(user)
    assert (anonymous.status, anonymous.code) == (401, "token_missing")
    assert anonymous.headers["WWW-Authenticate"].startswith("Bearer")
    assert (mere.status, mere.code) == (403, "forbidden")
    assert editor.get(path).json == made


def test_all_invalid_fields_are_told_at_once(editor):
    answer = editor.post(
        "/v1/products",
        {
            "sku": "",
            "price": {"amount": -1, "currency": "thb", "vat": 7},
            "stock": 2147483648,
            "status": "sold",
            "tags": ["ok", 5],
            "attributes": [],
            "colour": "red",
        },
    )
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert {(e["pointer"], e["code"]) for e in answer.json["errors"]} == {
        ("/sku", "too_short"),
        ("/name", "required"),
        ("/price/amount", "too_small"),
        ("/price/currency", "format"),
        ("/price/vat", "unknown_field"),
        ("/stock", "too_large"),
        ("/status", "not_allowed"),
        ("/tags/1", "type"),
        ("/attributes", "type"),
        ("/colour", "unknown_field"),
    }


@pytest.mark.parametrize("member", ["id", "version", "created_at", "updated_at"])
def test_what_the_server_decides_cannot_be_given(editor, member):
    answer = editor.post("/v1/products", lamp(**{member: "0193a8c0-0000-7000-8000-000000000000"}))
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "unknown_field")


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("sku", "s" * 64, "s" * 65),
        ("name", "ไ" * 200, "ไ" * 201),
        ("description", "d" * 10000, "d" * 10001),
        ("tags", ["t"] * 50, ["t"] * 51),
        ("tags", ["t" * 64], ["t" * 65]),
        ("tags", ["t"], [""]),
        ("stock", 0, -1),
    ],
)
def test_each_bound_holds_at_its_edge(editor, name, good, bad):
    value = good if name != "sku" else f"{next(numbers):064d}"
    assert editor.post("/v1/products", lamp(**{name: value})).status == 201
    assert editor.post("/v1/products", lamp(**{name: bad})).code == "validation_failed"


@pytest.mark.parametrize("name", ["not-a-uuid", "0193a8c0-0000-7000-8000-000000000000", "%E0%B9%84"])
def test_an_unknown_product_is_404(api, editor, name):
    for answer in (
        api.get(f"/v1/products/{name}"),
        editor.patch(f"/v1/products/{name}", {"stock": 1}, headers={"If-Match": '"1"'}),
        editor.delete(f"/v1/products/{name}"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")


def test_an_etag_spares_the_body(api, editor):
    made = create(editor)
    path = f"/v1/products/{made['id']}"
    for tag in ('"1"', 'W/"1"', '"0", "1"', "*", '"1-gzip"'):
        answer = api.get(path, headers={"If-None-Match": tag})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", '"1"')
    assert api.get(path, headers={"If-None-Match": '"2"'}).status == 200


# --- change and remove


def test_a_merge_patch_changes_what_it_names(editor):
    made = create(editor, attributes={"a": {"x": 1, "y": 2}, "b": 1}, tags=["t"], description="d")
    path = f"/v1/products/{made['id']}"
    answer = editor.patch(
        path,
        {"name": "new", "price": {"amount": 5}, "attributes": {"a": {"x": None, "z": 3}, "b": None}},
        headers={"If-Match": '"1"'},
    )
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    assert answer.json["name"] == "new"
    assert answer.json["price"] == {"amount": 5, "currency": "THB"}
    assert answer.json["attributes"] == {"a": {"y": 2, "z": 3}}
    assert (answer.json["tags"], answer.json["description"]) == (["t"], "d")
    assert answer.json["updated_at"] > made["updated_at"]
    cleared = editor.patch(
        path,
        {"description": None, "tags": None, "attributes": None},
        headers={"If-Match": '"2"', "Content-Type": "application/merge-patch+json"},
    )
    assert (cleared.json["description"], cleared.json["tags"], cleared.json["attributes"]) == ("", [], {})
    assert editor.get(path).json == cleared.json


def test_null_where_a_value_must_stand_is_refused(editor):
    made = create(editor)
    answer = editor.patch(f"/v1/products/{made['id']}", {"name": None, "stock": None}, headers={"If-Match": '"1"'})
    assert (answer.status, {e["pointer"] for e in answer.json["errors"]}) == (422, {"/name", "/stock"})


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_no_body_is_no_change(editor, headers):
    made = create(editor)
    answer = editor.patch(f"/v1/products/{made['id']}", body=b"", headers={"If-Match": "*", **headers})
    assert answer.status in (400, 415)
    assert editor.get(f"/v1/products/{made['id']}").json == made


def test_a_change_needs_the_version_it_was_made_from(editor):
    made = create(editor)
    path = f"/v1/products/{made['id']}"
    missing = editor.patch(path, {"stock": 1})
    assert (missing.status, missing.code) == (428, "precondition_required")
    assert editor.patch(path, {"stock": 1}, headers={"If-Match": '"1"'}).status == 200
    for tag in ('"1"', 'W/"2"', "2", '"2x"'):
        stale = editor.patch(path, {"stock": 9}, headers={"If-Match": tag})
        assert (stale.status, stale.code) == (412, "precondition_failed")
    assert editor.get(path).json["stock"] == 1
    assert editor.patch(path, {"stock": 2}, headers={"If-Match": '"2-gzip"'}).status == 200
    assert editor.patch(path, {"stock": 3}, headers={"If-Match": "*"}).status == 200


def test_a_product_is_removed_once(editor, api):
    made = create(editor)
    path = f"/v1/products/{made['id']}"
    stale = editor.delete(path, headers={"If-Match": '"7"'})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    # what cannot be accepted is no reason to keep it: there is no body to send
    gone = editor.delete(path, headers={"If-Match": '"1"', "Accept": "text/html"})
    assert (gone.status, gone.body) == (204, b"")
    assert api.get(path).status == 404
    assert editor.delete(path).status == 404


# --- who sees what


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_what_is_not_active_is_the_writers_own(api, user, editor, status):
    tag = f"hidden-{next(numbers)}-{status}"
    made = create(editor, status=status, tags=[tag])
    for client in (api, user):
        answer = client.get(f"/v1/products/{made['id']}")
        assert (answer.status, answer.code) == (404, "not_found")
        assert client.get(f"/v1/products?tag={tag}").json["items"] == []
        assert client.get(f"/v1/products?tag={tag}&status={status}").json["items"] == []
    assert editor.get(f"/v1/products/{made['id']}").json == made
    assert editor.get(f"/v1/products?tag={tag}").json["items"] == [made]
    assert editor.get(f"/v1/products?tag={tag}&status=active").json["items"] == []


# --- lists


@pytest.fixture(scope="module")
def shelf(editor):
    """Nine products under one tag, with equal names, prices and times of making among them."""
    tag = f"shelf-{next(numbers)}-{editor.user['id'][-6:]}"
    return tag, [
        create(
            editor,
            tags=[tag, "common"],
            name=["ก", "ข", "a"][n % 3],
            price={"amount": 100 * (n // 4), "currency": "THB" if n % 2 else "USD"},
        )
        for n in range(9)
    ]


KEYS = {
    "created_at": lambda p: p["created_at"],
    "name": lambda p: p["name"],
    "price": lambda p: p["price"]["amount"],
}


@pytest.mark.parametrize("limit", [1, 2, 9, 100])
@pytest.mark.parametrize("sort", [sign + name for name in KEYS for sign in ("", "-")])
def test_a_list_is_whole_and_in_order_whatever_the_page(api, shelf, sort, limit):
    tag, made = shelf
    seen = pages(api, f"tag={tag}&sort={sort}&limit={limit}")
    key = KEYS[sort.lstrip("-")]
    want = sorted(made, key=lambda p: (key(p), p["id"]), reverse=sort.startswith("-"))
    assert seen == want


@pytest.mark.parametrize(
    "query, fits",
    [
        ("currency=THB", lambda p: p["price"]["currency"] == "THB"),
        ("min_price=100", lambda p: p["price"]["amount"] >= 100),
        ("max_price=100", lambda p: p["price"]["amount"] <= 100),
        ("min_price=100&max_price=100", lambda p: p["price"]["amount"] == 100),
        ("status=active", lambda p: True),
        ("currency=USD&max_price=0", lambda p: p["price"] == {"amount": 0, "currency": "USD"}),
    ],
)
def test_filters_choose_and_pages_keep_them(api, shelf, query, fits):
    tag, made = shelf
    seen = pages(api, f"tag={tag}&{query}&limit=2")
    assert sorted(p["id"] for p in seen) == sorted(p["id"] for p in made if fits(p))


def test_rows_that_come_and_go_are_neither_repeated_nor_skipped(api, editor):
    tag = f"moving-{next(numbers)}-{editor.user['id'][-6:]}"
    made = [create(editor, tags=[tag], name=f"{n:02d}") for n in range(6)]
    first = api.get(f"/v1/products?tag={tag}&sort=name&limit=3").json
    create(editor, tags=[tag], name="00a")
    assert editor.delete(f"/v1/products/{made[1]['id']}").status == 204
    rest = pages(api, f"tag={tag}&sort=name&limit=3&cursor={first['next_cursor']}")
    assert [p["id"] for p in first["items"] + rest] == [p["id"] for p in made]


def test_a_cursor_serves_its_own_list_alone(api, shelf):
    tag, _ = shelf
    cursor = api.get(f"/v1/products?tag={tag}&sort=name&limit=2").json["next_cursor"]
    good = f"/v1/products?tag={tag}&sort=name&cursor={cursor}"
    assert api.get(good).status == 200
    assert api.get(f"/v1/products?cursor={cursor}&sort=name&limit=5&tag={tag}").status == 200
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[-1] ^= 1
    forged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    for path in (
        f"/v1/products?tag={tag}&sort=-name&cursor={cursor}",
        f"/v1/products?sort=name&cursor={cursor}",
        f"/v1/products?tag={tag}&sort=name&currency=THB&cursor={cursor}",
        f"/v1/products?tag={tag}&sort=name&cursor={forged}",
        f"/v1/products?tag={tag}&sort=name&cursor=",
        f"/v1/products?tag={tag}&sort=name&cursor=x",
        f"/v1/products?tag={tag}&sort=name&cursor={'A' * 3000}",
    ):
        answer = api.get(path)
        assert (answer.status, answer.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "query, pointer",
    [
        ("limit=0", "/limit"), ("limit=101", "/limit"), ("limit=-1", "/limit"), ("limit=x", "/limit"),
        ("limit=", "/limit"), ("limit=1&limit=2", "/limit"), ("sort=stock", "/sort"),
        ("status=sold", "/status"), ("currency=thb", "/currency"), ("min_price=1.5", "/min_price"),
        ("max_price=9007199254740992", "/max_price"), ("colour=red", "/colour"), ("tag=", "/tag"),
    ],
)
def test_a_bad_parameter_is_named(api, query, pointer):
    answer = api.get(f"/v1/products?{query}")
    assert (answer.status, answer.code) == (400, "invalid_parameter")
    assert [e["pointer"] for e in answer.json["errors"]] == [pointer]


def test_a_page_has_twenty_unless_asked(api, editor):
    tag = f"many-{next(numbers)}-{editor.user['id'][-6:]}"
    for _ in range(21):
        create(editor, tags=[tag])
    first = api.get(f"/v1/products?tag={tag}")
    assert len(first.json["items"]) == 20 and first.json["next_cursor"] is not None
    whole = api.get(f"/v1/products?tag={tag}&limit=21")
    assert len(whole.json["items"]) == 21 and whole.json["next_cursor"] is None
    assert "Link" not in whole.headers
