"""Whatever PostgreSQL does, a client has its answer when its time is over, and the worker goes on."""

import contextlib
import time

import psycopg
import pytest
from bench import Postern, until
from ledger import Load
from service import Asked, locks_awaited, timed

pytestmark = pytest.mark.usefixtures("workers_live")

WORKERS = 4
DEADLINE_MS = 700
LATE_MS = 100  # no worker is held longer past a deadline
NOISE_MS = 300  # the machine's

SLEEPING = """
CREATE FUNCTION sleep_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.name = 'Sleep' THEN
		PERFORM pg_sleep(60);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER sleep_now BEFORE INSERT OR UPDATE ON products FOR EACH ROW EXECUTE FUNCTION sleep_now();
"""


@pytest.fixture(scope="module")
def postern():
    sets = {"pool.workers": WORKERS, "auth.hash_cost": 1, "pool.request_deadline_ms": DEADLINE_MS}
    with Postern(sets=sets) as running:
        running.sql(SLEEPING)
        yield running


def assert_in_time(postern, mark, answer, ms, at_least=DEADLINE_MS - 50):
    assert at_least <= ms <= DEADLINE_MS + LATE_MS + NOISE_MS
    line = postern.log_until(lambda it: it.get("request_id") == answer.headers["X-Request-Id"], mark)
    assert line["us"] <= 1000 * (DEADLINE_MS + LATE_MS + NOISE_MS / 2)


def sleeping(postern):
    return postern.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")[0][0]


def product(editor, **more):
    made = editor.post("/v1/products", {**Load.content(f"DEADLINE-{time.monotonic_ns()}"), **more})
    assert made.status == 201, made
    return f"/v1/products/{made.json['id']}"


def test_a_stopped_server_holds_nobody_past_the_deadline(postern, editor):
    path = product(editor)
    for _ in range(2 * WORKERS):  # every worker has its connection
        assert editor.get(path).status == 200
    mark = postern.log_size()
    postern.postgres.pause()
    try:
        asked = [Asked(lambda: timed(lambda: postern.api().get(path))) for _ in range(WORKERS)]
        late = [one.answer() for one in asked]
        assert postern.api().get("/healthz").status == 200
        later, later_ms = timed(lambda: postern.api().get(path))
    finally:
        postern.postgres.resume()
    for answer, ms in late:
        assert (answer.status, answer.code) == (504, "deadline_exceeded")
        assert_in_time(postern, mark, answer, ms)
    assert later.status in (503, 504)  # a new connection is no better, or is not even tried
    assert_in_time(postern, mark, later, later_ms, 0)
    until(lambda: postern.api().get(path).status == 200, 5, "an answer")
    with Load(postern, clients=8) as load:
        load.wait(100)
    assert load.failures == []


@pytest.mark.parametrize("write", ["insert", "update"])
def test_a_sleeping_statement_is_left_and_ends_with_its_locks(postern, editor, write):
    path = product(editor)
    etag = editor.get(path).headers["ETag"]
    sleep = Load.content(f"SLEEP-{time.monotonic_ns()}") | {"name": "Sleep"}
    writes = {"insert": lambda: editor.copy(editor.token).post("/v1/products", sleep),
              "update": lambda: editor.copy(editor.token).patch(path, {"name": "Sleep"}, headers={"If-Match": etag})}
    mark = postern.log_size()
    with Load(postern, clients=2) as load:
        asked = Asked(lambda: timed(writes[write]))
        until(lambda: sleeping(postern) == 1, 5, "a sleeping statement")
        load.wait(20)
        answer, ms = asked.answer()
        assert (answer.status, answer.code) == (504, "deadline_exceeded")
        assert_in_time(postern, mark, answer, ms)
        until(lambda: sleeping(postern) == 0, 2, "the end of the statement")
        load.wait(20)
    assert load.failures == []
    changed, ms = timed(lambda: editor.patch(path, {"name": "Awake"}, headers={"If-Match": etag}))
    assert (changed.status, changed.json["name"]) == (200, "Awake")  # nothing was done, nothing is held
    assert ms < DEADLINE_MS / 2
    assert postern.sql("SELECT count(*) FROM products WHERE sku = %s", (sleep["sku"],)) == [(0,)]


@contextlib.contextmanager
def locked(postern):
    """The table of products, by somebody who does not let go."""
    with psycopg.connect(postern.postgres.admin) as connection:
        connection.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def test_a_lock_that_is_not_given_is_unavailable_before_the_time_is_over(postern, editor):
    path = product(editor)
    with locked(postern):
        asked = [Asked(lambda: timed(lambda: postern.api().get(path))) for _ in range(WORKERS - 1)]
        assert editor.get("/v1/me").status == 200
        for answer, ms in (one.answer() for one in asked):
            assert (answer.status, answer.code) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            assert ms <= DEADLINE_MS + LATE_MS + NOISE_MS
        until(lambda: locks_awaited(postern) == 0, 2, "the end of the wait")
    answer, ms = timed(lambda: editor.get(path))
    assert answer.status == 200
    assert ms < DEADLINE_MS / 2


def test_a_lock_that_is_given_in_time_costs_time_alone(postern, editor):
    path = product(editor)
    with locked(postern):
        asked = Asked(lambda: postern.api().get(path))
        until(lambda: locks_awaited(postern) == 1, 5, "the wait")
    assert asked.answer().status == 200
