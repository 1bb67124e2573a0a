"""posternd by itself, without a web server or a database: for tests of its processes.

    with Server({"pool.workers": 2}) as server:
        assert server.ask("/healthz").status == 200
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import fcgi
from bench import TOP, children, command_line, process_alive, until

PROGRAMS = pathlib.Path(os.environ.get("POSTERN_BUILD", TOP / ".build"))
POSTERND, POSTERNCTL = PROGRAMS / "posternd", PROGRAMS / "posternctl"


class Server:
    """
    One posternd with a directory of its own.

    sets     settings by name; run.dir, listen.socket and a database that nobody runs are given
    before   words of the command line before posternd's own: another program that starts it
    args     more of its arguments
    env      more of its environment
    wait     until a worker can serve
    """

    def __init__(self, sets=None, before=(), args=(), env=None, wait=True, **popen):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postern-fault.", dir="/tmp"))
        self.socket = str(self.directory / "s")
        self.config = self.directory / "postern.conf"
        self.sets = {
            "run.dir": self.directory / "run",
            "listen.socket": self.socket,
            "database.dsn": f"host={self.directory}/none dbname=none",
            "pool.workers": 4,
            "pool.gather_bytes": 0,  # or no body would hold a worker
            **(sets or {}),
        }
        self.before, self.args, self.env, self.popen = before, args, env, popen
        self.process = None
        (self.directory / "run").mkdir()
        self.directory.chmod(0o755)
        self.write()
        self.start(wait)

    def write(self, **sets):
        """Put settings into the file: write(pool_workers=2)."""
        for name, value in sets.items():
            self.sets[name.replace("_", ".", 1)] = value
        lines = [f"[{name.split('.')[0]}]\n{name.split('.')[1]} = {value}\n" for name, value in self.sets.items()]
        self.config.write_text("".join(lines))

    def command(self, *args):
        return [*map(str, self.before), str(POSTERND), "--config", str(self.config), *map(str, args)]

    def start(self, wait=True):
        log = open(self.directory / "log", "ab")
        more = {"stderr": log, **self.popen}
        self.process = subprocess.Popen(
            self.command(*self.args), stdin=subprocess.DEVNULL,
            env={**os.environ, **{k: str(v) for k, v in (self.env or {}).items()}}, **more
        )
        log.close()
        if wait:
            until(lambda: self.ready() or self.process.poll() is not None, 10, "a worker that is ready")
            assert self.process.poll() is None, self.log_text()

    def ready(self):
        return any(line.get("event") == "ready" and line["pid"] == self.pid for line in self.log())

    @property
    def pid(self):
        return self.process.pid

    @property
    def status_socket(self):
        return str(self.directory / "run" / "status.sock")

    def keeper(self):
        """Pid of the keeper; None while it is replaced."""
        return next((p for p in children(self.pid) if command_line(p) == "posternd: keeper"), None)

    def workers(self):
        return [p for p in children(self.pid) if re.match(r"posternd: worker", command_line(p))]

    def full(self, n=None):
        """The pids of n workers (those of the settings), once there are so many and all can serve."""
        n = n or int(self.sets["pool.workers"])
        return until(lambda: w if len(w := self.idle()) == n else None, 15, f"{n} workers")

    def idle(self):
        status = self.status()
        serving = [w["pid"] for w in status["workers"] if w["state"] in ("idle", "busy")]
        return [p for p in self.workers() if p in serving]

    def ask(self, uri="/healthz", **how):
        return fcgi.ask(self.socket, fcgi.request("GET", uri), **how)

    def ask_keeper(self, uri="/status", **variables):
        """What the keeper answers on its own socket."""
        return fcgi.ask(self.status_socket, fcgi.request("GET", uri, **variables))

    def hold(self, request_id="held", body=b'{"email":', total=1000):
        """A connection whose request holds a worker: its body never ends. Returns it and the worker."""
        data = fcgi.head(fcgi.variables(
            "POST", "/v1/auth/login", body, CONTENT_LENGTH=total, HTTP_X_REQUEST_ID=request_id))
        sock = fcgi.connect(self.socket)
        sock.sendall(data + fcgi.records(fcgi.STDIN, body))
        busy = until(lambda: self.busy(request_id), 5, "a busy worker")
        return sock, busy

    def busy(self, request_id):
        for worker in self.status()["workers"]:
            if worker["state"] == "busy" and worker["request_id"] == request_id:
                return worker["pid"]
        return None

    def status(self):
        done = self.ctl("status", "--json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"pid": 0, "workers": []}

    def ctl(self, *args, check=True):
        return subprocess.run([str(POSTERNCTL), "--config", str(self.config), *args], check=check,
                              text=True, capture_output=True, timeout=60)

    def log_text(self):
        return (self.directory / "log").read_text()

    def log(self, event=None):
        """Lines of the log as dicts, or those of one event."""
        whole, _, _ = self.log_text().rpartition("\n")  # the last line may be under way
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if event in (None, line["event"])]

    def log_until(self, event, seconds=10):
        return until(lambda: self.log(event), seconds, f"{event} in the log")[-1]

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Send the signal; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def close(self):
        left = self.workers()
        if self.process.poll() is None:
            self.stop()
        for pid in left:
            if process_alive(pid):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
