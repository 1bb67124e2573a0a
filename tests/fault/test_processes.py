"""The parent and its workers: what is promised when one of them is killed, stopped, told or replaced."""

import contextlib
import ctypes
import grp
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import stat
import statistics
import struct
import subprocess
import threading
import time

import fcgi
import pytest
from bench import TOP, children, command_line, process_alive, until
from server import POSTERNCTL, POSTERND, Server

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

FAIL_AT_START = """
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Workers wait with epoll, the parent does not. */
int
epoll_create1(int flags)
{
	const char *file = getenv("FAIL_WHILE");

	if (file != NULL && access(file, F_OK) == 0) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_epoll_create1, flags);
}
"""

BOARD_SLOTS = int(re.search(r"#define BOARD_SLOTS (\d+)", (TOP / "common/board.h").read_text())[1])


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """Make the environment and the file of a server whose workers fail at their start while it exists."""
    made = tmp_path_factory.mktemp("failing")
    (made / "fail.c").write_text(FAIL_AT_START)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made / "fail.so", made / "fail.c"], check=True)
    flag = made / "flag"
    yield {"LD_PRELOAD": made / "fail.so", "FAIL_WHILE": flag}, flag


@contextlib.contextmanager
def load(server, clients=8):
    """Ask all the time, from several threads; yields the list of what was answered."""
    answers, over = [], threading.Event()

    def client():
        while not over.is_set():
            try:
                answers.append(server.ask(timeout=10).status)
            except OSError as error:
                answers.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def finish(sock, sent=b'{"email":', total=1000):
    """Send what is missing of a held request, and read its answer."""
    rest = b" " * (total - len(sent))
    return fcgi.talk(sock, fcgi.records(fcgi.STDIN, rest) + fcgi.record(fcgi.STDIN))


# --- deaths


def test_killed_idle_workers_are_replaced_before_anybody_notices(server):
    seconds = []
    for _ in range(30):
        before = server.full()
        victim = random.choice(before)
        start = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(w := server.workers()) == 4 and victim not in w, 5, "the new worker")
        seconds.append(time.monotonic() - start)
        assert server.ask().status == 200
    assert statistics.median(seconds) < 0.1
    assert max(seconds) < 1


def test_workers_killed_all_at_once_are_all_there_again(server):
    for _ in range(5):
        before = server.full()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not set(before) & set(server.workers()), 5, "the end of the old workers")
        server.full()
        assert server.ask().status == 200


def test_a_crash_is_logged_with_its_signal_and_its_request(server):
    server.full()
    sock, pid = server.hold("crash-1")
    os.kill(pid, signal.SIGSEGV)
    line = server.log_until("worker_died")
    assert (line["worker"], line["signal"], line["request_id"]) == (pid, "SEGV", "crash-1")
    assert line["route"]
    assert line["level"] == "error"
    assert fcgi.talk(sock).closed
    sock.close()
    assert server.ask().status == 200


def test_a_crash_leaves_no_core_file_unless_the_settings_ask_for_one(serve):
    for wanted, limit in (("off", 0), ("on", resource.getrlimit(resource.RLIMIT_CORE)[1])):
        server = serve({"run.core_dumps": wanted, "pool.workers": 1})
        pid = server.full()[0]
        assert resource.prlimit(pid, resource.RLIMIT_CORE)[0] == limit
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        assert soft == min(hard, 65536)


def test_a_stopped_worker_is_replaced(serve):
    server = serve({"pool.workers": 2, "pool.hard_limit_ms": 300})
    stopped = server.full()[0]
    start = time.monotonic()
    os.kill(stopped, signal.SIGSTOP)
    until(lambda: not process_alive(stopped), 5, "the end of the stopped worker")
    assert 0.3 <= time.monotonic() - start < 2
    assert stopped not in server.full()
    assert server.log_until("worker_kill")["reason"] == "stopped"


def test_a_worker_stopped_for_a_moment_is_left_alone(serve):
    server = serve({"pool.workers": 2, "pool.hard_limit_ms": 5000})
    before = server.full()
    os.kill(before[0], signal.SIGSTOP)
    os.kill(before[0], signal.SIGCONT)
    assert [server.ask().status for _ in range(20)] == [200] * 20
    assert server.workers() == before


def test_a_worker_past_its_hard_limit_is_killed_and_named(serve):
    """ptrace(2) halts it without its parent being told, as a loop without end would."""
    seize, interrupt, wall = 0x4206, 0x4207, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    server = serve({"pool.workers": 2, "pool.request_deadline_ms": 500, "pool.hard_limit_ms": 300})
    server.full()
    sock, pid = server.hold("stuck-1")
    if libc.ptrace(seize, pid, None, None) != 0:
        pytest.skip("ptrace is not permitted here")
    assert libc.ptrace(interrupt, pid, None, None) == 0
    os.waitpid(pid, wall)
    line = server.log_until("worker_kill")
    assert (line["worker"], line["request_id"], line["reason"]) == (pid, "stuck-1", "past its hard limit")
    os.waitpid(pid, wall)  # the tracer is told first, then the parent
    sock.close()
    assert pid not in server.full()


def test_workers_that_die_at_their_start_cause_no_storm_of_forks(serve, failing):
    env, flag = failing
    flag.write_text("")
    server = serve(env=env, sets={"pool.workers": 4}, wait=False)
    time.sleep(3)  # what is measured is how many deaths fit in
    cpu = sum(map(int, pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    deaths = len(server.log("worker_died"))
    # four at first, then one each after 50, 100, 200, 400, 800, 1600 ms
    assert 6 <= deaths <= 12
    assert cpu < 0.05 * 3 * os.sysconf("SC_CLK_TCK") + 5
    flag.unlink()
    assert len(server.full()) == 4
    assert server.ask().status == 200


@root_only
def test_fork_failures_leave_fewer_workers_until_there_is_room(serve):
    user = next((u for u in ("games", "news", "uucp") if not user_has_processes(u)), None)
    if user is None:
        pytest.skip("needs a user without processes")
    others = [subprocess.Popen(["sleep", "100"], user=user) for _ in range(2)]
    directory = "/tmp/postern-fault-nproc"
    try:
        server = serve({"run.user": user, "pool.workers": 4, "run.dir": directory},
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (6, 6)))
        server.log_until("worker_start")
        assert len(server.workers()) == 2
        assert server.ask().status == 200
    finally:
        for other in others:
            other.kill()
            other.wait()
    until(lambda: len(server.workers()) == 4, 15, "all workers")
    server.close()
    shutil.rmtree(directory)


def user_has_processes(name):
    return subprocess.run(["pgrep", "-u", name], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_after_the_parent_was_killed_workers_end_and_a_new_start_succeeds_at_once(server):
    before = server.full()
    sock, busy = server.hold()
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    until(lambda: [p for p in before if process_alive(p)] == [busy], 5, "the end of the idle workers")
    server.start()  # while one of the old workers still serves
    assert server.ask().status == 200
    assert finish(sock).status is not None
    sock.close()
    until(lambda: not process_alive(busy), 5, "the end of the busy worker")
    assert len(server.full()) == 4


def test_a_worker_that_outlives_a_killed_parent_ends_with_the_next_ones_patience(serve):
    server = serve({"pool.workers": 2, "pool.drain_ms": 300})
    stopped = server.full()[0]
    os.kill(stopped, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    assert process_alive(stopped)
    server.start()
    until(lambda: not process_alive(stopped), 5, "the end of the orphan")


# --- reloads


def test_a_reload_changes_workers_and_their_number(server):
    before = server.full()
    server.write(pool_workers=6)
    assert server.ctl("reload").returncode == 0
    until(lambda: not any(map(process_alive, before)), 10, "the end of the old workers")
    assert len(server.full(6)) == 6
    server.write(pool_workers=2)
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: len(server.workers()) == 2, 10, "two workers")


def test_a_reload_with_a_bad_configuration_changes_nothing(server):
    before = server.full()
    good = server.config.read_text()
    server.config.write_text(good + "[pool]\nworkrs = 2\n")
    os.kill(server.pid, signal.SIGHUP)
    line = server.log_until("reload_refused")
    assert f"postern.conf:{good.count(chr(10)) + 2}: pool.workrs: there is no such setting" in line["detail"]
    assert "pool.workers" in line["detail"]
    assert server.workers() == before
    refused = server.ctl("reload", check=False)
    assert refused.returncode == 78
    assert "pool.workrs" in refused.stderr
    server.config.write_text(good)
    assert server.ctl("reload").returncode == 0


def test_settings_that_need_a_restart_stay_and_are_named(server):
    server.full()
    server.write(listen_backlog=17)
    done = server.ctl("reload")
    assert done.returncode == 0
    assert "listen.backlog" in done.stderr
    server.log_until("reloaded")
    assert server.ask().status == 200


def test_a_reload_whose_workers_do_not_start_is_undone(serve, failing):
    env, flag = failing
    flag.unlink(missing_ok=True)
    server = serve(env=env)
    before = server.full()
    flag.write_text("")
    refused = server.ctl("reload", check=False)
    assert refused.returncode == 78
    assert "do not start" in refused.stderr
    until(lambda: sorted(server.workers()) == sorted(before), 5, "the old workers alone")
    assert server.ask().status == 200
    flag.unlink()
    os.kill(before[0], signal.SIGKILL)  # and the old generation is kept whole again
    until(lambda: len(server.workers()) == 4 and before[0] not in server.workers(), 5, "the new worker")


def test_no_request_fails_while_the_server_reloads(server):
    server.full()
    with load(server) as answers:
        for _ in range(10):
            assert server.ctl("reload").returncode == 0
    assert len(answers) > 100
    assert set(answers) == {200}


def test_a_reload_waits_for_requests_that_have_begun(server):
    server.full()
    sock, busy = server.hold()
    assert server.ctl("reload").returncode == 0
    until(lambda: len(server.workers()) == 5, 5, "the end of the idle old workers")
    assert process_alive(busy)
    assert finish(sock).ended == fcgi.REQUEST_COMPLETE
    sock.close()
    until(lambda: not process_alive(busy), 5, "the end of the old worker")


@contextlib.contextmanager
def slots_taken(server):
    """All slots of the board that are free belong to a process that lives: they begin with its pid."""
    workers = {w["slot"]: w["pid"] for w in server.status()["workers"]}
    board = bytearray((server.directory / "run/board").read_bytes())
    at = {slot: next(i for i in range(0, len(board), 64) if board[i:i + 4] == struct.pack("i", pid))
          for slot, pid in workers.items()}
    low, high = min(at), max(at)
    size = (at[high] - at[low]) // (high - low)
    with subprocess.Popen(["sleep", "100"]) as other, open(server.directory / "run/board", "r+b") as file:
        for slot in range(BOARD_SLOTS):
            start = at[low] + (slot - low) * size
            if board[start:start + 4] == bytes(4):
                file.seek(start)
                file.write(struct.pack("iIQi", other.pid, 0, 0, other.pid))  # pid, seq, its start, owner
        file.flush()
        try:
            yield
        finally:
            other.kill()


def test_a_reload_for_which_the_board_has_no_room_says_so(server):
    before = server.full()
    with slots_taken(server):
        refused = server.ctl("reload", check=False)
        assert refused.returncode == 78
        assert "do not start; the board has no free slot" in refused.stderr
        assert sorted(server.workers()) == sorted(before)
    until(lambda: server.ctl("reload", check=False).returncode == 0, 10, "room")


@contextlib.contextmanager
def reload_slow(server):
    """A setting with which a reload takes three seconds: a database that takes connections and says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        server.write(database_dsn=f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=none")
        yield


def spoil(server):
    """Only the server meets a fault in its settings. Returns the command that has it reload."""
    good = server.directory / "good.conf"
    good.write_text(server.config.read_text())
    server.config.write_text(good.read_text() + "[pool]\nworkrs = 2\n")
    return [POSTERNCTL, "--config", good, "reload"]


def test_a_reload_that_somebody_else_began_is_no_answer(server):
    server.full()
    with reload_slow(server):
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: len(server.workers()) == 8, 5, "a reload that is under way")
        refused = subprocess.run(spoil(server), capture_output=True, text=True, check=False)
    assert [line["event"] for line in server.log() if line["event"].startswith("reload")] == ["reloaded", "reload_refused"]
    assert refused.returncode == 78 and "pool.workrs" in refused.stderr


def test_two_who_reload_at_once_are_each_told_how_theirs_ended(server):
    server.full()
    with reload_slow(server):
        first = subprocess.Popen([POSTERNCTL, "--config", server.config, "reload"], stdout=subprocess.PIPE, text=True)
        until(lambda: len(server.workers()) == 8, 5, "a reload that is under way")
        first.send_signal(signal.SIGSTOP)
        server.log_until("reloaded")
    second = subprocess.Popen(spoil(server), stderr=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.5)  # what is looked for is that nothing comes
    first.send_signal(signal.SIGCONT)
    assert (first.communicate(timeout=5)[0], first.returncode) == ("generation 2 serves\n", 0)
    assert "pool.workrs" in second.communicate(timeout=5)[1] and second.returncode == 78


# --- the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_what_has_begun_is_finished_before_the_end(server, number):
    server.full()
    sock, busy = server.hold()
    server.process.send_signal(number)
    until(lambda: server.workers() == [busy], 5, "the end of the idle workers")
    assert finish(sock).ended == fcgi.REQUEST_COMPLETE
    sock.close()
    assert server.stop() == 0
    assert not os.path.exists(server.socket)
    assert os.listdir(server.directory / "run") == ["board"]


def test_a_worker_that_does_not_finish_is_killed_when_its_time_is_over(serve):
    server = serve({"pool.drain_ms": 300, "pool.workers": 2})
    server.full()
    sock, busy = server.hold()
    start = time.monotonic()
    assert server.stop() == 0
    assert 0.3 <= time.monotonic() - start < 3
    assert server.log("worker_kill")[0]["worker"] == busy
    sock.close()


def test_a_stop_in_the_middle_of_load_cuts_no_answer(serve):
    for _ in range(5):
        server = serve({"pool.workers": 4})
        server.full()
        with load(server) as answers:
            until(lambda: len(answers) > 50, 10, "some load")
            assert server.stop() == 0
        seen = {a for a in answers if not isinstance(a, OSError)}
        # None: the connection was closed before a byte was answered
        assert seen <= {200, 503, None}
        server.close()


def test_drain_waits_for_the_end(server):
    server.full()
    waits = threading.Thread(target=lambda: server.process.wait(30))
    waits.start()
    assert server.ctl("drain").returncode == 0
    waits.join()
    assert server.process.returncode == 0
    assert server.ctl("status", check=False).returncode == 69


def test_drain_waits_for_a_keeper_that_takes_its_time_after_the_workers(serve):
    server = serve({"pool.drain_ms": 4000, "pool.hard_limit_ms": 7000, "pool.workers": 2})
    server.full()
    sock, busy = server.hold()
    keeper = until(server.keeper, 5, "a keeper")
    start = time.monotonic()
    os.kill(keeper, signal.SIGSTOP)  # until the hard limit
    waits = threading.Thread(target=lambda: server.process.wait(30))
    waits.start()
    drained = server.ctl("drain", check=False)
    took = time.monotonic() - start
    waits.join()
    sock.close()
    assert (drained.returncode, drained.stderr) == (0, "")
    assert 6.5 < took < 8 and not process_alive(busy)


# --- starts


def start_second(server, *args):
    return subprocess.run(server.command(*args), capture_output=True, text=True, timeout=20, check=False)


def test_a_second_start_is_refused_and_the_first_does_not_notice(server):
    before = server.full()
    second = start_second(server)
    assert second.returncode == 75
    assert f"another posternd (pid {server.pid}) runs in" in second.stderr
    elsewhere = server.directory / "elsewhere"
    elsewhere.mkdir()
    third = start_second(server, "--set", f"run.dir={elsewhere}")
    assert third.returncode == 69
    assert "in use by another server" in third.stderr
    assert server.workers() == before
    assert server.ask().status == 200


def test_a_stale_socket_is_replaced_and_any_other_file_is_kept(serve):
    server = serve()
    server.stop()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(server.socket)
    server.start()
    assert server.ask().status == 200
    server.stop()
    pathlib.Path(server.socket).write_text("precious")
    refused = start_second(server)
    assert refused.returncode == 69
    assert "no socket" in refused.stderr
    assert pathlib.Path(server.socket).read_text() == "precious"


def test_the_socket_has_the_mode_the_group_and_the_backlog_of_the_settings(serve):
    group = grp.getgrgid(os.getegid()).gr_name
    server = serve({"listen.mode": "0606", "listen.group": group, "listen.backlog": 123})
    about = os.stat(server.socket)
    assert stat.S_IMODE(about.st_mode) == 0o606
    assert about.st_gid == os.getegid()
    if shutil.which("ss"):
        line = subprocess.run(["ss", "-xlnH", "src", server.socket], capture_output=True, text=True, check=True).stdout
        assert line.split()[3] == "123"


def test_tcp_is_served_on_numeric_addresses(serve):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve({"listen.socket": f"127.0.0.1:{port}"})
    assert fcgi.ask(f"127.0.0.1:{port}", fcgi.request("GET", "/healthz")).status == 200


def test_spawn_fcgi_hands_over_its_socket(serve):
    server = Server.__new__(Server)
    path = f"/tmp/postern-fault-{os.getpid()}.sock"
    Server.__init__(server, {"listen.socket": "/nonexistent/never"},
                    before=["spawn-fcgi", "-n", "-s", path, "-M", "0600", "--"])
    try:
        server.socket = path
        assert command_line(server.pid) == "posternd: parent"
        assert len(server.full()) == 4
        assert server.ask().status == 200
        before = server.workers()
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: not set(before) & set(server.workers()), 10, "the change of workers")
        assert server.ask().status == 200
        assert server.stop() == 0
    finally:
        server.close()
        os.unlink(path)


def test_the_service_manager_hands_over_its_socket(serve, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        os.set_inheritable(listening.fileno(), True)
        fd = listening.fileno()
        script = f'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&{fd}'
        server = serve(before=["bash", "-c", script, "bash"], pass_fds=[fd])
    server.socket = path
    assert server.ask().status == 200
    assert not any(b"LISTEN_" in pathlib.Path(f"/proc/{p}/environ").read_bytes() for p in server.workers())
    assert server.stop() == 0
    assert os.path.exists(path)  # it is not ours to remove


def test_the_service_manager_is_told(tmp_path, serve):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        server = serve(env={"NOTIFY_SOCKET": tmp_path / "notify", "WATCHDOG_USEC": 200000})
        said = []

        def hear(wanted):
            while wanted not in (line := manager.recv(4096).decode()):
                said.append(line)

        hear("READY=1")
        hear("WATCHDOG=1")
        server.ctl("reload")
        hear("RELOADING=1\nMONOTONIC_USEC=")
        hear("READY=1")
        server.stop()
        hear("STOPPING=1")


def test_workers_under_a_foreign_supervisor_share_the_board(serve, tmp_path):
    server = serve({"pool.workers": 1})
    path = str(tmp_path / "s")
    done = subprocess.run(
        ["spawn-fcgi", "-s", path, "-F", "2", "-P", tmp_path / "pids", "--", POSTERND, "--config",
         server.config, "--worker"], check=True, capture_output=True)
    assert done.returncode == 0
    pids = [int(p) for p in (tmp_path / "pids").read_text().split()]
    try:
        until(lambda: set(pids) <= {w["pid"] for w in server.status()["workers"]}, 10, "both on the board")
        assert fcgi.ask(path, fcgi.request("GET", "/healthz")).status == 200
        os.kill(pids[0], signal.SIGTERM)
        until(lambda: pids[0] not in {w["pid"] for w in server.status()["workers"]}, 5, "its slot to be free")
        os.kill(pids[1], signal.SIGKILL)
        until(lambda: len(server.status()["workers"]) == 1, 5, "the slot of the dead to be free")
    finally:
        for pid in pids:
            if process_alive(pid) and "posternd" in command_line(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_lone_worker_without_a_socket_says_so(serve):
    server = serve()
    refused = start_second(server, "--worker", "--set", f"run.dir={server.directory}/other")
    assert refused.returncode == 64
    assert "descriptor 0" in refused.stderr


# --- what shows, and what does not


def test_titles_say_who_is_who_and_secrets_do_not_show(serve):
    secret = "0123456789abcdef0123456789abcdef"
    server = serve(args=["--set", "database.dsn=host=/none password=hunter2secret"], env={"POSTERN_AUTH_SECRET": secret})
    server.full()
    assert command_line(server.pid) == "posternd: parent"
    assert pathlib.Path(f"/proc/{server.pid}/comm").read_text() == "posternd\n"
    for pid in [server.pid, *children(server.pid)]:
        shown = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        assert secret.encode() not in shown
        assert b"hunter2secret" not in shown
    assert "hunter2secret" not in server.log_text()


@root_only
def test_root_becomes_the_user_of_the_settings(serve):
    server = serve({"run.user": "nobody", "run.dir": "/tmp/postern-fault-user", "listen.group": "nogroup"})
    try:
        for pid in [server.pid, *server.workers()]:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            ids = dict(line.split(":", 1) for line in text.splitlines())
            assert set(ids["Uid"].split()) == {"65534"}
            assert set(ids["Gid"].split()) == {"65534"}
            assert "0" not in ids["Groups"].split()
        assert os.stat("/tmp/postern-fault-user").st_uid == 65534
        assert server.ask().status == 200
        server.config.chmod(0o644)
        os.kill(server.pid, signal.SIGHUP)
        server.log_until("reloaded")
    finally:
        server.close()
        shutil.rmtree("/tmp/postern-fault-user")


def test_a_log_whose_reader_is_gone_stops_nobody(serve):
    reading, writing = os.pipe()
    server = serve(stderr=writing, wait=False)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    before = server.full()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: before[0] not in server.workers(), 5, "the end of the killed worker")
    server.full()
    assert [server.ask().status for _ in range(20)] == [200] * 20


@root_only
def test_a_board_for_which_there_is_no_room_stops_the_start(serve, tmp_path):
    server = serve()
    little = tmp_path / "little"
    little.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", little], check=False).returncode:
        pytest.skip("mount is not permitted here")
    try:
        refused = start_second(server, "--set", f"run.dir={little}", "--set", f"listen.socket={little}/s")
    finally:
        subprocess.run(["umount", little], check=True)
    assert refused.returncode == 73
    assert "No space left" in refused.stderr
