"""The whole service while PostgreSQL is stopped hard, ends sessions or has no room: refused in order, and nothing lost."""

import contextlib
import threading
import time

import psycopg
import pytest
from bench import Postern, until
from ledger import Load
from service import Child

pytestmark = pytest.mark.usefixtures("workers_live")  # whatever the database does

WORKERS = 4


@pytest.fixture(scope="module")
def postern():
    with Postern(sets={"pool.workers": WORKERS, "auth.hash_cost": 1}) as running:
        yield running


def assert_refused_in_order(outcomes):
    for outcome in outcomes:
        assert outcome.broken == "", outcome
        assert (outcome.status, outcome.json["code"]) == (503, "unavailable"), outcome
        assert outcome.header("content-type") == "application/problem+json"
        assert int(outcome.header("retry-after")) >= 1


def test_a_hard_stop_loses_no_write_and_doubles_none(postern):
    with Load(postern, clients=16, writes=0.5, pause=0.01) as load:
        for _ in range(3):
            load.wait(100)
            postern.postgres.stop("immediate")
            gone = len(load.outcomes)
            load.wait(100, good=False)
            assert not any(o.good for o in load.outcomes[gone + 16:])
            assert postern.api().get("/healthz").status == 200
            assert postern.api().get("/readyz").status == 503
            postern.postgres.start()
            # a back-off of a second at most, for each worker
            until(lambda: all(o.good for o in load.outcomes[-100:]), 4, "an end of refusals")
    assert_refused_in_order(load.failures)
    assert load.lost(postern.sql) == []
    assert load.doubled == []
    print(f"{len(load.promised)} writes acknowledged, 0 lost, 0 doubled; {len(load.failures)} refused, 3 stops")


def end_sessions(postern):
    return len(postern.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postern'"))


@pytest.mark.parametrize("writes", [0, 0.5])
def test_sessions_ended_again_and_again_fail_no_read_and_lose_no_write(postern, writes):
    """Each request meets one end at most: what lost its connection twice is refused, and rightly."""
    ended, over = 0, threading.Event()

    def end_all():
        nonlocal ended
        while not over.wait(0.02):
            ended += end_sessions(postern)
            now = time.monotonic()
            while any(c.outcome.at < now for c in list(load.clients.values())) and not over.wait(0.002):
                pass

    ender = threading.Thread(target=end_all)
    with Load(postern, clients=8, writes=writes) as load:
        load.wait(50)
        ender.start()
        try:
            until(lambda: ended > 100, 30, "a hundred ends")
            load.wait(50)
        finally:
            over.set()
            ender.join()
    assert [o for o in load.failures if o.kind != "new"] == [], load.tally
    assert_refused_in_order(load.failures)
    assert load.lost(postern.sql) == []
    assert load.doubled == []


# --- no room


@contextlib.contextmanager
def no_room(postgres):
    """All connections that the server has are taken by others, but those kept for superusers."""
    taken = []
    try:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.append(psycopg.connect(postgres.dsn))
        assert taken
        yield
    finally:
        for connection in taken:
            connection.close()


def test_a_pool_starts_without_a_free_connection_says_why_and_recovers():
    with Postern(sets={"pool.workers": WORKERS}) as postern, contextlib.ExitStack() as stack:
        child = Child(postern)
        postern.sql("ALTER SYSTEM SET max_connections = 12")
        postern.postgres.stop()
        postern.postgres.start()
        mark = postern.log_size()
        with no_room(postern.postgres):
            stack.enter_context(child)
            line = postern.log_until(lambda it: it.get("event") == "database", mark)
            assert "too many clients" in line["detail"] or "connection slots are reserved" in line["detail"]
            before = until(lambda: w if len(w := postern.workers()) == WORKERS else None, 10, "all workers")
            api = postern.api()
            assert api.get("/healthz").status == 200
            for _ in range(2 * WORKERS):
                refused = api.get("/v1/products")
                assert (refused.status, refused.code) == (503, "unavailable")
                assert int(refused.headers["Retry-After"]) >= 1
        until(lambda: api.get("/readyz").status == 200, 5, "a ready worker")
        with Load(postern, clients=WORKERS, pause=0.05) as load:
            load.wait(200)
        assert load.outcomes[-1].good
        assert postern.workers() == before
