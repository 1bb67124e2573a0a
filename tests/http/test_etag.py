"""ETags: strong ones, conditional reads and writes."""

import pytest
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
