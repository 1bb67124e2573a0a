"""
Malformed FastCGI records against the whole program: answered or closed, and nobody dies.

Others than in test_fcgi_worker.py, where random ones follow those that fcgi_records.py has written down.
"""

import pathlib
import subprocess
import sys

from bench import Postern

GENERATOR = pathlib.Path(__file__).with_name("fcgi_records.py")


def test_ten_thousand_malformed_requests_are_answered_or_closed():
    sets = {"pool.workers": 4, "pool.max_requests": 0, "log.level": "error"}
    with Postern(sets=sets) as postern:
        workers, keeper = postern.workers(), postern.keeper()
        done = subprocess.run(
            [sys.executable, GENERATOR, "--socket", postern.socket, "--parent", str(postern.pid)]
            + ["--cases", "10000", "--seed", "2"],
            stdout=subprocess.PIPE, text=True, timeout=600, check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        assert (postern.workers(), postern.keeper()) == (workers, keeper)
        assert postern.api().get("/healthz").status == 200
