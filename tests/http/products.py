"""Products for tests."""

import itertools
import secrets

numbers = itertools.count(1)


def lamp(**more):
    """A valid new product with a SKU of its own."""
    product = {
        "sku": f"LAMP-{secrets.token_hex(4)}-{next(numbers)}",
        "name": "Lamp",
        "price": {"amount": 129900, "currency": "THB"},
        "status": "active",
    }
    return {**product, **more}


def made(writer, **more):
    """A product that exists: the answer that made it."""
    answer = writer.post("/v1/products", lamp(**more))
    assert answer.status == 201, answer
    return answer
