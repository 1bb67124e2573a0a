"""More than the pool can do, and peers that do nothing: those who can be served are, the others are told at once."""

import contextlib
import socket
import time

import fcgi
import pytest
from bench import Postern, until
from ledger import Load
from service import Asked, locks_awaited, metrics, sku_held, timed

pytestmark = pytest.mark.usefixtures("workers_live")

WORKERS = 3
DEADLINE_MS = 2000
SILENT = 1024

SLEEPING = """
CREATE FUNCTION sleep_a_while() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.name = 'Sleep' THEN
		PERFORM pg_sleep(1.6);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER sleep_a_while BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION sleep_a_while();
"""


@pytest.fixture(scope="module")
def postern():
    sets = {"pool.workers": WORKERS, "auth.hash_cost": 1, "pool.request_deadline_ms": DEADLINE_MS}
    with Postern(sets=sets) as running:
        running.sql(SLEEPING)
        yield running


def assert_nobody_waits(postern):
    """A request is answered in 0.3 s; one of them may have met a busy machine."""
    times = []
    for _ in range(20):
        answer, ms = timed(lambda: postern.api(contract=False).get("/v1/products"))
        assert answer.status == 200
        times.append(ms)
    assert sorted(times)[-2] < 300, times


def assert_overloaded(answer):
    assert (answer.status, answer.code) == (503, "overloaded"), answer
    assert int(answer.headers["Retry-After"]) >= 1


def new(editor, **more):
    content = Load.content(f"OVERLOAD-{time.monotonic_ns()}") | more
    return editor.copy(editor.token).post("/v1/products", content)


def test_a_full_lane_refuses_at_once_and_others_are_served():
    with Postern(sets={"pool.workers": WORKERS, "auth.hash_cost": 1, "lanes.api": WORKERS - 1}) as postern:
        editor = postern.api().as_("editor")
        with sku_held(postern, "HELD"):
            held = [Asked(lambda: new(editor, sku="HELD")) for _ in range(WORKERS - 1)]
            until(lambda: locks_awaited(postern) == WORKERS - 1, 5, "a full lane")
            for _ in range(10):
                answer, ms = timed(lambda: postern.api().get("/v1/products"))
                assert_overloaded(answer)
                assert ms < 300
                assert postern.api().get("/healthz").status == 200
                assert editor.get("/v1/me").status == 200
        assert {one.answer().status for one in held} == {201, 409}
        assert postern.api().get("/v1/products").status == 200
        assert metrics(postern)[0]["postern_lane_refused_total"] == 10


def test_who_waited_half_his_time_to_be_served_is_refused_and_who_did_not_is_served(postern, editor):
    held = [Asked(lambda: new(editor, name="Sleep")) for _ in range(WORKERS)]
    until(lambda: postern.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [(WORKERS,)],
          5, "workers that are all busy")
    waiting = [Asked(lambda: timed(lambda: postern.api(contract=False).get("/v1/products"))) for _ in range(6)]
    for answer, ms in (one.answer() for one in waiting):
        assert_overloaded(answer)
        assert DEADLINE_MS / 2 < ms < DEADLINE_MS
    assert {one.answer().status for one in held} == {201}
    with Load(postern, clients=4) as load:
        load.wait(50)
    assert load.failures == []


# --- peers that say nothing, or nearly


def test_silent_peers_on_the_socket_delay_nobody(postern):
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT):
            stack.enter_context(fcgi.connect(postern.socket))
        assert_nobody_waits(postern)


def test_half_heads_on_the_socket_delay_nobody(postern):
    half = fcgi.request("GET", "/v1/products")[:40]
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT // 2):
            stack.enter_context(fcgi.connect(postern.socket)).sendall(half)
        assert_nobody_waits(postern)


@pytest.mark.parametrize("front", ["lighttpd", "apache"])
def test_slow_senders_delay_nobody(front):
    """Heads that stop in the middle, and bodies that do."""
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
    body = b"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n" + b'{"email":'
    with Postern(front=front, sets={"pool.workers": WORKERS}) as postern, contextlib.ExitStack() as stack:
        before = postern.workers()
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", postern.port))) for _ in range(100)]
        for number, sock in enumerate(slow):
            sock.sendall(head + (body if number % 2 else b""))
        assert_nobody_waits(postern)
        sock.sendall(b' "a@example.org", "password": "not the right one"}'.ljust(60 - 9))
        assert sock.recv(4096).startswith(b"HTTP/1.1 401 ")  # the last of the slow has said it all
        assert postern.workers() == before
