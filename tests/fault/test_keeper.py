"""The keeper: beside the workers under the parent, and its socket answers whatever they do."""

import json
import os
import pathlib
import re
import signal
import socket
import threading
import time

import fcgi
import psycopg
from bench import Postern, children, command_line, process_alive, until
from service import Asked, locks_awaited


def there(server, but=None):
    """The keeper, once there is one that serves."""
    return until(lambda: (p := server.status()["keeper"]["pid"]) and p != but and server.keeper() == p and p, 5, "a keeper")


def all_busy(server):
    """Every worker held by a request that does not end; the connections."""
    workers = len(server.full())
    return [server.hold(f"held-{i}")[0] for i in range(workers)]


# --- what it answers


def test_it_answers_while_every_worker_is_busy(serve):
    server = serve({"pool.workers": 2, "lanes.auth": 2})
    keeper = there(server)
    held = all_busy(server)
    answer = server.ask_keeper("/status")
    assert answer.status == 200 and answer.seconds < 1
    status = json.loads(answer.body)
    assert {w["state"] for w in status["workers"]} == {"busy"}
    assert sorted(w["request_id"] for w in status["workers"]) == ["held-0", "held-1"]
    assert status["keeper"] == {"pid": keeper}
    assert keeper not in {w["pid"] for w in status["workers"]}
    metrics = server.ask_keeper("/metrics")
    assert metrics.status == 200 and metrics.seconds < 1
    assert b'postern_workers{state="busy"} 2\n' in metrics.body
    assert b"postern_listener_age_seconds -1" in metrics.body  # there is no database
    assert server.ask_keeper("/healthz").status == 200
    for sock in held:
        sock.close()


def test_it_answers_nothing_that_needs_a_database_or_a_worker(server):
    there(server)
    for uri in "/readyz", "/v1/products", "/v1/me", "/.well-known/jwks.json", "/nothing":
        assert server.ask_keeper(uri).status == 404
    assert fcgi.ask(server.status_socket, fcgi.request("POST", "/v1/auth/login", b"{}")).status == 404
    assert fcgi.ask(server.status_socket, fcgi.request("DELETE", "/status")).status == 405


def test_status_is_text_for_who_asks_for_it(server):
    keeper = there(server)
    text = server.ask_keeper("/status", HTTP_ACCEPT="text/plain")
    assert text.header("Content-Type").startswith("text/plain")
    assert f"keeper: pid {keeper}".encode() in text.body
    page = server.ask_keeper("/status", HTTP_ACCEPT="text/html,application/xhtml+xml,*/*;q=0.8")
    assert page.header("Content-Type") == "text/html; charset=utf-8"
    assert page.body.count(b"<td>idle</td>") == 4
    assert b"<script" not in page.body


def test_strangers_need_a_token_for_its_status_and_metrics(server):
    there(server)
    for uri in "/status", "/metrics":
        assert server.ask_keeper(uri, REMOTE_ADDR="192.0.2.1").status == 401
        # without a database no token can be looked at; the keeper does not wait for it
        answer = server.ask_keeper(uri, REMOTE_ADDR="192.0.2.1", HTTP_AUTHORIZATION="Bearer a.b.c")
        assert answer.status == 401 and answer.seconds < 1
    assert server.ask_keeper("/healthz", REMOTE_ADDR="192.0.2.1").status == 200


def test_silent_peers_on_its_socket_keep_nobody_out(server):
    there(server)
    silent = [fcgi.connect(server.status_socket) for _ in range(50)]
    half = fcgi.connect(server.status_socket)
    half.sendall(fcgi.request("GET", "/status")[:20])
    assert server.ask_keeper("/status").seconds < 1
    for sock in [*silent, half]:
        sock.close()


def test_what_it_counts_for_itself_is_in_the_metrics(serve):
    reading, writing = os.pipe()
    server = serve(stderr=writing, wait=False)
    os.close(writing)
    os.close(reading)  # no line can be written from here on
    server.full()

    def metric(name):
        return int(re.search(rf"^postern_{name} (\d+)$", server.ask_keeper("/metrics").body.decode(), re.M)[1])

    assert metric("database_faults_total") >= 4  # each worker has asked for one that is not there
    dropped, refused = metric("log_dropped_total"), metric("heads_refused_total")
    for _ in range(10):
        server.ask_keeper("/healthz")  # a line each
    until(lambda: metric("log_dropped_total") >= dropped + 10, 5, "the lines that were dropped")
    with fcgi.connect(server.status_socket) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        until(lambda: metric("heads_refused_total") == refused + 1, 5, "the head that was refused")


# --- how it lives


def test_it_has_a_title_and_no_place_among_the_workers(server):
    server.full()
    keeper = there(server)
    assert pathlib.Path(f"/proc/{keeper}/comm").read_text() == "posternd-keeper\n"
    titles = sorted(command_line(p) for p in children(server.pid))
    assert titles[0] == "posternd: keeper" and len(titles) == 5
    assert keeper not in server.workers()


def test_it_is_replaced_when_it_dies(server):
    for number in signal.SIGKILL, signal.SIGABRT:
        keeper = there(server)
        os.kill(keeper, number)
        assert server.ask_keeper("/status").status == 200  # its socket stays open meanwhile
        there(server, but=keeper)
    assert [line["signal"] for line in server.log("keeper_died")] == ["KILL", "ABRT"]
    assert not server.log("worker_died")


def test_one_that_is_stopped_is_replaced(serve):
    server = serve({"pool.hard_limit_ms": 300})
    keeper = there(server)
    os.kill(keeper, signal.SIGSTOP)
    there(server, but=keeper)
    assert server.log("keeper_kill")[0]["reason"] == "stopped"
    assert server.ask_keeper("/status").status == 200


def test_one_that_cannot_start_delays_no_worker_and_is_tried_less_and_less(serve):
    server = serve({"pool.workers": 2})
    until(lambda: server.keeper(), 5)
    end = time.monotonic() + 3
    kills = 0
    while time.monotonic() < end:
        pid = server.keeper()
        if pid and process_alive(pid):
            os.kill(pid, signal.SIGABRT)
            kills += 1
        time.sleep(0.005)
    assert kills < 20
    assert len(server.full()) == 2 and not server.log("worker_died")
    os.kill(server.workers()[0], signal.SIGKILL)
    assert len(server.full()) == 2


def test_a_reload_replaces_it_and_no_status_fails_meanwhile(server):
    server.full()
    before = there(server)
    statuses, over = [], threading.Event()

    def ask():
        while not over.is_set():
            statuses.append(server.ask_keeper("/healthz").status)

    asking = threading.Thread(target=ask)
    asking.start()
    server.write(log_level="debug")
    assert server.ctl("reload").returncode == 0
    after = there(server, but=before)
    until(lambda: not process_alive(before), 5, "the end of the old keeper")
    over.set()
    asking.join()
    assert after != before and set(statuses) == {200} and len(statuses) > 5


def test_a_stop_ends_it_last(server):
    server.full()
    keeper = there(server)
    sock, busy = server.hold()
    server.process.send_signal(signal.SIGTERM)
    until(lambda: server.workers() == [busy], 5, "the end of the idle workers")
    assert process_alive(keeper)

    def states():
        return [w["state"] for w in json.loads(server.ask_keeper("/status").body)["workers"]]

    until(lambda: states() in (["busy"], ["busy", "draining"]), 5, "the parent to see that they ended")
    sock.close()
    assert server.stop() == 0
    assert not process_alive(keeper)
    ended = [line["event"] for line in server.log() if line["event"] in ("worker_ended", "keeper_ended")]
    assert ended == ["worker_ended"] * 4 + ["keeper_ended"]
    assert os.listdir(server.directory / "run") == ["board"]


def test_one_that_dies_while_workers_finish_is_replaced_and_ends_last():
    with Postern(sets={"pool.workers": 2}) as postern:
        editor = postern.api(contract=False).as_("editor")
        path = str(pathlib.Path(postern.socket).parent / "status.sock")
        with psycopg.connect(postern.postgres.admin) as connection:
            connection.execute("LOCK TABLE products")
            asked = Asked(lambda: editor.get("/v1/products"))
            until(lambda: locks_awaited(postern) == 1, 5, "the request to wait")
            keeper, mark = postern.keeper(), postern.log_size()
            os.kill(postern.pid, signal.SIGTERM)
            until(lambda: len(postern.workers()) == 1, 5, "the end of the idle worker")
            os.kill(keeper, signal.SIGKILL)
            answer = fcgi.ask(path, fcgi.request("GET", "/status"), timeout=2)
            assert answer.status == 200
            assert json.loads(answer.body)["keeper"]["pid"] not in (0, keeper)
            assert len(postern.workers()) == 1
        assert asked.answer().status == 200
        until(lambda: not process_alive(postern.pid), 10, "the end")
        events = [line["event"] for line in postern.log(mark) if line.get("event") in
                  ("worker_ended", "keeper_died", "keeper_ended", "stopped")]
        assert events == ["worker_ended", "keeper_died", "worker_ended", "keeper_ended", "stopped"]


def test_it_ends_with_a_parent_that_is_killed(server):
    keeper = there(server)
    server.process.kill()
    server.process.wait()
    until(lambda: not process_alive(keeper), 5, "the end of the keeper")
    server.start()
    assert there(server, but=keeper)


def test_the_service_manager_hands_over_its_socket_too(serve, tmp_path):
    with socket.socket(socket.AF_UNIX) as main, socket.socket(socket.AF_UNIX) as status:
        for sock, name in (main, "s"), (status, "t"):
            sock.bind(str(tmp_path / name))
            sock.listen(64)
            os.set_inheritable(sock.fileno(), True)
        script = f'exec env LISTEN_PID=$$ LISTEN_FDS=2 "$@" 3<&{main.fileno()} 4<&{status.fileno()}'
        server = serve(before=["bash", "-c", script, "bash"], pass_fds=[main.fileno(), status.fileno()])
    server.socket = str(tmp_path / "s")
    assert server.ask().status == 200
    assert fcgi.ask(str(tmp_path / "t"), fcgi.request("GET", "/status")).status == 200
    assert not os.path.exists(server.status_socket)
    assert server.stop() == 0
    assert (tmp_path / "t").exists()


# --- what it takes away


def test_expired_sessions_go_in_batches_and_two_keepers_share_them(serve):
    with Postern(sets={"pool.workers": 1}) as postern:
        user = postern.sql("SELECT id FROM users LIMIT 1")[0][0]
        insert = (
            "INSERT INTO sessions (id, user_id, kid, idle_expires_at, absolute_expires_at)"
            " SELECT gen_random_uuid(), %s, 'k', now() - %s::interval, now() - %s::interval"
            " FROM generate_series(1, %s)"
        )
        postern.sql(insert, [user, "2 days", "2 days", 2700])
        postern.sql(insert, [user, "1 hour", "1 hour", 3])
        postern.sql(insert, [user, "-1 hour", "-1 day", 2])
        # both begin at once: a keeper's first look is at its start
        second = serve({"database.dsn": f"postgresql://postern_worker@/postern?host={postern.postgres.sockets}"})
        os.kill(postern.keeper(), signal.SIGKILL)
        until(lambda: postern.sql("SELECT count(*) FROM sessions WHERE kid = 'k'") == [(5,)], 10, "the end of the old")
        done = [line for log in (second.log("job"), postern.log()) for line in log if line.get("event") == "job"]
        assert sum(line["rows"] for line in done) == 2700
        assert max(line["rows"] for line in done) == 500
        assert not [line for line in done if "code" in line]


def test_a_database_that_does_not_answer_does_not_keep_it_from_answering():
    with Postern(sets={"pool.workers": 1}) as postern:
        path = str(pathlib.Path(postern.socket).parent / "status.sock")
        postern.log_until(lambda line: line.get("event") == "listener_hears")
        postern.postgres.pause()
        try:
            mark = postern.log_size()
            end = time.monotonic() + 4
            slowest = 0.0
            while time.monotonic() < end:
                answer = fcgi.ask(path, fcgi.request("GET", "/status"))
                assert answer.status == 200
                slowest = max(slowest, answer.seconds)
            assert slowest < 1.5  # a job may have been under way
            assert any(line.get("event") == "listener_deaf" for line in postern.log(mark))
        finally:
            postern.postgres.resume()
        postern.log_until(lambda line: line.get("event") == "listener_hears", mark)
