"""The program's document by a validator that is not ours: openapi-spec-validator, from PyPI.

POSTERN_VALIDATOR names a Python that has it; scripts/test makes one.
"""

import copy
import json
import os
import subprocess
import sys

import pytest

# One document a line in, its faults as one line out.
ASK = """
import json, sys
from openapi_spec_validator import OpenAPIV31SpecValidator
for line in sys.stdin:
    print(json.dumps([e.message[:200] for e in OpenAPIV31SpecValidator(json.loads(line)).iter_errors()]), flush=True)
"""


@pytest.fixture(scope="module")
def validator():
    python = os.environ.get("POSTERN_VALIDATOR", sys.executable)
    with subprocess.Popen([python, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asked:
        yield asked
        asked.stdin.close()


def faults(validator, document):
    validator.stdin.write(json.dumps(document) + "\n")
    validator.stdin.flush()
    return json.loads(validator.stdout.readline())


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
