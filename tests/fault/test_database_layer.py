"""The database layer under faults of the server and of the wire: what is true of each answer."""

import contextlib
import itertools
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import psycopg
import pytest

from bench import until
from cluster import Cluster
from probe import SCHEMA, Probe
from proxy import Proxy, Rule

SLACK_MS = 100  # no worker is held longer than this past a deadline


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        cluster.sql(SCHEMA)
        cluster.sql("INSERT INTO probe_items VALUES (0, 'note 0')")
        yield cluster


@pytest.fixture
def proxy(cluster):
    with Proxy(cluster.socket) as proxy:
        proxy.dsn = f"host={proxy.address[0]} port={proxy.address[1]} user=postgres dbname=postgres sslmode=disable"
        yield proxy


numbers = itertools.count(1000)


def ids(cluster):
    return {row[0] for row in cluster.sql("SELECT id FROM probe_items")}


def true_of_write(cluster, answers):
    """Each write said what was so: answers are pairs (ids, answer)."""
    present = ids(cluster)
    for wanted, answer in answers:
        there = wanted <= present
        assert there or not wanted & present, f"{wanted} is there by half: {answer}"
        if answer.code == "ok":
            assert there, f"{wanted} is lost: {answer}"
        elif "outcome unknown" not in answer.value:
            assert not there, f"{wanted} is there: {answer}"
        else:
            assert not answer.again


# --- the wire


def bytes_down(proxy, *questions, prepare="named"):
    """How many bytes answer these, from the beginning of a connection."""
    proxy.rules = []
    with Probe(proxy.dsn, prepare) as probe:
        for command, n in questions:
            assert probe.ask(5000, command, n).code == "ok"
    return proxy.links[-1].passed["down"]


@pytest.mark.parametrize("do", ["cut", "reset"])
def test_a_read_cut_at_any_byte_is_right_or_refused(proxy, do):
    total = bytes_down(proxy, ("read", 0))
    assert total > 300
    codes = set()
    for at in range(0, total, 1 if do == "cut" else 7):
        proxy.rules = [Rule("down", at=at, do=do)]  # and so is each further try
        with Probe(proxy.dsn) as probe:
            answer = probe.ask(5000, "read", 0)
        assert (answer.code, answer.value) == ("ok", "note 0") or answer.code == "unavailable", (at, answer)
        codes.add(answer.code)
    assert codes == {"ok", "unavailable"}  # it was cut behind the row too


def test_a_read_whose_connection_is_cut_once_is_read_again(proxy):
    connected = bytes_down(proxy, ("ready", 0))
    total = bytes_down(proxy, ("read", 0))
    for at in range(connected, total):
        proxy.rules = [Rule("down", at=at, connection=len(proxy.links))]
        with Probe(proxy.dsn) as probe:
            answer = probe.ask(5000, "read", 0)
        assert (answer.code, answer.value) == ("ok", "note 0"), (at, answer)


def test_a_connection_cut_once_while_it_is_set_up_is_made_anew_at_once(proxy):
    """A server that has let us in is not away: no back-off, which would refuse everybody for a while."""
    let_in = bytes_down(proxy, ("ready", 0), prepare="unnamed")  # which has nothing to set up
    ready = bytes_down(proxy, ("ready", 0))
    assert let_in < ready
    for at in range(let_in, ready):
        for command, value in (("ready", None), ("read", "note 0")):
            proxy.rules = [Rule("down", at=at, connection=len(proxy.links))]
            with Probe(proxy.dsn) as probe:
                answer = probe.ask(5000, command, 0)
            assert answer.code == "ok", (at, command, answer)
            assert value is None or answer.value == value


def test_a_connection_cut_twice_while_it_is_set_up_is_unavailable(proxy):
    let_in = bytes_down(proxy, ("ready", 0), prepare="unnamed")
    proxy.rules = [Rule("down", at=let_in)]
    with Probe(proxy.dsn) as probe:
        answers = [probe.ask(5000, "read", 0) for _ in range(2)]
    assert [answer.code for answer in answers] == ["unavailable", "unavailable"]
    assert "it is too early for a new one" in answers[1].value


def test_rows_cut_at_any_place_are_whole_or_refused(proxy):
    connected, total = bytes_down(proxy, ("ready", 0)), bytes_down(proxy, ("list", 1000))
    for at in range(connected, total, 101):
        proxy.rules = [Rule("down", at=at)]
        with Probe(proxy.dsn) as probe:
            answer = probe.ask(5000, "list", 1000)
        assert (answer.code, answer.value) == ("ok", "500500") or answer.code == "unavailable", (at, answer)


@pytest.mark.parametrize("command", ["write", "pair"])
@pytest.mark.parametrize("prepare", ["named", "unnamed"])
def test_a_write_cut_at_any_byte_says_what_is_so(cluster, proxy, command, prepare):
    n = next(numbers)
    connected, total = bytes_down(proxy, ("ready", 0)), bytes_down(proxy, (command, n))
    answers = []
    for direction, first, last in (("down", connected, total), ("up", 60, 900)):
        for at in range(first, last, 3):
            n = next(numbers)
            proxy.rules = [Rule(direction, at=at, connection=len(proxy.links))]  # what is sent again arrives
            with Probe(proxy.dsn, prepare) as probe:
                answers.append(({n, -n} if command == "pair" else {n}, probe.ask(5000, command, n)))
    true_of_write(cluster, answers)
    assert {a.code for _, a in answers} == {"ok", "unavailable"}
    assert any("outcome unknown" in a.value for _, a in answers)


@pytest.mark.parametrize("do,code", [("stall", "deadline_exceeded"), ("eat", "deadline_exceeded"), ("cut", "unavailable")])
def test_a_commit_whose_answer_is_lost_is_unknown_and_not_repeated(cluster, proxy, do, code):
    proxy.rules = [Rule("down", do=do, when=b"COMMIT", connection=0)]
    with Probe(proxy.dsn) as probe:
        n = next(numbers)
        answer = probe.ask(500, "write", n)
        assert answer.code == code and not answer.again
        assert "commit outcome unknown" in answer.value
        assert answer.ms <= 500 + SLACK_MS
        assert probe.ask(5000, "read", n).value == f"note {n}"  # this one had been carried out


def test_a_late_answer_is_never_that_of_the_next_question(proxy):
    proxy.rules = [Rule("down", do="delay", seconds=0.25, when=b"FROM probe_items", connection=0)]
    with Probe(proxy.dsn) as probe:
        assert probe.ask(5000, "ready").code == "ok"
        assert probe.ask(100, "read", 0).code == "deadline_exceeded"
        for n in range(1, 30):
            assert probe.ask(5000, "list", n).value == str(n * (n + 1) // 2)


def test_garbage_is_not_believed(proxy):
    connected, total = bytes_down(proxy, ("ready", 0)), bytes_down(proxy, ("read", 0))
    for at in range(connected, total):
        proxy.rules = [Rule("down", at=at, do="corrupt", connection=len(proxy.links))]
        with Probe(proxy.dsn) as probe:
            answer = probe.ask(300, "read", 0)
            assert answer.ms <= 300 + SLACK_MS, (at, answer)
            until(lambda: probe.ask(2000, "read", 0).value == "note 0", what="the way back")


# --- the server stands still


def held(answer, ms):
    return answer.code in ("deadline_exceeded", "unavailable") and ms - 5 <= answer.ms <= ms + SLACK_MS


def test_a_stopped_server_holds_nobody_past_the_deadline(cluster):
    with Probe(cluster.dsn) as kept, Probe(cluster.dsn) as new:
        assert kept.ask(5000, "read", 0).code == "ok"
        cluster.pause()
        try:
            for command in ("read", "read", "write", "ready"):
                answer = kept.ask(300, command, next(numbers))
                assert held(answer, 300) or "too early" in answer.value, (command, answer)
                time.sleep(0.1)
            assert held(new.ask(300, "ready"), 300)
        finally:
            cluster.resume()
        for probe in (kept, new):
            until(lambda: probe.ask(5000, "read", 0).code == "ok", seconds=2)


def test_a_server_that_does_not_even_greet_is_given_up_before_a_long_deadline(cluster):
    with Probe(cluster.dsn) as probe:
        cluster.pause()
        try:
            answer = probe.ask(9000, "ready")
            assert answer.code == "unavailable" and "does not answer" in answer.value
            assert answer.ms <= 2000 + SLACK_MS
        finally:
            cluster.resume()


def test_a_mute_connection_holds_nobody(proxy):
    with Probe(proxy.dsn) as probe:
        proxy.rules = [Rule("down", at=bytes_down(proxy, ("ready", 0)), do="stall")]
        assert probe.ask(5000, "ready").code == "ok"
        assert held(probe.ask(200, "read", 0), 200)
        assert held(probe.ask(200, "write", next(numbers)), 200)
        proxy.rules = []
        assert probe.ask(5000, "read", 0).code == "ok"


def test_the_query_ends_on_the_server_soon_after_its_deadline(cluster):
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
    with Probe(cluster.dsn) as probe:
        assert held(probe.ask(200, "sleep", 30000), 200)
        until(lambda: cluster.sql(sleeping)[0][0] == 0, seconds=2)


# --- the server goes


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_while_the_server_is_away_the_answer_comes_at_once_and_then_it_goes_on(cluster, mode):
    with Probe(cluster.dsn) as probe:
        n = next(numbers)
        answers = [({n}, probe.ask(5000, "write", n))]
        cluster.stop(mode)
        for command in ("read", "write", "ready", "read"):
            answer = probe.ask(5000, command, next(numbers))
            assert answer.code == "unavailable" and answer.ms < 50, answer
        cluster.start()
        start = time.monotonic()
        until(lambda: probe.ask(5000, "read", 0).code == "ok", seconds=5)
        assert time.monotonic() - start < 1.2
        n = next(numbers)
        answers.append(({n}, probe.ask(5000, "write", n)))
        assert [a.code for _, a in answers] == ["ok", "ok"]
        true_of_write(cluster, answers)


def test_sessions_ended_ten_times_a_second_lose_no_read_and_no_write(cluster):
    over = threading.Event()
    answers, reads, ended = [], [], []

    def end_sessions():
        with psycopg.connect(cluster.dsn, autocommit=True) as other:
            while not over.wait(0.1):
                rows = other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db_probe'"
                ).fetchall()
                ended.extend(rows)

    thread = threading.Thread(target=end_sessions)
    thread.start()
    try:
        with Probe(cluster.dsn) as probe:
            until_then = time.monotonic() + 4
            while time.monotonic() < until_then:
                n = next(numbers)
                command = "pair" if n % 2 else "write"
                answer = probe.ask(5000, command, n)
                answers.append(({n, -n} if command == "pair" else {n}, answer))
                reads.append(probe.ask(5000, "read", 0))
    finally:
        over.set()
        thread.join()
    assert len(ended) >= 20
    assert {a.value for a in reads} == {"note 0"}
    assert {a.code for _, a in answers} <= {"ok", "unavailable"}
    true_of_write(cluster, answers)
    for _, answer in answers:  # what was not committed may be run anew
        assert answer.code == "ok" or answer.again or "outcome unknown" in answer.value, answer


def test_no_free_connection_is_unavailable_and_named():
    with Cluster(max_connections=6, superuser_reserved_connections=0, max_wal_senders=0) as cluster:
        cluster.sql(SCHEMA)
        cluster.sql("INSERT INTO probe_items VALUES (0, 'note 0')")
        with contextlib.ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(psycopg.connect(cluster.dsn))
            with Probe(cluster.dsn) as probe:
                answer = probe.ask(5000, "read", 0)
                assert answer.code == "unavailable" and "too many clients" in answer.value
                assert answer.ms < 100
                stack.close()
                until(lambda: probe.ask(5000, "read", 0).code == "ok", seconds=2)


# --- several servers


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as there:
        return there.getsockname()[1]


def test_a_standby_takes_over(cluster):
    with Cluster(standby_of=cluster) as standby:
        both = f"host={cluster.sockets},{standby.sockets} user=postgres dbname=postgres"
        with Probe(standby.dsn) as there, Probe(both + " target_session_attrs=read-write") as probe:
            until(lambda: there.ask(5000, "read", 0).code == "ok")
            answer = there.ask(5000, "write", next(numbers))
            assert answer.code == "unavailable", answer
            assert there.ask(5000, "read", 0).code == "ok"
            assert probe.ask(5000, "write", next(numbers)).code == "ok"
            cluster.stop("immediate")
            try:
                answer = probe.ask(5000, "write", next(numbers))
                assert answer.code == "unavailable" and "read-only" in answer.value, answer
                standby.promote()
                n = next(numbers)
                until(lambda: probe.ask(5000, "write", n).code == "ok", seconds=3)
                assert n in ids(standby)
                until(lambda: there.ask(5000, "write", next(numbers)).code == "ok", seconds=3)
            finally:
                cluster.start()


def test_a_mute_first_host_does_not_take_the_time_of_the_second(cluster, proxy):
    proxy.rules = [Rule("down", do="stall")]
    dsn = f"host={proxy.address[0]},{cluster.sockets} port={proxy.address[1]},5432 user=postgres dbname=postgres"
    with Probe(dsn) as probe:
        answer = probe.ask(1000, "read", 0)
        assert answer.code == "ok" and 400 <= answer.ms <= 700, answer
        cluster.sql("SELECT pg_terminate_backend(pid, 3000) FROM pg_stat_activity WHERE application_name = 'db_probe'")
        answer = probe.ask(1000, "read", 0)  # the one that answered is tried first
        assert answer.code == "ok" and answer.connects == 1 and answer.ms < 100, answer


# --- TLS


def certificate(directory, owner):
    key, crt = pathlib.Path(directory) / "server.key", pathlib.Path(directory) / "server.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(crt)],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    for path in (key, crt):
        if owner:
            subprocess.run(["chown", str(owner), str(path)], check=True)
    return {"ssl_key_file": key, "ssl_cert_file": crt}


def test_everything_holds_over_tls(tmp_path):
    port = free_port()
    with Cluster(port=port) as cluster:
        cluster.sql(SCHEMA)
        for name, value in certificate(cluster.directory, cluster.owner.get("user")).items():
            cluster.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        cluster.sql("ALTER SYSTEM SET ssl = on")
        cluster.stop()
        cluster.start()
        dsn = f"host=localhost hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={cluster.directory}/server.crt"
        with Probe(dsn) as probe:
            assert probe.ask(5000, "write", 1).code == "ok"
            assert probe.ask(5000, "list", 100000).value == "5000050000"
            assert cluster.sql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'db_probe'") == [(True,)]
            assert held(probe.ask(200, "sleep", 5000), 200)
            assert probe.ask(5000, "read", 1).value == "note 1"
            cluster.pause()
            try:
                assert held(probe.ask(300, "read", 1), 300)
                assert held(probe.ask(300, "ready"), 300)
            finally:
                cluster.resume()
            until(lambda: probe.ask(5000, "read", 1).code == "ok", seconds=2)
            cluster.sql("SELECT pg_terminate_backend(pid, 3000) FROM pg_stat_activity WHERE application_name = 'db_probe'")
            assert probe.ask(5000, "write", 2).code == "ok"


# --- a pooler


POOLER = """
[databases]
postgres = host={sockets} dbname=postgres user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {directory}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 2
"""


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed")
def test_behind_a_transaction_pooler_sessions_are_shared_without_a_trace(cluster):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="postern-pool.", dir="/tmp"))
    try:
        (directory / "pgbouncer.ini").write_text(POOLER.format(sockets=cluster.sockets, directory=directory))
        if cluster.owner:
            shutil.chown(directory, cluster.owner["user"])
        with subprocess.Popen(
            [shutil.which("pgbouncer"), "-q", str(directory / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **cluster.owner,
        ) as pooler, contextlib.ExitStack() as stack:
            stack.callback(pooler.terminate)
            until((directory / ".s.PGSQL.6432").exists)
            dsn = f"host={directory} port=6432 user=postgres dbname=postgres"
            probes = [stack.enter_context(Probe(dsn, "unnamed")) for _ in range(5)]
            for _ in range(20):
                for probe in probes:
                    n = next(numbers)
                    assert probe.ask(5000, "pair", n).code == "ok"
                    assert probe.ask(5000, "read", n).value == f"note {n}"
                    assert probe.ask(5000, "list", 1000).value == "500500"
            assert held(probes[0].ask(200, "sleep", 5000), 200)
            assert probes[0].ask(5000, "read", 0).value == "note 0"
            with psycopg.connect(dsn, prepare_threshold=None) as other:
                left = other.execute(
                    "SELECT current_setting('default_transaction_read_only'), current_setting('statement_timeout'),"
                    " (SELECT count(*) FROM pg_prepared_statements)"
                ).fetchone()
            assert left == ("off", "0", 0)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
