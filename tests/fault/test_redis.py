"""Redis goes, stops, is flushed, is full, lies, is late: no request fails, nothing is waited for twice."""

import concurrent.futures
import itertools
import os
import random
import re
import signal
import time

import fcgi
import pytest
from bench import Postern, until
from redisd import FakeRedis, Redis, answer, bulk, link

TIMEOUT_MS = 50
LIMIT = 100
WORKERS = 4
addresses = (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))

FIELD = re.compile(r'"anonymous";r=(\d+);t=(\d+)')


@pytest.fixture()
def redis():
    with Redis() as running:
        yield running


@pytest.fixture()
def host(serve):
    """Make a host that asks this Redis: host(redis.url)."""

    def make(url, **sets):
        return serve({
            "redis.url": url,
            "redis.timeout_ms": TIMEOUT_MS,
            "limits.anonymous_per_minute": LIMIT,
            "pool.workers": WORKERS,
            "log.level": "info",
            **{name.replace("_", ".", 1): value for name, value in sets.items()},
        })

    return make


def ask(server, address, timeout=10):
    """A request that is counted and needs no database."""
    data = fcgi.request("GET", "/problems/not_found", REMOTE_ADDR=address)
    return fcgi.ask(server.socket, data, timeout=timeout)


def left(answer):
    return int(FIELD.fullmatch(answer.header("RateLimit"))[1])


def passed(server, address, n):
    statuses = [ask(server, address).status for _ in range(n)]
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


def metric(server, name):
    text = fcgi.ask(server.socket, fcgi.request("GET", "/metrics")).body.decode()
    return int(re.search(rf"^postern_{name} (\d+)$", text, re.M)[1])


def closed_again(server):
    """Ask until the breaker is closed, which a second after the last fault one request does."""
    until(lambda: ask(server, next(addresses)).status and not metric(server, "cache_breaker_open"),
          10, "a closed breaker")


def resident(server):
    total = 0
    for pid in server.workers():
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            total += int(file.read().split()[1]) * 4096
    return total


# --- what it is for


def test_two_hosts_share_a_limit_to_the_request(redis, host):
    hosts, address = [host(redis.url), host(redis.url)], next(addresses)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(lambda i: ask(hosts[i % 2], address).status, range(1000)))
    assert set(statuses) == {200, 429}
    assert abs(statuses.count(200) - LIMIT) <= LIMIT // 100
    assert sum(metric(h, "cache_faults_total") for h in hosts) == 0


def test_keys_have_a_prefix_and_an_end(redis, host):
    server, address = host(redis.url, redis_prefix="other:"), next(addresses)
    assert left(ask(server, address)) == LIMIT - 1
    key = f"other:rate:anonymous:{address}"
    assert redis.ask("DBSIZE") == b":1"
    assert 0 < int(redis.ask("PTTL", key)[1:]) <= 60000
    redis.ask("PERSIST", key)
    assert left(ask(server, address)) == LIMIT - 1, "a window without an end begins anew"
    assert 0 < int(redis.ask("PTTL", key)[1:]) <= 60000
    redis.ask("PEXPIRE", key, 3600000)
    ask(server, address)
    assert 0 < int(redis.ask("PTTL", key)[1:]) <= 60000, "nor does a clock that was turned back lock anybody out"


@pytest.mark.parametrize("foreign", [("SET", "abc"), ("SET", 2**63 - 1), ("SET", -5, "PX", 60000), ("RPUSH", 1), ("HSET", 1, 2)],
                         ids=lambda foreign: " ".join(map(str, foreign)))
def test_a_window_begins_anew_where_no_count_lies(redis, host, foreign):
    server, address = host(redis.url), next(addresses)
    verb, *values = foreign
    redis.call(verb, f"postern:rate:anonymous:{address}", *values)
    assert [left(ask(server, address)) for _ in range(3)] == [LIMIT - 1, LIMIT - 2, LIMIT - 3]
    assert redis.call("GET", f"postern:rate:anonymous:{address}") == b"3"
    assert metric(server, "cache_faults_total") == 0


@pytest.mark.parametrize("login", [":the-s3cret/@", "default:the-s3cret/@", ":the%2Ds3cret%2f@", "de%66ault:the-s3cret%2F@"])
def test_password_and_database_are_those_of_the_url(host, login):
    with Redis("--requirepass", "the-s3cret/") as redis:
        server = host(f"redis://{login}{redis.address}/2", pool_workers=1)
        assert ask(server, next(addresses)).status == 200
        assert metric(server, "cache_calls_total") == 1 and metric(server, "cache_faults_total") == 0
        with link(redis.path) as file:
            file.write(b"AUTH the-s3cret/\r\nSELECT 2\r\nDBSIZE\r\n")
            file.flush()
            assert [file.readline() for _ in range(3)] == [b"+OK\r\n", b"+OK\r\n", b":1\r\n"]


def test_a_host_name_is_looked_up_beside_the_requests(redis, host):
    port = redis.address.split(":")[1]
    server = host(f"redis://localhost:{port}", pool_workers=1)
    until(lambda: ask(server, next(addresses)).status and redis.ask("DBSIZE") != b":0", 5, "a key in Redis")
    lost = host(f"redis://nobody.invalid:{port}")
    answers = [ask(lost, next(addresses)) for _ in range(50)]
    assert {a.status for a in answers} == {200} and max(a.seconds for a in answers) < 0.2
    assert "name" in lost.log_until("redis_lost")["detail"]


def test_a_wrong_password_is_a_redis_that_is_not_there(host):
    with Redis("--requirepass", "the-s3cret/") as redis:
        server, address = host(f"redis://:an-0ther@{redis.address}"), next(addresses)
        assert passed(server, address, LIMIT + 5) == LIMIT
        assert "WRONGPASS" in server.log_until("redis_lost")["detail"]
        assert "an-0ther" not in server.log_text()


# --- what may go wrong with it


@pytest.fixture(scope="module")
def whole():
    """A whole instance with a Redis, as scripts/up makes it, and the pid of that Redis."""
    with Postern(redis=True, sets={"pool.workers": 4, "auth.hash_cost": 1}) as running:
        pid = next(int(line.split()[1]) for line in (running.state / "pids").read_text().splitlines()
                   if line.startswith("redis "))
        yield running, pid


def test_it_is_never_a_reason_not_to_be_ready(whole):
    postern, pid = whole
    api = postern.api()
    assert api.get("/readyz").json["redis"] == "ok"
    os.kill(pid, signal.SIGSTOP)
    try:
        ready = api.get("/readyz")
        assert (ready.status, ready.json["redis"], ready.json["status"]) == (200, "degraded", "ok")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: api.get("/readyz").json["redis"] == "ok", 10, "a Redis that is taken up again")


def command(postern, *words):
    with link(postern.redis.removeprefix("unix://")) as file:
        file.write(" ".join(words).encode() + b"\r\n")
        file.flush()
        assert file.readline() == b"+OK\r\n"


def full(postern):
    command(postern, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    command(postern, "CONFIG", "SET", "maxmemory", "1")
    yield "OOM"
    command(postern, "CONFIG", "SET", "maxmemory", "0")


def replica(postern):
    command(postern, "REPLICAOF", "127.0.0.1", "1")
    yield "READONLY"
    command(postern, "REPLICAOF", "NO", "ONE")


def without_writes(postern):
    command(postern, "CLIENT", "PAUSE", "60000", "WRITE")
    yield f"no answer within {TIMEOUT_MS} ms"
    command(postern, "CLIENT", "UNPAUSE")


@pytest.mark.parametrize("trouble", [full, replica, without_writes])
def test_one_that_only_reads_is_as_one_that_is_away(whole, trouble):
    postern, _ = whole
    api = postern.api()

    def state():
        return api.get("/readyz").json["redis"]

    until(lambda: state() == "ok", 10, "a Redis that is asked")
    since, lasts = postern.log_size(), trouble(postern)

    def news():
        return [line for line in postern.log(since) if line.get("event", "").startswith("redis_")]

    words, start, slow = next(lasts), time.monotonic(), 0
    assert state() == "degraded"
    while (now := time.monotonic()) < start + 3.5:
        assert state() == "degraded"
        assert api.get("/problems/not_found").status == 200
        slow += time.monotonic() - now > TIMEOUT_MS / 1000 * 0.8
    [lost] = until(news, 10, "the line that tells of it")
    assert (lost["event"], words in lost["detail"]) == ("redis_lost", True)
    assert trouble is not without_writes or slow <= 5, "one request a second pays for the trial"
    assert list(lasts) == []
    until(lambda: state() == "ok", 10, "a Redis that is taken up again")
    until(lambda: [line["event"] for line in news()] == ["redis_lost", "redis_back"], 10, "both lines")


@pytest.mark.parametrize("trouble", ["asleep", "flushed", "gone"])
def test_who_is_logged_in_does_not_depend_on_it(whole, trouble):
    postern, pid = whole
    stays, leaves = postern.api().as_("user"), postern.api().as_("user")
    assert stays.get("/v1/me").status == leaves.get("/v1/me").status == 200
    if trouble == "flushed":
        command(postern, "FLUSHALL")
    elif trouble == "asleep":
        os.kill(pid, signal.SIGSTOP)
    else:
        os.kill(pid, signal.SIGKILL)
    try:
        assert leaves.post("/v1/auth/logout").status == 204
        for _ in range(20):
            assert stays.get("/v1/me").status == 200
            assert leaves.get("/v1/me").code == "session_revoked"
        if trouble == "flushed":
            command(postern, "FLUSHALL")
    finally:
        if trouble == "asleep":
            os.kill(pid, signal.SIGCONT)
    for _ in range(20):
        assert stays.get("/v1/me").status == 200
        assert leaves.get("/v1/me").code == "session_revoked"


def test_stopped_it_is_done_without_and_taken_up_again(redis, host):
    server, address = host(redis.url), next(addresses)
    assert passed(server, address, 60) == 60
    redis.stop()
    assert passed(server, address, 60) == 40, "the host's own count goes on"
    server.log_until("redis_lost")
    assert len(server.log("redis_lost")) == 1, "one line, not one a request"
    redis.start()
    closed_again(server)
    server.log_until("redis_back")
    address = next(addresses)
    ask(server, address)
    assert redis.ask("EXISTS", f"postern:rate:anonymous:{address}") == b":1"


def test_asleep_it_costs_a_time_out_until_the_breaker_opens(redis, host):
    server = host(redis.url)
    for _ in range(50):
        ask(server, next(addresses))
    redis.pause()
    seconds, began = [], time.monotonic()
    while time.monotonic() - began < 3:
        start = time.monotonic()
        assert ask(server, next(addresses)).status == 200
        seconds.append(time.monotonic() - start)
    slow = [s for s in seconds if s > TIMEOUT_MS / 1000 * 0.8]
    assert max(seconds) < TIMEOUT_MS / 1000 + 0.1
    assert len(slow) <= 1 + 3 + 1, "the first, and one a second that tries again"
    assert len(seconds) > 300
    redis.resume()
    closed_again(server)
    assert metric(server, "cache_breaker_open") == 0


def test_asleep_under_load_nobody_waits_twice(redis, host):
    server = host(redis.url)
    ask(server, next(addresses))
    redis.pause()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        answers = list(pool.map(lambda _: ask(server, next(addresses)), range(2000)))
    redis.resume()
    assert [a.status for a in answers].count(200) == 2000
    slow = sum(a.seconds > TIMEOUT_MS / 1000 * 0.8 for a in answers)
    assert slow <= WORKERS + 2 * 5, f"{slow} of 2,000"
    assert sorted(a.seconds for a in answers)[1979] < TIMEOUT_MS / 1000, "p99"


def test_flushed_the_count_begins_anew_and_nothing_fails(redis, host):
    server, address = host(redis.url), next(addresses)
    assert passed(server, address, LIMIT + 5) == LIMIT
    assert redis.ask("FLUSHALL") == b"+OK"
    assert passed(server, address, 10) == 10
    redis.ask("SCRIPT", "FLUSH")
    assert passed(server, address, 10) == 10
    assert metric(server, "cache_faults_total") == 0


def test_full_it_is_done_without(host):
    with Redis("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as redis:
        number = itertools.count()
        while redis.ask("SET", f"filler{next(number)}", "x" * 20000).startswith(b"+"):
            pass
        while redis.ask("SET", f"filler{next(number)}", "x").startswith(b"+"):
            pass
        server, address = host(redis.url), next(addresses)
        assert passed(server, address, LIMIT + 20) == LIMIT
        assert "OOM" in server.log_until("redis_lost")["detail"]


# '#' is the question's number, but for the truths of RESP3.
GARBAGE = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
    "nothing but zeros": b"\0" * 4096,
    "an error": b"-ERR no\r\n",
    "a moved script": b"-NOSCRIPT No matching script\r\n",
    "nil": b"*-1\r\n",
    "no number of a question": b"*2\r\n:1\r\n:60000\r\n",
    "another question's": b"*3\r\n$16\r\n0123456789abcdef\r\n:1\r\n:60000\r\n",
    "too few": b"*2\r\n#:1\r\n",
    "too many": b"*4\r\n#:1\r\n:2\r\n:3\r\n",
    "texts": b"*3\r\n#$1\r\n1\r\n$1\r\n2\r\n",
    "numbers that cannot be": b"*3\r\n#:-5\r\n:99999999999\r\n",
    "no number": b"*3\r\n#:x\r\n:1\r\n",
    "two answers": b"*3\r\n#:1\r\n:60000\r\n*3\r\n#:1\r\n:60000\r\n",
    "half an answer": b"*3\r\n#:1\r\n",
    "an array of 2^31": b"*2147483648\r\n",
    "an array of 10^9": b"*1000000000\r\n",
    "an array of 2^62": b"*4611686018427387904\r\n",
    "a negative length": b"$-2\r\n",
    "a double": b",1.5\r\n",
    "a truth": b"#t\r\n",
    "a double within": b"*3\r\n#,1.5\r\n,60000\r\n",
    "a truth within": b"*3\r\n#:1\r\n#t\r\n",
    "a map": b"%1\r\n#:1\r\n",
    "nests": b"*1\r\n" * 5000,
    "nests in two": b"*2\r\n" * 5000,
}


@pytest.mark.parametrize("words", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_as_good_as_none(host, words):
    def act(command, sock):
        sock.sendall(re.sub(rb"#(?!t)", bulk(command[-1]), words))

    with FakeRedis(act) as fake:
        server, address = host(fake.url), next(addresses)
        assert passed(server, address, LIMIT + 20) == LIMIT, "the host counts by itself"
        assert fake.commands >= 1
        if words != GARBAGE["numbers that cannot be"]:
            server.log_until("redis_lost")
            assert fake.commands <= 5, "the breaker is open"


def pour(_, sock):
    sock.sendall(b"*2\r\n$2147483647\r\n")
    for _ in range(20000):
        sock.sendall(b"x" * 65536)


def drip(words, sock):
    for byte in answer(words, 1, 60000) * 100:
        sock.sendall(bytes([byte]))
        time.sleep(TIMEOUT_MS / 1000 / 5)


def line_without_end(_, sock):
    sock.sendall(b"+")
    for _ in range(20000):
        sock.sendall(b"x" * 65536)


def leave(_words, _sock):
    raise OSError


@pytest.mark.parametrize("act", [pour, drip, line_without_end, leave])
def test_a_server_without_measure_takes_neither_time_nor_memory(host, act):
    with FakeRedis(act) as fake:
        server = host(fake.url)
        for _ in range(20):
            ask(server, next(addresses))
        before, slowest, began = resident(server), 0, time.monotonic()
        while time.monotonic() - began < 2.5:
            answer = ask(server, next(addresses))
            assert answer.status == 200
            slowest = max(slowest, answer.seconds)
        assert fake.commands >= 3
        assert resident(server) - before < 10 << 20
        assert slowest < TIMEOUT_MS / 1000 + 0.1


def test_a_late_answer_is_nobody_elses(host):
    """The fake tells each of two callers a count of his own; some of them too late."""
    quota, counts = 1000000, {"192.0.2.1": 100000, "192.0.2.2": 200000}
    late = itertools.count()

    def act(words, sock):
        count = counts[words[3].decode().rsplit(":", 1)[1]] + random.randrange(90000)
        if next(late) % 400 == 399:
            time.sleep(TIMEOUT_MS / 1000 + 0.05)
        sock.sendall(answer(words, count, 60000))

    with FakeRedis(act) as fake:
        server = host(fake.url, limits_anonymous_per_minute=quota)

        def one(i):
            who = f"192.0.2.{1 + i % 2}"
            count = quota - left(ask(server, who))
            return who, count

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            seen = list(pool.map(one, range(10000)))
        told = [(who, count) for who, count in seen if count >= 100000]
        assert len(told) > 100, "many of them were told by the fake"
        assert all(counts[who] <= count < counts[who] + 90000 for who, count in told)
        assert metric(server, "cache_faults_total") > 0
