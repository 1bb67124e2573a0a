"""ETags: strong ones, conditional reads and writes."""

import secrets
import threading

import psycopg
import pytest
from bench import until
from products import made

PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture()
def product(editor):
    return made(editor)


def path_of(product):
    return "/v1/products/" + product.json["id"]


def test_a_new_product_has_its_place_and_its_tag(api, product):
    assert product.headers["Location"] == path_of(product)
    read = api.get(path_of(product))
    assert read.headers["ETag"] == product.headers["ETag"]
    assert read.headers["ETag"].startswith('"')
    assert read.json == product.json


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"other", {tag}', "*", "{gzip}"])
def test_a_fresh_copy_is_304(api, product, form):
    tag = product.headers["ETag"]
    value = form.format(tag=tag, gzip=tag[:-1] + '-gzip"')
    answer = api.get(path_of(product), headers={"If-None-Match": value})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == tag


@pytest.mark.parametrize("value", ['"other"', "nonsense", "", 'W/"x"'])
def test_a_stale_copy_is_sent_anew(api, product, value):
    assert api.get(path_of(product), headers={"If-None-Match": value}).status == 200


def test_a_patch_needs_if_match(editor, product):
    answer = editor.patch(path_of(product), {"name": "other"})
    assert (answer.status, answer.code) == (428, "precondition_required")
    assert editor.get(path_of(product)).json == product.json


@pytest.mark.parametrize("form", ['"0"', 'W/{tag}', "nonsense", '"999"'])
def test_a_stale_if_match_changes_nothing(editor, product, form):
    value = form.format(tag=product.headers["ETag"])
    answer = editor.patch(path_of(product), {"name": "other"}, headers={"If-Match": value})
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert editor.get(path_of(product)).json == product.json


def test_a_patch_with_the_right_tag_changes_the_tag(editor, product):
    answer = editor.patch(path_of(product), {"name": "Other"}, headers={"If-Match": product.headers["ETag"]})
    assert (answer.status, answer.json["name"]) == (200, "Other")
    assert answer.headers["ETag"] != product.headers["ETag"]
    assert answer.json["version"] == product.json["version"] + 1
    again = editor.patch(path_of(product), {"name": "Third"}, headers={"If-Match": product.headers["ETag"]})
    assert again.status == 412


def test_a_tag_that_a_compressing_server_has_marked_fits(editor, product):
    marked = product.headers["ETag"][:-1] + '-gzip"'
    assert editor.patch(path_of(product), {"name": "Other"}, headers={"If-Match": marked}).status == 200


def test_a_merge_patch_has_its_own_type_too(editor, product):
    answer = editor.patch(
        path_of(product),
        body=b'{"stock":7}',
        headers={**PATCH, "If-Match": product.headers["ETag"]},
    )
    assert (answer.status, answer.json["stock"]) == (200, 7)


def test_a_delete_honours_if_match(editor, product):
    assert editor.delete(path_of(product), headers={"If-Match": '"999"'}).status == 412
    assert editor.delete(path_of(product), headers={"If-Match": product.headers["ETag"]}).status == 204
    assert editor.get(path_of(product)).status == 404


def test_what_must_not_be_there_yet_is_not_changed(editor, product):
    path, tag = path_of(product), product.headers["ETag"]
    for value in ("*", tag, f"W/{tag}"):
        held = {"If-None-Match": value}
        assert editor.patch(path, {"name": "other"}, headers=held).code == "precondition_failed"
        assert editor.patch(path, {"name": "other"}, headers={"If-Match": tag, **held}).status == 412
        assert editor.delete(path, headers=held).status == 412
    assert editor.get(path).json == product.json
    assert editor.patch(path, {"name": "other"}, headers={"If-None-Match": '"0"'}).status == 428
    assert editor.delete(path, headers={"If-None-Match": '"0"'}).status == 204


# --- models: their names may be taken anew, and a part of a model may be another server's


SHAPES = [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
MODEL = {"kind": "kserve_v2", "endpoints": ["http://127.0.0.1:1"], "inputs": SHAPES, "outputs": SHAPES}


@pytest.fixture()
def model():
    return "/v1/models/m-" + secrets.token_hex(6)


def test_a_model_made_anew_has_another_tag(admin, model):
    tags = []
    for ms in (1111, 2222):
        tags.append(admin.put(model, {**MODEL, "timeout_ms": ms}).headers["ETag"])
        assert admin.get(model, headers={"If-None-Match": tags[-1]}).status == 304
        stale = admin.get(model, headers={"If-None-Match": tags[0]})
        assert stale.status == 304 or stale.json["timeout_ms"] == 2222
        assert admin.delete(model).status == 204
    assert tags[0] != tags[1]


def test_a_model_has_a_tag_for_each_view_of_it(admin, user, model):
    whole = admin.put(model, MODEL).headers["ETag"]
    part = user.get(model).headers["ETag"]
    assert admin.get(model).headers["ETag"] == whole != part
    assert user.get(model, headers={"If-None-Match": part}).status == 304
    assert user.get(model, headers={"If-None-Match": whole}).json["endpoints"] is None
    assert admin.get(model, headers={"If-None-Match": part}).json["endpoints"] == MODEL["endpoints"]


@pytest.mark.parametrize("more", [{"inputs": None}, {"outputs": None}, {"inputs": [], "outputs": []}])
def test_a_model_that_its_server_describes_has_no_tag(admin, model, more):
    row = admin.put(model, {**MODEL, **more})
    read = admin.get(model, headers={"If-None-Match": row.headers["ETag"]})
    assert (read.status, read.headers.get("ETag")) == (200, None)
    # but its row has one, for who changes it
    assert admin.put(model, MODEL, headers={"If-Match": row.headers["ETag"]}).status == 200


def test_a_model_is_changed_as_it_was_seen(admin, model):
    def changed(**headers):
        # 412 is held to by these tests alone
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return admin.put(model, {**MODEL, "timeout_ms": 7}, headers=headers)

    assert changed(If_Match="*").code == changed(If_Match='"1"').code == "precondition_failed"
    assert admin.get(model).status == 404
    made = changed(If_None_Match="*")
    tag = made.headers["ETag"]
    assert (made.status, tag) == (201, admin.get(model).headers["ETag"])
    for headers in ({"If_Match": '"99"'}, {"If_Match": f"W/{tag}"}, {"If_None_Match": "*"}, {"If_None_Match": tag}):
        assert (changed(**headers).status, admin.get(model).body) == (412, made.body)
    again = changed(If_Match=tag, If_None_Match='"99"')
    assert (again.status, again.json["version"]) == (200, 2)
    assert changed(If_Match=tag).status == 412
    for name, value in (("If-Match", tag), ("If-Match", '"77"'), ("If-None-Match", "*")):
        kept = admin.delete(model, headers={name: value})
        assert (kept.status, kept.code) == (412, "precondition_failed")
    assert admin.delete(model, headers={"If-Match": again.headers["ETag"]}).status == 204
    assert admin.delete(model, headers={"If-Match": "*"}).status == 404


def test_a_model_that_another_makes_meanwhile_is_not_replaced(postern, admin, model):
    """The row is there, uncommitted, when the PUT has seen that nothing is; then it is committed."""
    insert = (
        "INSERT INTO models (name, kind, endpoints, upstream_name, timeout_ms, max_attempts, max_concurrency, permission)"
        " VALUES (%s, 'kserve_v2', '{http://a}', 'm', 5555, 1, 4, 'models:infer')"
    )
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'transactionid' AND query LIKE 'INSERT INTO models%'"
    answers = []

    def put():
        answers.append(admin.put(model, MODEL, headers={"If-None-Match": "*"}))

    with psycopg.connect(postern.postgres.admin) as other:
        other.execute(insert, (model.rpartition("/")[2],))
        thread = threading.Thread(target=put)
        thread.start()
        until(lambda: postern.sql(waiting), what="a PUT that waits")
        other.commit()
    thread.join()
    assert answers[0].code == "precondition_failed"
    seen = admin.get(model).json
    assert (seen["timeout_ms"], seen["version"]) == (5555, 1)
