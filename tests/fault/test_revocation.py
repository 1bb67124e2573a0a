"""Revocation is at once: on this host for the next request, within a second on every other, and within
five when a host cannot hear: its keeper killed or stopped, its connection cut or behind a deaf pooler.

Two hosts are two posternd with a board of their own on one database.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import uuid

import fcgi
import jwt
import psycopg
import pytest
from bench import Postern, until
from host import Host, worker_dsn
from proxy import Pooler, Proxy
from server import POSTERND

ELSEWHERE_S = 1.0  # on another host
DEAF_S = 5.0       # on one that does not hear


@pytest.fixture(scope="module")
def postern():
    with Postern(sets={"pool.workers": 4, "auth.hash_cost": 1, "auth.hash_concurrency": 4,
                       "pool.hard_limit_ms": 60000}) as running:
        yield running


@pytest.fixture()
def host(postern, tmp_path):
    """Another host on the same database: it hears by way of a proxy, and a stopped keeper is not replaced."""
    def way():
        return Proxy(f"{postern.postgres.sockets}/.s.PGSQL.5432", tmp_path / ".s.PGSQL.5432")

    proxy = way()
    with Host(postern, pool_hard_limit_ms=60000, database_listen_dsn=worker_dsn(postern, host=tmp_path)) as running:
        running.way, running.proxy = way, proxy
        yield running
    running.proxy.close()


def warm(postern, client):
    """Let every worker know the token."""
    for _ in range(2):
        threads = [threading.Thread(target=lambda: client.copy(client.token).get("/v1/me")) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    postern.log_until(lambda line: line.get("event") == "listener_hears")


# --- what is kept, and what it costs


def test_a_token_seen_before_costs_no_round_trip(postern, host):
    user = postern.api().as_("user")
    host.log_until("listener_hears")
    host.call(user.token)
    assert [host.trips(user.token) for _ in range(20)] == [0] * 20
    other = postern.api().as_("user")
    assert host.trips(other.token) >= 1
    assert host.trips(other.token) == 0


def test_administration_asks_the_database_each_time(postern, host):
    admin = postern.api().as_admin()
    host.trusts(admin.token)
    for _ in range(3):
        _, request_id = host.call(admin.token, "/v1/models/nothing", "DELETE")
        [line] = until(lambda: [x for x in host.log("request") if x["request_id"] == request_id], 5)
        assert line["status"] == 404 and line["trips"] >= 2


def test_administration_heeds_what_nobody_was_told_of(postern, host):
    admin = postern.api().as_("admin")
    host.trusts(admin.token)
    postern.sql("DELETE FROM user_roles WHERE user_id = %s", [admin.user["id"]])
    assert host.call(admin.token)[0].status == 200
    assert host.call(admin.token, "/v1/models/nothing", "DELETE")[0].status == 403


def test_administration_asks_before_and_within_its_transaction(postern, host):
    """One question where others have none, one more behind BEGIN; then the row's lock, and the statement."""
    admin = postern.api().as_("admin")
    host.trusts(admin.token)
    body = json.dumps({"kind": "kserve_v2", "endpoints": ["http://127.0.0.1:1"], "upstream_name": "m"}).encode()
    for status, trips in (201, 5), (200, 4):  # COMMIT goes with the statement where the row was there
        answer, request_id = host.call(admin.token, "/v1/models/told", "PUT", body)
        [line] = until(lambda request_id=request_id: [x for x in host.log("request") if x["request_id"] == request_id], 5)
        assert (answer.status, line["trips"]) == (status, trips)


# --- on the same host


@contextlib.contextmanager
def unheard(postern):
    """The keeper stands still, for less than what is kept is trusted: only the board tells."""
    keeper = postern.keeper()
    os.kill(keeper, signal.SIGSTOP)
    start = time.monotonic()
    try:
        yield
        assert time.monotonic() - start < 1.9, "too slow to prove anything"
    finally:
        os.kill(keeper, signal.SIGCONT)


def test_a_logout_holds_for_the_next_request_on_every_worker(postern):
    for _ in range(5):
        user = postern.api().as_("user")
        warm(postern, user)
        with unheard(postern):
            assert user.post("/v1/auth/logout", {}).status == 204
            for _ in range(40):
                assert user.copy(user.token).get("/v1/me", check=False).code == "session_revoked"


def test_a_logout_by_refresh_token_does_so_too(postern):
    user = postern.api().as_("user")
    warm(postern, user)
    with unheard(postern):
        assert user.post("/v1/auth/logout", {"refresh_token": user.refresh_token}, token=None).status == 204
        for _ in range(20):
            assert user.copy(user.token).get("/v1/me", check=False).code == "session_revoked"


def test_a_disabled_account_holds_for_the_next_request(postern):
    for _ in range(3):
        user = postern.api().as_("user")
        warm(postern, user)
        with unheard(postern):
            postern.ctl("user", "disable", "--email", user.user["email"])
            for _ in range(20):
                assert user.copy(user.token).get("/v1/me", check=False).code == "session_revoked"


# --- on another host


def test_a_logout_holds_on_another_host_within_a_second(postern, host):
    took = []
    for _ in range(10):
        user = postern.api().as_("user")
        host.trusts(user.token)
        assert user.post("/v1/auth/logout", {}).status == 204
        took.append(host.refused_after(user.token, ELSEWHERE_S))
    print(f"slowest of {len(took)}: {max(took) * 1000:.1f} ms")


def test_a_disabled_account_holds_on_another_host_within_a_second(postern, host):
    user = postern.api().as_("user")
    host.trusts(user.token)
    postern.ctl("user", "disable", "--email", user.user["email"])
    host.refused_after(user.token, ELSEWHERE_S)


def test_what_a_role_permits_changes_within_a_second_and_for_its_holders_alone(postern, host):
    name = f"r{uuid.uuid4().hex[:8]}"
    postern.sql("INSERT INTO roles (name, permissions) VALUES (%s, '{models:infer}')", [name])
    holder, stranger = postern.api().as_(name), postern.api().as_("user")
    host.trusts(holder.token)
    host.trusts(stranger.token)
    assert host.call(holder.token, "/v1/models")[0].status == 200
    postern.change("UPDATE roles SET permissions = '{}' WHERE name = %s", [name], f"r:{name}")
    until(lambda: host.call(holder.token, "/v1/models")[0].status == 403, ELSEWHERE_S)
    assert host.trips(stranger.token) == 0
    postern.change("UPDATE roles SET permissions = '{models:infer}' WHERE name = %s", [name], f"r:{name}")
    until(lambda: host.call(holder.token, "/v1/models")[0].status == 200, ELSEWHERE_S)


def test_a_change_that_is_rolled_back_is_not_told(postern, host):
    user = postern.api().as_("user")
    host.trusts(user.token)
    with contextlib.suppress(RuntimeError):
        with psycopg.connect(postern.postgres.admin) as connection:
            connection.execute("SELECT pg_notify('postern_epochs', %s)", [f"u:{user.user['id']}"])
            raise RuntimeError
    assert [host.trips(user.token) for _ in range(50)] == [0] * 50


@pytest.mark.parametrize("words", ["", "s", "s:", "s:nothing", "x:1", "u:" + "0" * 7000, "\N{SNOWMAN}"])
def test_a_message_that_is_not_understood_makes_everybody_ask(postern, host, words):
    user = postern.api().as_("user")
    host.trusts(user.token)
    postern.sql("SELECT pg_notify('postern_epochs', %s)", [words])
    until(lambda: host.trips(user.token) >= 1, ELSEWHERE_S)
    host.trusts(user.token)
    assert host.keeper()


def test_a_new_key_is_taken_by_running_workers_within_a_second(postern, host):
    user = postern.api().as_("user")
    workers = set(host.workers()) | set(postern.workers())
    kid = postern.ctl("key", "new").stdout.strip()
    start = time.monotonic()

    def login():
        """Of a lane that is full for a moment the answer is 503."""
        body = {"email": user.user["email"], "password": user.user["password"]}
        answer = until(lambda: (a := postern.api(contract=False).post("/v1/auth/login", body)).status == 200 and a)
        return postern.api(contract=False).copy(answer.json["access_token"])

    def kids():
        def one(i):
            made = login()
            seen[i] = jwt.get_unverified_header(made.token)["kid"]
            tokens.append(made.token)

        seen, tokens = [None] * 4, []
        threads = [threading.Thread(target=one, args=[i]) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return set(seen) == {kid} and tokens

    tokens = until(kids, 1 + 1)
    assert time.monotonic() - start < 1.5  # the logins themselves take part of it
    for token in tokens:
        assert host.call(token)[0].status == 200
    assert set(host.workers()) | set(postern.workers()) == workers


def test_a_key_that_is_removed_verifies_nothing_within_a_second(postern, host):
    user = postern.api().as_("user")
    host.log_until("listener_hears")
    kid = postern.ctl("key", "new").stdout.strip()
    body = {"email": user.user["email"], "password": user.user["password"]}

    def by_the_new_one():
        answer = postern.api(contract=False).post("/v1/auth/login", body)
        token = answer.json.get("access_token") if answer.status == 200 else None
        return token if token and jwt.get_unverified_header(token)["kid"] == kid else None

    token = until(by_the_new_one, 2)
    host.trusts(token)
    postern.change("DELETE FROM signing_keys WHERE kid = %s", [kid], f"k:{kid}")
    gone = time.monotonic()
    until(lambda: host.call(token)[0].status == 401, ELSEWHERE_S)
    assert host.call(user.token)[0].status == 200
    # A worker signs with the keys that it read less than a second ago: no later test may meet such a token.
    until(lambda: by_the_new_one() is None and time.monotonic() - gone > 1.5, 10)


# --- on a host that does not hear


@contextlib.contextmanager
def killed(postern, host):
    """No keeper of the host lives for longer than a moment, which may do to hear once."""
    over = threading.Event()

    def kill():
        while not over.is_set():
            with contextlib.suppress(ProcessLookupError):
                if pid := host.keeper():
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        until(lambda: host.log("keeper_died"), 5)
        yield
    finally:
        over.set()
        killing.join()
        # What the last victim has heard is trusted for a while longer: wait for one that lives.
        until(lambda: host.keeper() in [line["pid"] for line in host.log("listener_hears")], 10, "a keeper that hears")


@contextlib.contextmanager
def stopped(postern, host):
    """The keeper stands still."""
    keeper = host.keeper()
    os.kill(keeper, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(keeper, signal.SIGCONT)


@contextlib.contextmanager
def cut(postern, host):
    """Each connection that keepers make to the database is soon ended. They hear in between."""
    over = threading.Event()

    def end():
        while not over.is_set():
            postern.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'postern keeper'")

    ending = threading.Thread(target=end)
    ending.start()
    try:
        host.log_until("listener_deaf")
        yield
    finally:
        over.set()
        ending.join()


@contextlib.contextmanager
def gone(postern, host):
    """The connection is cut, and there is no way to another."""
    host.proxy.close()
    try:
        host.log_until("listener_deaf")
        yield
    finally:
        host.proxy = host.way()


@contextlib.contextmanager
def mute(postern, host):
    """The server's end of the listening connection stands still: open, and silent. Another is soon made."""
    pids = [row[0] for row in postern.sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'postern keeper'")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("fault,may_hear", [(killed, True), (stopped, False), (gone, False), (cut, True), (mute, True)])
def test_a_deaf_host_refuses_within_five_seconds(postern, host, fault, may_hear):
    users = [postern.api().as_("user") for _ in range(2)]
    for user in users:
        host.trusts(user.token)
    with fault(postern, host):
        took = []
        for user in users:
            assert user.post("/v1/auth/logout", {}).status == 204
            took.append(host.refused_after(user.token, DEAF_S))
        print(f"{fault.__name__}: {took[0]:.2f} s, then {took[1]:.2f} s")
        assert took[1] < 1  # it knows by now that it is deaf, and asks
        late = postern.api().as_("user")
        assert host.call(late.token)[0].status == 200
        assert may_hear or host.trips(late.token) >= 1
    host.trusts(late.token)
    for user in users:
        assert host.call(user.token)[0].status == 401
    assert late.post("/v1/auth/logout", {}).status == 204
    host.refused_after(late.token, ELSEWHERE_S)


def test_a_deaf_host_gives_up_a_key_that_is_gone_within_five_seconds(postern, host):
    user = postern.api().as_("user")
    with stopped(postern, host):
        until(lambda: host.trips(user.token) >= 1, DEAF_S)
        postern.sql("CREATE TABLE kept AS WITH gone AS (DELETE FROM signing_keys RETURNING *) TABLE gone")
        try:
            until(lambda: host.call(user.token)[0].status == 401, DEAF_S)
        finally:
            postern.sql("INSERT INTO signing_keys TABLE kept; DROP TABLE kept")
        until(lambda: host.call(user.token)[0].status == 200, 2)


def test_what_was_missed_while_deaf_is_asked_when_it_hears_again(postern, host):
    """Deaf for less than the time of trust: the messages of that time never come."""
    user = postern.api().as_("user")
    for _ in range(5):
        token = user.login(user.user["email"], user.user["password"]).token
        host.trusts(token)
        keeper, before = until(host.keeper, 5), len(host.log("listener_hears"))
        os.kill(keeper, signal.SIGKILL)
        assert user.post("/v1/auth/logout", {}, token=token).status == 204
        until(lambda before=before: len(host.log("listener_hears")) > before, 2)
        assert host.call(token)[0].status == 401


def test_a_pooler_that_hears_in_our_place_is_found_out(postern, tmp_path):
    user = postern.api().as_("user")
    with Proxy(f"{postern.postgres.sockets}/.s.PGSQL.5432", tmp_path / ".s.PGSQL.5432", Pooler) as proxy:
        with Host(postern, database_listen_dsn=worker_dsn(postern, host=tmp_path)) as host:
            assert "does not come back" in host.log_until("listener_deaf")["detail"]
            assert all(host.trips(user.token) >= 1 for _ in range(5))
            assert not host.log("listener_hears")
            assert proxy.links


def test_a_worker_without_a_keeper_asks_for_every_request(postern, host, tmp_path):
    """Under another supervisor, on a board that nobody keeps."""
    user = postern.api().as_("user")
    path = str(tmp_path / "s")
    subprocess.run(
        ["spawn-fcgi", "-s", path, "-F", "1", "-P", tmp_path / "pid", "--", POSTERND, "--config", host.config,
         "--worker", "--set", f"run.dir={tmp_path}/run"], check=True, capture_output=True)
    pid = int((tmp_path / "pid").read_text())
    data = fcgi.request("GET", "/v1/me", HTTP_AUTHORIZATION=f"Bearer {user.token}")
    try:
        assert [fcgi.ask(path, data).status for _ in range(3)] == [200] * 3
        postern.sql("UPDATE sessions SET revoked_at = now() WHERE user_id = %s", [user.user["id"]])
        assert fcgi.ask(path, data).status == 401
    finally:
        os.kill(pid, signal.SIGTERM)
