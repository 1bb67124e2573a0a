"""The program's document against the OpenAPI Initiative's own schema, by a validator that is not ours."""

import copy
import json
import pathlib

import pytest
from jsonschema import Draft202012Validator

SCHEMA = pathlib.Path(__file__).parent.parent / "lib" / "openapi-3.1.schema.json"


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def faults(validator, document):
    return [f"/{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(document)]


def test_the_document_is_valid(validator, contract):
    assert faults(validator, contract.document) == []


@pytest.mark.parametrize(
    "break_it",
    [
        lambda d: d.pop("info"),
        lambda d: d.update(openapi="3.0.0"),
        lambda d: d.update(surprise=1),
        lambda d: d["paths"]["/v1/products"]["get"].update(responses=[]),
        lambda d: d["paths"]["/v1/products"]["get"]["parameters"][0].update({"in": "nowhere"}),
        lambda d: d["paths"]["/v1/products"]["get"]["parameters"][0].pop("schema"),
        lambda d: d["paths"]["/v1/products"]["post"]["requestBody"].pop("content"),
        lambda d: d["paths"]["/v1/products"]["get"]["responses"]["200"].pop("description"),
        lambda d: d["components"]["securitySchemes"]["bearer"].pop("scheme"),
    ],
)
def test_a_broken_document_is_seen(validator, contract, break_it):
    broken = copy.deepcopy(contract.document)
    break_it(broken)
    assert faults(validator, broken)
