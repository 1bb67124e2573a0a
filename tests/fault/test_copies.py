"""A host that hears nothing asks Redis for a copy of what a session may do before it asks the database.
Nobody who was revoked comes in by a copy, whatever becomes of Redis, and no request fails for one.
"""

import contextlib
import json
import os
import signal
import threading
import time

import jwt
import pytest
from bench import Postern, until
from host import Host, worker_dsn
from proxy import Link, Pooler, Proxy
from redisd import FakeRedis, Redis, answer

COPY_S = 2.0             # that a copy is good
REST_S = 3.0             # after a revocation of its own in which a host takes none
DEAF_S = 5.0             # in which a revocation holds on a host that does not hear
BUSY_S = 0.5             # that a busy machine may add
URI = "/problems/not_found"  # asks nobody but for who calls


@pytest.fixture(scope="module")
def postern():
    with Postern(sets={"pool.workers": 2, "auth.hash_cost": 1, "auth.hash_concurrency": 2}) as running:
        yield running


@pytest.fixture(scope="module")
def redis():
    with Redis() as running:
        yield running


@contextlib.contextmanager
def deaf_host(postern, url, **sets):
    """A host whose keeper has heard once and stands still, which nobody mends."""
    with Host(postern, **{"redis_url": url, "redis_timeout_ms": 500, "pool_hard_limit_ms": 600000,
                          "limits_user_per_minute": 0, "limits_anonymous_per_minute": 0, **sets}) as host:
        host.log_until("listener_hears")
        keeper = host.keeper()
        os.kill(keeper, signal.SIGSTOP)
        try:
            until(lambda: host.metric("listener_age_seconds") > 2.6, 10, "a deaf host")
            yield host
        finally:
            os.kill(keeper, signal.SIGCONT)


@pytest.fixture(scope="module")
def host(postern, redis):
    with deaf_host(postern, redis.url, pool_workers=2) as running:
        yield running


def copied(host, token):
    """A request that has to pass; whether a copy let it in."""
    before = host.metric("cache_copies_total")
    assert host.call(token, URI)[0].status == 200
    return host.metric("cache_copies_total") > before


def by_copy(host, token):
    """Until a copy lets it in: one is there then, and nothing rests."""
    until(lambda: copied(host, token), 10, "a copy that is taken")


def code(host, token, uri=URI, method="GET", body=b""):
    reply, _ = host.call(token, uri, method, body)
    return reply.status if reply.status < 400 else (reply.status, json.loads(reply.body)["code"])


REVOKED = (401, "session_revoked")


def sid(token):
    return jwt.decode(token, options={"verify_signature": False})["sid"]


def key_of(redis, token):
    """The key of a token's copy, which is there."""
    [key] = until(lambda: redis.call("KEYS", f"postern:rights:{sid(token)}:*"), 5)
    return key


def revoke_by_hand(postern, token):
    """As a host does whose message is not heard."""
    postern.sql("UPDATE sessions SET revoked_at = now() WHERE id = %s", [sid(token)])


# --- what it is for


def test_a_deaf_host_asks_the_database_once_in_two_seconds(postern, redis, host):
    users = [postern.api().as_("user") for _ in range(2)]
    for user in users:
        by_copy(host, user.token)
    asked, copies, start = host.metric("database_statements_total"), host.metric("cache_copies_total"), time.monotonic()
    for _ in range(100):
        for user in users:
            assert code(host, user.token) == 200
    asked = host.metric("database_statements_total") - asked
    copies = host.metric("cache_copies_total") - copies
    most = len(users) * ((time.monotonic() - start) / COPY_S + 1)
    print(f"200 requests: {asked:.0f} statements, {copies:.0f} copies")
    assert asked <= most and copies >= 200 - most
    assert host.metric("cache_faults_total") == 0
    for user in users:
        by_copy(host, user.token)
        assert 0 < redis.call("PTTL", key_of(redis, user.token)) <= COPY_S * 1000


def test_two_deaf_hosts_share_their_copies(postern, redis, host):
    user = postern.api().as_("user")
    with deaf_host(postern, redis.url) as other:
        by_copy(other, postern.api().as_("user").token)  # it has read its keys and rests no more

        def shared():
            until(lambda: not redis.call("KEYS", f"postern:rights:{sid(user.token)}:*"), 5, "no copy any more")
            assert code(host, user.token) == 200
            return copied(other, user.token)

        until(shared, 10, "the copy that the other has put")


def test_a_keeper_that_tries_again_and_again_stands_in_no_copys_way(postern, redis, tmp_path):
    user = postern.api().as_("user")
    with Proxy(f"{postern.postgres.sockets}/.s.PGSQL.5432", tmp_path / ".s.PGSQL.5432", Pooler) as proxy:
        with Host(postern, redis_url=redis.url, redis_timeout_ms=500,
                  database_listen_dsn=worker_dsn(postern, host=tmp_path)) as host:
            host.log_until("listener_deaf")
            by_copy(host, user.token)
            tried = len(proxy.links)
            until(lambda: copied(host, user.token) and len(proxy.links) >= tried + 3, 30, "a copy after three more tries")


def test_a_host_that_hears_puts_none_and_takes_none(postern, redis):
    user = postern.api().as_("user")
    with Host(postern, redis_url=redis.url) as host:
        host.log_until("listener_hears")
        start = time.monotonic()
        host.trusts(postern.api().as_("user").token)
        until(lambda: time.monotonic() > start + REST_S + BUSY_S, 5, "the time after which copies may be taken")
        calls = host.metric("cache_calls_total")
        assert code(host, user.token) == 200
        assert host.metric("cache_calls_total") == calls + 1, "the limit alone"
        assert host.metric("cache_copies_total") == 0


def test_administration_takes_no_copy(postern, redis, host):
    admin = postern.api().as_("admin")
    by_copy(host, admin.token)
    postern.sql("DELETE FROM user_roles WHERE user_id = %s", [admin.user["id"]])
    copies = host.metric("cache_copies_total")
    assert code(host, admin.token, "/v1/models/nothing", "DELETE") == (403, "forbidden")
    assert host.metric("cache_copies_total") == copies


def test_a_token_of_a_later_generation_is_not_held_against_an_old_copy(postern, redis, host):
    user = postern.api().as_("user")
    claims = jwt.decode(user.token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(user.token)["kid"]
    [[pem]] = postern.sql("SELECT private_pem FROM signing_keys WHERE kid = %s", [kid])
    later = jwt.encode({**claims, "gen": 2}, pem, "ES256", {"typ": "at+jwt", "kid": kid})
    assert code(host, later) == (401, "token_invalid")
    by_copy(host, user.token)
    postern.sql("UPDATE sessions SET gen = 2 WHERE id = %s", [sid(user.token)])
    assert not copied(host, later)


# --- revoked


def test_a_logout_on_the_host_holds_for_the_next_request_though_there_is_a_copy(postern, redis, host):
    user, other = postern.api().as_("user"), postern.api().as_("user")
    by_copy(host, other.token)
    by_copy(host, user.token)
    key = key_of(redis, user.token)
    copy = redis.call("GET", key)
    assert code(host, user.token, "/v1/auth/logout", "POST", b"{}") == 204
    over = time.monotonic()
    assert code(host, user.token) == REVOKED
    assert redis.call("EXISTS", key) == 1, "the copy is still there"
    assert any(copied(host, other.token) for _ in range(2)), "others are not concerned"
    while time.monotonic() < over + REST_S + 1:
        redis.call("SET", key, copy)
        assert code(host, user.token) == REVOKED


def test_an_account_disabled_on_the_host_has_no_copy_either(postern, redis, host):
    user = postern.api().as_("user")
    by_copy(host, user.token)
    owner = postern.postgres.dsn
    host.ctl("--set", f"database.owner_dsn={owner}", "user", "disable", "--email", user.user["email"])
    assert code(host, user.token) == REVOKED
    assert redis.call("EXISTS", key_of(redis, user.token)) == 1


def test_what_is_revoked_unheard_holds_when_the_copy_is_over(postern, redis, host):
    took = []
    for _ in range(3):
        user = postern.api().as_("user")
        by_copy(host, user.token)
        revoke_by_hand(postern, user.token)
        took.append(host.refused_after(user.token, COPY_S + BUSY_S))
    print(f"slowest of {len(took)}: {max(took):.2f} s")
    role = f"r{os.urandom(4).hex()}"
    postern.sql("INSERT INTO roles (name, permissions) VALUES (%s, '{models:infer}')", [role])
    holder = postern.api().as_(role)
    until(lambda: code(host, holder.token, "/v1/models") == 200 and copied(host, holder.token), 10)
    postern.sql("UPDATE roles SET permissions = '{}' WHERE name = %s", [role])
    until(lambda: code(host, holder.token, "/v1/models") == (403, "forbidden"), COPY_S + BUSY_S)


class Held(Link):
    """Keeps back what the server says of a session's rights while it is told to."""

    of_rights = False

    def pass_on(self, direction, piece, sink):
        if direction == "up":
            self.of_rights = b"session_rights" in piece
        elif self.of_rights and self.proxy.hold.is_set():
            self.proxy.held.set()
            assert self.proxy.go.wait(30)
        return super().pass_on(direction, piece, sink)


def test_a_worker_that_stood_still_before_it_put_a_copy_puts_none(postern, redis, tmp_path):
    path = tmp_path / ".s.PGSQL.5432"
    with Proxy(f"{postern.postgres.sockets}/.s.PGSQL.5432", path, Held) as proxy:
        proxy.hold, proxy.held, proxy.go = (threading.Event() for _ in range(3))
        tmp_path.chmod(0o755)
        with deaf_host(postern, redis.url, database_dsn=worker_dsn(postern, host=tmp_path)) as host:
            [worker] = host.workers()
            user = postern.api().as_("user")
            by_copy(host, user.token)
            pattern = f"postern:rights:{sid(user.token)}:*"

            def asked_and_stopped(seconds):
                """The database has answered; the worker hears it when it goes on."""
                until(lambda: not redis.call("KEYS", pattern), 5, "no copy any more")
                statuses = []
                for event in proxy.held, proxy.go:
                    event.clear()
                proxy.hold.set()
                asking = threading.Thread(target=lambda: statuses.append(code(host, user.token)))
                asking.start()
                assert proxy.held.wait(10)
                start = time.monotonic()
                os.kill(worker, signal.SIGSTOP)
                proxy.hold.clear()
                proxy.go.set()
                if seconds > COPY_S:
                    revoke_by_hand(postern, user.token)
                until(lambda: time.monotonic() > start + seconds, seconds + 1)
                os.kill(worker, signal.SIGCONT)
                asking.join()
                return statuses

            assert asked_and_stopped(0.2) == [200]
            left = redis.call("PTTL", key_of(redis, user.token))
            assert 0 < left <= COPY_S * 1000 - 200, "it is as old as the question"
            assert asked_and_stopped(COPY_S + 0.2) == [200], "what was true when it was asked"
            assert redis.call("KEYS", pattern) == []
            assert code(host, user.token) == REVOKED


# --- what may lie in Redis instead


# old: what was put for the session some seconds ago; own, other: just now, for it and for another of the user's
FORGED = {
    "nothing": lambda old, own, other: b"",
    "garbage": lambda old, own, other: os.urandom(300),
    "zeros": lambda old, own, other: b"\0" * 300,
    "dots": lambda old, own, other: b"." * 300,
    "an old one": lambda old, own, other: old,
    "another session's": lambda old, own, other: other,
    "more rights": lambda old, own, other: own.replace(b'"permissions":[', b'"permissions":["models:write",'),
    "a later stamp": lambda old, own, other: old.replace(old.split(b".")[1], own.split(b".")[1]),
    "cut": lambda old, own, other: own[:-1],
    "too long": lambda old, own, other: own + b" " * 1000000,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_others_wrote_is_no_copy_and_no_fault(postern, redis, host, forge):
    stays = postern.api().as_("user")
    left, other = (stays.login(stays.user["email"], stays.user["password"]) for _ in range(2))
    for user in stays, left, other:
        by_copy(host, user.token)
    [key, key_left, key_other] = [key_of(redis, user.token) for user in (stays, left, other)]
    old, old_left = redis.call("GET", key), redis.call("GET", key_left)
    revoke_by_hand(postern, left.token)
    host.refused_after(left.token, DEAF_S)
    until(lambda: redis.call("EXISTS", key, key_left) == 0, 5, "the end of their copies")
    faults = host.metric("cache_faults_total")

    def young():
        for user in stays, other:
            by_copy(host, user.token)
        return all(copies := redis.call("MGET", key, key_other)) and copies

    for _ in range(5):
        own, others = until(young, 5)
        redis.call("SET", key_left, forge(old_left, own, others))
        assert code(host, left.token) == REVOKED
        redis.call("SET", key, forge(old, own, others))
        assert not copied(host, stays.token)
    assert host.metric("cache_faults_total") == faults


def test_what_is_no_text_is_no_copy_and_no_fault(postern, redis, host):
    user = postern.api().as_("user")
    by_copy(host, user.token)
    key, faults = key_of(redis, user.token), host.metric("cache_faults_total")
    for _ in range(5):
        redis.call("DEL", key)
        redis.call("RPUSH", key, "a", "b")
        assert not copied(host, user.token)
    by_copy(host, user.token)
    assert host.metric("cache_faults_total") == faults


# --- what may become of Redis


def flushed(redis):
    redis.call("FLUSHALL")


def asleep(redis):
    if redis.answers_soon:
        redis.pause()
    redis.answers_soon = False


def gone(redis):
    redis.stop()


def full(redis):
    redis.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.call("CONFIG", "SET", "maxmemory", "1")


@pytest.mark.parametrize("trouble", [flushed, asleep, gone, full])
def test_nobody_revoked_comes_alive_and_no_request_fails(postern, trouble):
    timeout_s = 0.05
    with Redis() as redis, deaf_host(postern, redis.url, redis_timeout_ms=int(timeout_s * 1000)) as host:
        redis.answers_soon = True
        stays, quits, ended = (postern.api().as_("user") for _ in range(3))
        for user in stays, quits, ended:
            by_copy(host, user.token)
        trouble(redis)
        assert code(host, quits.token, "/v1/auth/logout", "POST", b"{}") == 204
        revoke_by_hand(postern, ended.token)
        start, seconds = time.monotonic(), []
        while time.monotonic() < start + REST_S + 1:
            if trouble is flushed:
                flushed(redis)
            began = time.monotonic()
            assert code(host, stays.token) == 200
            seconds.append(time.monotonic() - began)
            assert code(host, quits.token) == REVOKED
            assert code(host, ended.token) in ([REVOKED] if began > start + COPY_S + BUSY_S else [REVOKED, 200])
        slow = [s for s in seconds if s > timeout_s * 0.8]
        assert max(seconds) < timeout_s + BUSY_S and len(slow) < max(10, len(seconds) / 20)
        if trouble is asleep:
            redis.resume()
        elif trouble is gone:
            redis.start()
        elif trouble is full:
            redis.call("CONFIG", "SET", "maxmemory", "0")
        by_copy(host, stays.token)
        assert code(host, quits.token) == code(host, ended.token) == REVOKED


def test_a_redis_whose_clock_stands_still_revives_nobody(postern):
    """It gives every copy back for ever, and always as new. The hosts' clocks are enough."""
    stored = {}

    def act(words, sock):
        script, key, args = words[1], words[3], words[4:-1]
        if b"INCR" in script:
            return sock.sendall(answer(words, 1, 60000))
        if b"SET" not in script:
            return sock.sendall(answer(words, 10**12, stored.get(key)))
        stored[key] = args[2]
        return sock.sendall(answer(words, 2000))

    with FakeRedis(act) as fake, deaf_host(postern, fake.url) as host:
        unheard, user = postern.api().as_("user"), postern.api().as_("user")
        by_copy(host, unheard.token)
        by_copy(host, user.token)
        revoke_by_hand(postern, unheard.token)
        print(f"{host.refused_after(unheard.token, DEAF_S):.2f} s")
        by_copy(host, user.token)
        assert code(host, user.token, "/v1/auth/logout", "POST", b"{}") == 204
        over = time.monotonic()
        while time.monotonic() < over + REST_S + 1:
            assert code(host, user.token) == REVOKED
        assert len(stored) == 2


def test_without_the_database_a_copy_lasts_its_time(postern, redis, tmp_path):
    path = tmp_path / ".s.PGSQL.5432"
    tmp_path.chmod(0o755)
    with Proxy(f"{postern.postgres.sockets}/.s.PGSQL.5432", path) as proxy:
        with deaf_host(postern, redis.url, database_dsn=worker_dsn(postern, host=tmp_path)) as host:
            user = postern.api().as_("user")
            by_copy(host, user.token)
            until(lambda: redis.call("PTTL", key_of(redis, user.token)) > 1500 or not copied(host, user.token), 5)
            proxy.close()
            path.unlink()
            assert copied(host, user.token)
            until(lambda: code(host, user.token) == (503, "unavailable"), COPY_S + BUSY_S)
