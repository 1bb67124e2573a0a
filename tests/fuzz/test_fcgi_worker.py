"""
Hostile peers against the FastCGI side alone (fcgi/wire.h and what is below it).

fcgi_worker.c under the sanitizers: workers without rooms, parent or database. The whole program has the same
records in test_fcgi_posternd.py, the reader alone has libFuzzer in test_fuzz_record.py.
"""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest

import fcgi
from bench import children, until
from fuzzer import build

GENERATOR = pathlib.Path(__file__).with_name("fcgi_records.py")
MODULES = (
    "common/arena common/base common/board_queue common/clock common/db_dsn common/encode common/format common/json_put "
    "common/json_scan common/lang common/log common/problem common/settings common/settings_check "
    "common/settings_value common/str common/uuid fcgi/net fcgi/peers fcgi/peers_read fcgi/places fcgi/record fcgi/wire"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("worker"), "fcgi_worker", MODULES, "-lfcgi", "address,undefined")


@pytest.fixture
def workers(program, tmp_path):
    """Two workers on a socket: (its path, the parent's process id)."""
    path = tmp_path / "socket"
    with open(tmp_path / "log", "w") as log:
        parent = subprocess.Popen([program, path, "2"], stderr=log)
    try:
        until(lambda: len(children(parent.pid)) == 2 and path.is_socket())
        yield str(path), parent.pid
    finally:
        parent.send_signal(signal.SIGTERM)
        code = parent.wait(timeout=20)
    assert code == 0, (tmp_path / "log").read_text()  # also leaks, and what the sanitizers say


def test_ten_thousand_malformed_requests_are_answered_or_closed(workers):
    path, parent = workers
    done = subprocess.run(
        [sys.executable, GENERATOR, "--socket", path, "--parent", str(parent), "--cases", "10000", "--seed", "1"],
        stdout=subprocess.PIPE, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("sent", [0, 50])
def test_1024_silent_peers_delay_nobody(workers, sent):
    path, _ = workers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    silent = []
    try:
        for _ in range(1024):
            silent.append(fcgi.connect(path))
            silent[-1].sendall(fcgi.request()[:sent])
        answer = fcgi.ask(path, fcgi.request())
    finally:
        for peer in silent:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer.status == 200
    assert answer.seconds < 0.3


def test_a_busy_worker_takes_no_connection_from_an_idle_one(workers):
    path, _ = workers
    with fcgi.connect(path) as slow:
        slow.sendall(fcgi.request(uri="/slow/1500"))
        start = time.monotonic()
        while time.monotonic() - start < 1:
            answer = fcgi.ask(path, fcgi.request())
            assert answer.status == 200
            assert answer.seconds < 0.5
        assert fcgi.talk(slow).status == 200


def test_stopping_loses_no_request(program, tmp_path):
    """TERM to workers one after the other, while others are there and clients go on."""
    path = tmp_path / "socket"
    with subprocess.Popen([program, path, "6"], stderr=subprocess.DEVNULL) as parent:
        until(lambda: len(children(parent.pid)) == 6 and path.is_socket())
        for pid in children(parent.pid)[:5]:
            os.kill(pid, signal.SIGTERM)
            for _ in range(300):
                answer = fcgi.ask(str(path), fcgi.request("POST", "/", b"hello"))
                assert (answer.status, answer.body) == (200, b"hello")
        until(lambda: len(children(parent.pid)) == 1)
        parent.terminate()
