"""The document that the program writes of itself, and the check that holds answers against it."""

import copy
import json

import pytest
from api import Answer
from contract import Contract, METHODS, open_objects
from jsonschema import Draft202012Validator
from products import lamp, made


@pytest.fixture(scope="module")
def document(contract):
    return contract.document


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def test_it_is_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])


def test_every_schema_is_a_schema(document):
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for _, _, operation in operations(document):
        for response in operation["responses"].values():
            for media in response.get("content", {}).values():
                Draft202012Validator.check_schema(media.get("schema", {}))


def test_every_schema_of_an_object_is_closed(document):
    assert open_objects(document) == []


def test_every_reference_leads_somewhere(contract, document):
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                assert contract.resolver.resolve(node["$ref"])[1] is not None
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_every_operation_is_whole(document):
    ids = []
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        ids.append(operation["operationId"])
        assert operation.get("summary") and operation.get("tags"), where
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}, where
        assert all(p["required"] for p in operation.get("parameters", []) if p["in"] == "path"), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        assert all(r.get("description") for r in operation["responses"].values()), where
    assert len(set(ids)) == len(ids)


def test_every_error_lists_its_codes(document):
    known = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["x-codes"] and set(response["x-codes"]) <= known, f"{method} {path} {status}"


def test_an_etag_is_promised_where_there_is_one(document):
    promised = {
        (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and any("ETag" in a.get("headers", {}) for a in operation["responses"].values())
    }
    assert promised == {
        ("post", "/v1/products"), ("get", "/v1/products/{id}"), ("patch", "/v1/products/{id}"),
        ("get", "/v1/models/{name}"), ("put", "/v1/models/{name}"),
    }


def test_it_says_what_the_routes_say(postern, document):
    rows = json.loads(postern.ctl("routes", "--json").stdout)
    assert {(r["method"].lower(), r["path"]) for r in rows} == {(m, p) for p, m, _ in operations(document)}


def test_the_tool_prints_the_same_document(postern, document):
    assert json.loads(postern.ctl("openapi").stdout) == document


def test_the_document_may_be_kept(api):
    answer = api.get("/openapi.json")
    assert answer.headers["Content-Type"].startswith("application/json")


# --- the check itself: it must see each member that is missing, new, or of another type


def changed(value):
    """The same JSON with one change: each member dropped, retyped or added to, in every depth."""
    if isinstance(value, dict):
        for key in value:
            dropped = {k: v for k, v in value.items() if k != key}
            yield f"{key} dropped", dropped
            other = 7 if not isinstance(value[key], (int, float)) or isinstance(value[key], bool) else "text"
            yield f"{key} retyped", {**value, key: other}
            for what, inner in changed(value[key]):
                yield f"{key}.{what}", {**value, key: inner}
        yield "a member added", {**value, "x_more": 1}
    elif isinstance(value, list) and value:
        for what, inner in changed(value[0]):
            yield f"0.{what}", [inner, *value[1:]]


def refused(contract, answer, path, value):
    """Does the check refuse the answer with another body?"""
    body = json.dumps(value, separators=(",", ":")).encode()
    headers = copy.copy(answer.headers)
    del headers["Content-Length"]
    headers["Content-Length"] = str(len(body))
    try:
        contract.check(answer.method, path, Answer(answer.method, answer.status, headers, body))
    except AssertionError:
        return True
    return False


def free(path):
    """Members that the contract leaves to the caller."""
    return path.startswith("attributes.") or path == "attributes retyped"


@pytest.mark.parametrize("what", ["product", "list", "me", "problem", "fields"])
def test_a_change_of_any_member_is_seen(api, editor, contract, what):
    product = made(editor, tags=["a"], description="d")
    path = {
        "product": "/v1/products/" + product.json["id"],
        "list": "/v1/products?limit=1",
        "me": "/v1/me",
        "problem": "/v1/products/00000000-0000-7000-8000-000000000000",
        "fields": "/v1/auth/login",
    }[what]
    answer = editor.post(path, {}) if what == "fields" else editor.get(path)
    target = editor.base + path
    contract.check(answer.method, target, answer)
    unseen = [
        change
        for change, value in changed(answer.json)
        if not free(change.removeprefix("items.0.")) and not refused(contract, answer, target, value)
    ]
    assert unseen == []


def test_an_undocumented_status_is_seen(editor, contract):
    answer = editor.get("/v1/me")
    with pytest.raises(AssertionError, match="no such status"):
        contract.check("GET", editor.base + "/v1/me", Answer("GET", 207, answer.headers, answer.body))


def test_an_undocumented_type_is_seen(editor, contract):
    answer = editor.get("/v1/me")
    headers = copy.copy(answer.headers)
    headers.replace_header("Content-Type", "text/html")
    with pytest.raises(AssertionError, match="type 'text/html'"):
        contract.check("GET", editor.base + "/v1/me", Answer("GET", 200, headers, answer.body))


def test_an_undocumented_code_is_seen(api, contract):
    answer = api.get("/v1/me")
    other = {**answer.json, "code": "sku_taken", "type": "/problems/sku_taken"}
    assert refused(contract, answer, api.base + "/v1/me", other)


def test_the_check_reads_a_document_of_its_own(editor, document):
    """A schema that is narrower than the answer fails, so the document is what decides."""
    narrow = copy.deepcopy(document)
    user = narrow["components"]["schemas"]["User"]
    del user["properties"]["email"]
    with pytest.raises(AssertionError, match="email"):
        Contract(narrow).check("GET", editor.base + "/v1/me", editor.get("/v1/me"))


def test_a_new_product_is_what_the_document_says(editor):
    assert editor.post("/v1/products", lamp(attributes={"any": ["thing", 1, None]})).status == 201
