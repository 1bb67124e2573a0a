"""FastCGI records: the reader under libFuzzer for a while, and hostile peers at workers."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest

import fcgi
from bench import Postern, children, until

HERE = pathlib.Path(__file__).parent
TOP = HERE.parent.parent
READER = "common/arena common/base common/str fcgi/record"
WORKER = (
    READER + " common/clock common/encode common/format common/json_put common/json_scan "
    "common/lang common/log common/problem common/settings common/settings_check "
    "common/settings_value common/uuid common/board_queue fcgi/net fcgi/peers fcgi/peers_read fcgi/places fcgi/wire"
)
GENERATOR = [sys.executable, str(HERE / "fcgi_records.py")]


def build(directory, source, modules, sanitizers, *libraries):
    program = directory / source.removesuffix(".c")
    subprocess.run(
        ["clang", "-std=gnu17", "-D_GNU_SOURCE", "-DPOSTERN_SANITIZE", "-O1", "-g", f"-I{TOP}"]
        + [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=undefined", '-DSYSCONFDIR="/etc"']
        + [str(HERE / source)] + [str(TOP / f"{module}.c") for module in modules.split()]
        + ["-o", str(program), *libraries],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def worker_program(tmp_path_factory):
    directory = tmp_path_factory.mktemp("worker")
    return build(directory, "fcgi_worker.c", WORKER, "address,undefined", "-lfcgi")


@pytest.fixture
def workers(worker_program, tmp_path):
    """Two workers on a socket: (its path, the parent's process id)."""
    path = tmp_path / "socket"
    with open(tmp_path / "log", "w") as log:
        parent = subprocess.Popen([worker_program, path, "2"], stderr=log)
    try:
        until(lambda: len(children(parent.pid)) == 2 and path.is_socket())
        yield str(path), parent.pid
    finally:
        parent.send_signal(signal.SIGTERM)
        code = parent.wait(timeout=20)
    assert code == 0, (tmp_path / "log").read_text()  # also leaks, and what the sanitizers say


def test_no_bytes_mislead_the_reader(tmp_path):
    program = build(tmp_path, "fuzz_record.c", READER, "fuzzer,address,undefined")
    subprocess.run([*GENERATOR, "--corpus", "corpus"], cwd=tmp_path, check=True)
    run = subprocess.run(
        [program, "-max_total_time=20", "-max_len=4096", "-timeout=5", "-rss_limit_mb=1024"]
        + ["-print_final_stats=1", "corpus"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, errors="replace",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    runs = [int(line.split()[-1]) for line in run.stderr.splitlines()
            if "number_of_executed_units" in line]
    assert runs and runs[0] > 5000


def generate(*options):
    run = subprocess.run([*GENERATOR, *options], stdout=subprocess.PIPE, text=True)
    assert run.returncode == 0, run.stdout


def test_ten_thousand_malformed_requests_harm_nobody(workers):
    path, parent = workers
    generate("--socket", path, "--parent", str(parent), "--cases", "10000")


def test_nor_do_they_harm_a_whole_server():
    with Postern(sets={"pool.workers": 4}) as postern:
        pids = postern.workers()
        generate("--socket", postern.socket, "--pids", ",".join(map(str, pids)),
                 "--cases", "6000", "--seed", "2")
        assert postern.workers() == pids
        assert postern.api().get("/healthz").status == 200


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


def test_stopping_loses_no_request(worker_program, tmp_path):
    """TERM to workers one after the other, while others are there and clients go on."""
    path = tmp_path / "socket"
    with subprocess.Popen([worker_program, path, "6"], stderr=subprocess.DEVNULL) as parent:
        until(lambda: len(children(parent.pid)) == 6 and path.is_socket())
        for pid in children(parent.pid)[:5]:
            os.kill(pid, signal.SIGTERM)
            for _ in range(300):
                answer = fcgi.ask(str(path), fcgi.request("POST", "/", b"hello"))
                assert (answer.status, answer.body) == (200, b"hello")
        until(lambda: len(children(parent.pid)) == 1)
        parent.terminate()
