"""A hundred thousand requests: none fails, and no worker grows."""

import json
import os
import pathlib
import re

import pytest
from bench import Postern
from ledger import Load
from mix import Mix

FRONTS = os.environ.get("POSTERN_FRONTS", "lighttpd apache").split()
TOTAL = 100_000
WORKERS = 4


def resident_kib(pid):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def start(front, **sets):
    """An instance whose workers are never replaced, with lanes as wide as the pool."""
    sets = {"pool.workers": WORKERS, "pool.max_requests": 0, "pool.memory_max_bytes": 0, "auth.hash_cost": 1,
            "lanes.auth": WORKERS, "log.level": "warning", **sets}
    return Postern(front=front, sets=sets)


def a_product(postern):
    editor = postern.api(contract=False).as_("editor")
    return "/v1/products/" + editor.post("/v1/products", Load.content("MIX")).json["id"]


def json_of(size):
    """A body of this many bytes that is read whole, and then refused for its fields."""
    return json.dumps({"email": "a" * (size - len('{"email": ""}'))}).encode()


def mixed(postern, directory):
    mix = Mix(postern, directory)
    mix.kind("one", 200, "GET", a_product(postern), weight=480)
    mix.kind("page", 200, "GET", "/v1/products?limit=20", weight=100)
    mix.kind("health", 200, "GET", "/healthz", weight=150)
    mix.kind("absent", 404, "GET", "/v1/nothing", weight=50)
    mix.kind("tiny", 422, "POST", "/v1/auth/login", b'{"a":1}', weight=100)
    for name, size, weight in (("3k", 3_000, 60), ("20k", 20_000, 30), ("200k", 200_000, 10), ("1m", 1 << 20, 3)):
        mix.kind(name, 422, "POST", "/v1/auth/login", json_of(size), weight=weight)
    unread(mix, 1)
    return mix


def unread(mix, weight):
    """Requests that are refused before their body is read."""
    mix.kind("early-413", 413, "POST", "/v1/auth/login", json_of(1_100_000), weight=2 * weight)
    mix.kind("early-401-3k", 401, "POST", "/v1/products", json_of(3_000), weight=10 * weight)
    mix.kind("early-401-200k", 401, "POST", "/v1/products", json_of(200_000), weight=3 * weight)
    mix.kind("early-404-1m", 404, "POST", "/v1/nothing", json_of(1 << 20), weight=2 * weight)


def assert_flat(before, after):
    """
    Resident memory by pid: the same workers, and none more than a tenth above the most that one had, who has
    met each kind of request by then. Others may meet their first large body only now.
    """
    assert list(before) == list(after)
    assert max(after.values()) <= 1.1 * max(before.values()), (before, after)


def sizes(postern):
    return {pid: resident_kib(pid) for pid in postern.workers()}


def assert_run(mix, total):
    result = mix.run(total)
    assert result.whole, result.said
    assert result.bad == {}, result.said
    assert sum(result.good.values()) == total
    print(f"{total} requests, 0 failed, {total / result.seconds:.0f}/s")


@pytest.mark.parametrize("front", FRONTS)
def test_a_hundred_thousand_mixed_requests_all_have_their_answer_and_leave_no_memory_behind(front, tmp_path):
    with start(front) as postern:
        mix = mixed(postern, tmp_path)
        assert_run(mix, TOTAL // 10)
        before = sizes(postern)
        assert_run(mix, TOTAL)
        assert_flat(before, sizes(postern))


@pytest.mark.parametrize("front", FRONTS)
def test_bodies_that_nobody_reads_disturb_nobody(front, tmp_path):
    """Without gathering, so that the answer comes while the body does."""
    with start(front, **{"pool.gather_bytes": 0}) as postern:
        mix = Mix(postern, tmp_path)
        mix.kind("one", 200, "GET", a_product(postern), weight=10)
        unread(mix, 1)
        assert_run(mix, 5_000)


def test_a_hundred_thousand_reads_of_a_product_leave_no_memory_behind(tmp_path):
    with start("lighttpd") as postern:
        mix = Mix(postern, tmp_path)
        mix.kind("one", 200, "GET", a_product(postern))
        assert_run(mix, TOTAL // 10)
        before = sizes(postern)
        assert_run(mix, TOTAL)
        assert_flat(before, sizes(postern))
