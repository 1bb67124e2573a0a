"""A storm of logins: hashes are bounded on the host, and nothing else waits for them."""

import concurrent.futures
import os
import signal
import statistics
import time

import pytest
from bench import Postern, until

PASSWORD = "a lamp for the way home"
EMAIL = "storm@example.org"


@pytest.fixture(scope="module")
def postern():
    """One hash at a time, of some 0.1 s; requests have 2 s."""
    sets = {
        "pool.workers": 8,
        "lanes.auth": 7,
        "auth.hash_cost": 7,
        "auth.hash_concurrency": 1,
        "pool.request_deadline_ms": 2000,
    }
    with Postern(sets=sets) as running:
        running.user_add(EMAIL, "user", PASSWORD)
        yield running


def login(postern, email=EMAIL, password=PASSWORD, check=True):
    """check: False where the worker may be killed, so that the web server answers."""
    client = postern.api()
    start = time.monotonic()
    answer = client.post("/v1/auth/login", {"email": email, "password": password}, check=check)
    client.close()
    return answer, time.monotonic() - start


def hashing(postern):
    """Workers that burn a processor now, by the time they have used."""

    def ticks(pid):
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            return 0
        return int(fields[11]) + int(fields[12])

    before = {pid: ticks(pid) for pid in postern.workers()}
    time.sleep(0.1)
    return [pid for pid, n in before.items() if ticks(pid) - n >= 4]


def test_logins_wait_for_half_of_their_time_and_are_then_refused(postern):
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        storm = [pool.submit(login, postern) for _ in range(64)]
        quick = []
        while not all(f.done() for f in storm):
            client = postern.api()
            start = time.monotonic()
            assert client.get("/v1/products").status == 200
            quick.append(time.monotonic() - start)
            client.close()
    answers = [f.result() for f in storm]
    codes = {a.status for a, _ in answers}
    assert codes <= {200, 503} and 200 in codes and 503 in codes
    for answer, _ in answers:
        if answer.status == 503:
            assert answer.code == "overloaded" and int(answer.headers["Retry-After"]) >= 1
    assert statistics.median(quick) < 0.5
    assert login(postern)[0].status == 200


def test_a_worker_killed_while_hashing_gives_its_place_back(postern):
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            storm = [pool.submit(login, postern, check=False) for _ in range(4)]
            victim = until(lambda: hashing(postern), 5)[0]
            os.kill(victim, signal.SIGKILL)
            statuses = [f.result()[0].status for f in storm]
        assert statuses.count(200) >= 1
        until(lambda: login(postern)[0].status == 200, 5)


def test_an_unknown_account_takes_as_long_as_a_known_one(postern):
    known, unknown = [], []
    for i in range(12):
        known.append(login(postern, EMAIL, f"wrong {i}")[1])
        unknown.append(login(postern, f"unknown-{i}@example.org", f"wrong {i}")[1])
    ratio = min(known) / min(unknown)
    assert 0.75 < ratio < 1.33, ratio
