"""Malformed FastCGI records against the whole program: answered or closed, and no worker dies."""

import pathlib
import subprocess
import sys

import pytest
from bench import Postern

CASES = 10000


@pytest.fixture(scope="module")
def postern():
    with Postern(sets={"pool.workers": 4, "pool.max_requests": 0, "log.level": "error"}) as running:
        yield running


@pytest.mark.parametrize("seed", [1])
def test_each_is_answered_or_closed_and_the_workers_live(postern, seed):
    workers = postern.workers()
    done = subprocess.run(
        [
            sys.executable, pathlib.Path(__file__).with_name("fcgi_records.py"),
            "--socket", postern.socket, "--parent", str(postern.pid),
            "--cases", str(CASES), "--seed", str(seed),
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert postern.workers() == workers
    assert postern.api().get("/healthz").status == 200
