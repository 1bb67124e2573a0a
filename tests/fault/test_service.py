"""The whole service behind a web server while its workers die, are replaced, and are told to end."""

import os
import signal
import threading
import time

import psycopg
import pytest
from bench import Postern, until
from ledger import Load
from service import Asked, Child, busy_worker, locks_awaited, metrics, sku_held, workers_full

FRONTS = os.environ.get("POSTERN_FRONTS", "lighttpd apache").split()
WORKERS = 4


@pytest.fixture(scope="module", params=FRONTS)
def postern(request):
    sets = {"pool.workers": WORKERS, "auth.hash_cost": 1}
    with Postern(front=request.param, sets=sets) as running:
        yield running


@pytest.fixture(autouse=True)
def full(postern):
    """Each test leaves a pool that is whole."""
    yield
    workers_full(postern)


def test_a_worker_killed_in_a_write_costs_one_client_its_answer_and_leaves_no_trace(postern):
    editor = postern.api(contract=False).as_("editor")
    with Load(postern, clients=4) as load:
        load.wait(20)
        for number in range(4):
            sku, request_id, mark = f"KILLED-{number}", f"kill-{number}", postern.log_size()
            with sku_held(postern, sku):
                asked = Asked(lambda: editor.copy(editor.token).post(
                    "/v1/products", Load.content(sku), headers={"X-Request-Id": request_id}))
                until(lambda: locks_awaited(postern) == 1, 5, "the write to wait")
                victim = busy_worker(postern, request_id)
                os.kill(victim, signal.SIGKILL)
                killed = time.monotonic()
                until(lambda: len(w := postern.workers()) == WORKERS and victim not in w, 5, "a full pool")
                assert time.monotonic() - killed < 1
                answer = asked.answer()
                assert answer.status in (500, 502, 503)
                assert answer.json["status"] == answer.status
                line = postern.log_until(lambda it: it.get("event") == "worker_died", mark)
                assert (line["worker"], line["signal"]) == (victim, "KILL")
                assert (line["request_id"], line["route"]) == (request_id, "product_create")
                until(lambda: locks_awaited(postern) == 0, 5, "the end of the statement")
            assert postern.sql("SELECT count(*) FROM products WHERE sku = %s", (sku,)) == [(0,)]
        load.wait(20)
    assert load.failures == []
    assert load.lost(postern.sql) == []


def test_two_keys_retired_at_once_leave_one_that_signs(postern):
    kids = [kid for (kid,) in postern.sql("SELECT kid FROM signing_keys WHERE retired_at IS NULL")]
    kids.append(postern.ctl("key", "new").stdout.strip())
    assert len(kids) == 2
    postern.sql("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END'")
    postern.sql("CREATE TRIGGER hold AFTER UPDATE ON signing_keys FOR EACH ROW EXECUTE FUNCTION hold()")
    try:
        with psycopg.connect(postern.postgres.admin, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(4711)")  # neither may look before both have written
            asked = [Asked(lambda kid=kid: postern.ctl("key", "retire", kid, check=False)) for kid in kids]
            until(lambda: connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'posternctl'"
                " AND wait_event_type = 'Lock'").fetchone() == (2,), 10, "two who retire a key")
            connection.execute("SELECT pg_advisory_unlock(4711)")
            done = [one.answer() for one in asked]
    finally:
        postern.sql("DROP FUNCTION hold CASCADE")
    assert sorted(one.returncode for one in done) == [0, 65]
    assert "no other key signs" in "".join(one.stderr for one in done)
    assert postern.sql("SELECT count(*) FROM signing_keys WHERE retired_at IS NULL") == [(1,)]
    assert postern.api(contract=False).get("/readyz").status == 200


# --- reloads


def test_twenty_reloads_at_64_connections_fail_nobody(postern):
    with Load(postern, clients=64) as load:
        load.wait(64)
        for _ in range(20):
            postern.reload()
            load.wait(64)
    assert load.failures == [], load.tally
    assert load.lost(postern.sql) == []
    assert load.doubled == []
    print(f"0 failed of {len(load.outcomes)}, {len(load.promised)} of them writes; 20 reloads")


def test_a_refused_reload_is_noticed_by_nobody_and_says_why(postern):
    good, before = postern.config.read_text(), postern.workers()
    faults = (("[pool]\nworkrs = 2\n", "pool.workrs: there is no such setting"),
              ("[lanes]\napi = many\n", "lanes.api: "),
              ("nonsense\n", "postern.conf:"))
    with Load(postern, clients=16) as load:
        load.wait(32)
        for bad, words in faults:
            mark = postern.log_size()
            postern.config.write_text(f"{good}\n{bad}")
            refused = postern.ctl("reload", check=False)
            assert refused.returncode == 78
            assert words in refused.stderr
            os.kill(postern.pid, signal.SIGHUP)
            line = postern.log_until(lambda it: it.get("event") == "reload_refused", mark)
            assert words in line["detail"]
            load.wait(32)
    postern.config.write_text(good)
    assert load.failures == []
    assert postern.workers() == before


# --- what is counted


def as_answered(load, before, values):
    """Do the counters say what the clients were answered?"""
    for kind, route, status in (("one", "product_get", 200), ("page", "product_list", 200), ("new", "product_create", 201)):
        series = f'postern_requests_total{{route="{route}",status="{status}"}}'
        answered = sum(1 for o in load.outcomes if (o.kind, o.status) == (kind, status))
        made_by_hand = 1 if kind == "new" else 0
        if values[series] - before.get(series, 0) != answered + made_by_hand:
            return False
    return True


def test_counters_never_fall_and_one_scrape_knows_what_all_workers_did(postern):
    scrapes, over = [metrics(postern)[0]], threading.Event()

    def scrape():
        while not over.is_set():
            scrapes.append(metrics(postern)[0])

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        with Load(postern, clients=8) as load:
            load.wait(200)
            postern.reload()
            load.wait(200)
        until(lambda: as_answered(load, scrapes[0], metrics(postern)[0]), 5, "a count of each answer")
        os.kill(postern.workers()[0], signal.SIGKILL)  # nobody's request goes with it
        workers_full(postern)
    finally:
        over.set()
        scraper.join()
    values, kinds = metrics(postern)
    scrapes.append(values)
    counted = [s for s in values if kinds.get(s.split("{")[0]) == "counter" or "_seconds_" in s]
    assert any(s.startswith("postern_request_seconds_bucket") for s in counted)
    for series in counted:
        seen = [scrape.get(series, 0) for scrape in scrapes]
        assert seen == sorted(seen), series
    assert as_answered(load, scrapes[0], values)


# --- the end


def test_a_stop_under_load_cuts_no_answer_and_a_start_serves_again(postern):
    child = Child(postern)
    child.start()
    with Load(postern, clients=64, pause=0.01) as load:
        for _ in range(5):
            load.wait(128)
            began = time.monotonic()
            assert child.stop() == 0
            assert time.monotonic() - began < 10
            child.start()
    assert {o.broken for o in load.outcomes} == {""}, load.tally
    assert {o.status for o in load.failures} <= {503}, load.tally
    assert all(o.json["code"] in ("unavailable", "draining") for o in load.failures)
    assert load.lost(postern.sql) == []
    assert load.doubled == []
    print(f"0 cut of {len(load.outcomes)}, {len(load.failures)} refused by the web server; 5 stops")
    child.close()
    postern.down()
    postern.up(postern.port)
