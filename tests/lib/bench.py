"""The bench under the tests: private clusters and whole instances, started and stopped for them.

    with Postern(front="apache", sets={"pool.workers": 2}) as postern:
        api = postern.api()
        assert api.get("/healthz").status == 200

Nothing here waits for a time: it waits for an event, with a limit.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import psycopg

from api import Answer, Api
from contract import Contract

__all__ = ["Answer", "Api", "Contract", "Postern", "Postgres", "until", "process_alive"]

TOP = pathlib.Path(__file__).resolve().parents[2]


SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:")


def until(true, seconds=10, what="it"):
    """Call until the result is true, and return that; AssertionError when the time is over."""
    end = time.monotonic() + seconds
    while True:
        result = true()
        if result:
            return result
        assert time.monotonic() < end, f"{what} did not come true in {seconds} s"
        time.sleep(0.01)


def process_state(pid):
    """The kernel's letter for a process; None when there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rsplit(")", 1)[1].split()[0]


def process_alive(pid):
    return process_state(pid) not in (None, "Z", "X")


def children(pid):
    """Living children of a process, oldest first."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(p) for p in text.split() if process_alive(int(p))]


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def short_dir():
    """A new path below /tmp, not made yet: as root, scripts/up gives it to another user."""
    path = tempfile.mkdtemp(prefix="postern-test.", dir="/tmp")
    os.rmdir(path)
    return pathlib.Path(path)


class Owned:
    """A state directory of scripts/up: its paths, and running commands as its owner."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    @property
    def state(self):
        link = self.directory / "state"
        return link.resolve() if link.is_symlink() else self.directory

    def as_owner(self, *command, quiet=False, **more):
        """
        subprocess.run as the user that the services run as, output captured as text.

        quiet   no output at all: for what leaves a process behind that would keep it open
        """
        owner = os.stat(self.state / "run")
        if os.geteuid() == 0 and owner.st_uid != 0:
            more.update(user=owner.st_uid, group=owner.st_gid, extra_groups=[])
        if quiet:
            null = subprocess.DEVNULL
            more.update(stdin=null, stdout=null, stderr=null)
        else:
            more.update(text=True, capture_output=True)
        more.setdefault("check", True)
        more.setdefault("timeout", 90)
        return subprocess.run([str(c) for c in command], cwd="/", **more)


class Postgres(Owned):
    """
    A private cluster with the migrated database `postern`.

    dsn     of the schema's owner, who is not a superuser
    admin   DSN of the cluster's superuser
    """

    def __init__(self, directory):
        super().__init__(directory)
        sockets = (self.state / "sockets").read_text().strip()
        self.dsn = f"postgresql://postern_owner@/postern?host={sockets}"
        self.admin = f"postgresql://postgres@/postern?host={sockets}"
        self.sockets = sockets
        self.data = self.state / "pg"

    @classmethod
    def private(cls):
        """A cluster without posternd. Close it."""
        directory = short_dir()
        run_script("up", "--dir", directory, "--migrations-only")
        return cls(directory)

    def close(self):
        run_script("down", "--dir", self.directory)
        remove(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def ctl(self, *args):
        self.as_owner(pg_bin() / "pg_ctl", "-D", self.data, "-w", "-t", "60", *args, quiet=True)

    def start(self):
        log = self.state / "log" / "postgresql.log"
        self.ctl("-l", log, "-o", f"-c unix_socket_directories='{self.sockets}'", "start")

    def stop(self, mode="fast"):
        """mode: smart, fast or immediate (as after a loss of power)."""
        self.ctl("-m", mode, "stop")

    def pause(self):
        """Stop every process of the cluster where it stands: sockets stay open, nothing answers."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def pids(self):
        pid = self.pid
        return [pid, *children(pid)] if pid else []

    def sql(self, text, params=None, dsn=None):
        """Rows of a statement, run as the superuser unless dsn says who; [] when it has none."""
        with psycopg.connect(dsn or self.admin, autocommit=True) as connection:
            cursor = connection.execute(text, params)
            return cursor.fetchall() if cursor.description else []


class Postern(Owned):
    """
    One running instance: scripts/up with a directory and a port of its own.

    front   lighttpd, apache or nginx
    sets    settings by name: {"pool.workers": 2}
    redis   True: with a Redis; then its URL
    url config socket database admin_email admin_password pid: as scripts/up prints them
    """

    def __init__(self, front="lighttpd", sets=None, build=None, directory=None, redis=False):
        super().__init__(directory or short_dir())
        self.front = front
        self.sets = dict(sets or {})
        self.build = build
        self.redis = redis
        self.up()

    def up(self, port=0):
        env = dict(os.environ)
        if self.build:
            env["POSTERN_BUILD"] = str(self.build)
        args = ["--dir", self.directory, "--port", str(port), "--front", self.front]
        if self.redis:
            args.append("--redis")
        for name, value in self.sets.items():
            args += ["--set", f"{name}={setting_text(value)}"]
        values = dict(
            line.split("=", 1) for line in run_script("up", *args, env=env).splitlines() if "=" in line
        )
        self.url = values["url"]
        self.config = pathlib.Path(values["config"])
        self.socket = values["socket"]
        self.database = values["database"]
        self.admin_email = values["admin_email"]
        self.admin_password = values["admin_password"]
        self.pid = int(values["posternd_pid"])
        self.redis = values.get("redis")
        self.postgres = Postgres(self.directory)
        self.contract = None

    def down(self):
        run_script("down", "--dir", self.directory)

    def close(self):
        self.down()
        reports = self.sanitizer_reports()
        remove(self.directory)
        assert not reports, "\n".join(reports)

    def sanitizer_reports(self):
        """What a build with --enable-sanitize has said of memory; nothing in any other build."""
        log = (self.state / "log/posternd.log").read_text(errors="replace")
        return [line for line in log.splitlines() if SANITIZER.search(line)][:20]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def port(self):
        return int(re.search(r":(\d+)", self.url.split("//")[1]).group(1))

    def restart(self, **sets):
        """Stop and start with settings added: restart(pool_workers=2); the port stays."""
        for name, value in sets.items():
            self.sets[name.replace("_", ".", 1)] = value
        self.down()
        self.up(self.port)

    def set(self, **sets):
        """Change settings in the configuration and reload; returns when new workers serve alone."""
        lines = self.config.read_text().splitlines()
        for name, value in sets.items():
            section, key = name.split("_", 1)
            lines = setting_put(lines, section, key, setting_text(value))
        self.config.write_text("\n".join(lines) + "\n")
        self.reload()

    def reload(self, seconds=20):
        """HUP, and wait until no worker of before is left."""
        before = set(self.workers())
        os.kill(self.pid, signal.SIGHUP)
        until(
            lambda: self.workers() and not before & set(self.workers()),
            seconds,
            "the change of workers",
        )

    # --- what runs

    def workers(self):
        """Pids of the workers, in the order of their start."""
        return [p for p in children(self.pid) if re.match(r"posternd: worker", command_line(p))]

    def front_pid(self):
        for line in (self.state / "pids").read_text().splitlines():
            name, pid, _ = line.split()
            if name == self.front:
                return int(pid)
        return None

    # --- what it says

    def log_size(self):
        """A mark for log(since=...)."""
        path = self.state / "log" / "posternd.log"
        return path.stat().st_size if path.exists() else 0

    def log(self, since=0):
        """Lines of the log as dicts; what is not JSON as {"text": line}."""
        lines = []
        with open(self.state / "log" / "posternd.log", "rb") as file:
            file.seek(since)
            for line in file.read().decode("utf-8", "replace").splitlines():
                try:
                    lines.append(json.loads(line))
                except ValueError:
                    lines.append({"text": line})
        return lines

    def log_until(self, fits, since=0, seconds=10):
        """The first line that fits, waiting for it."""
        return until(
            lambda: next((line for line in self.log(since) if fits(line)), None),
            seconds,
            "the line of the log",
        )

    # --- its tools

    def ctl(self, *args, **more):
        """posternctl with this instance's configuration; returns the finished process."""
        return self.as_owner(self.state / "inst/sbin/posternctl", *args, "--config", self.config, **more)

    def user_add(self, email, role, password):
        self.ctl("user", "add", "--email", email, "--role", role, "--password-file", "-", input=password + "\n")

    def sql(self, text, params=None):
        return self.postgres.sql(text, params)

    def change(self, statement, params, words):
        """Change rows by hand and say so, as a program would: words as in fcgi/revoke.h, "u:UUID"."""
        with psycopg.connect(self.postgres.admin) as connection:
            connection.execute(statement, params)
            connection.execute("SELECT pg_notify('postern_epochs', %s)", [words])

    def keeper(self):
        """Pid of the keeper; None while it is replaced."""
        return next((p for p in children(self.pid) if command_line(p) == "posternd: keeper"), None)

    def api(self, contract=True, **more):
        """A client that belongs to nobody; every answer is held to /openapi.json unless told not to."""
        if contract and self.contract is None:
            with urllib.request.urlopen(self.url + "/openapi.json", timeout=30) as answer:
                self.contract = Contract(json.load(answer))
        return Api(self, self.contract if contract else None, **more)


def run_script(name, *args, env=None):
    """One of scripts/, its standard output; AssertionError with its words when it fails."""
    done = subprocess.run(
        [str(TOP / "scripts" / name), *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"scripts/{name} {' '.join(map(str, args))}: {done.stderr}"
    return done.stdout


def remove(directory):
    state = Owned(directory).state
    sockets = (state / "sockets").read_text().strip() if (state / "sockets").exists() else None
    for path in {state, directory, *([pathlib.Path(sockets)] if sockets else [])}:
        shutil.rmtree(path, ignore_errors=True)


def pg_bin():
    done = subprocess.run(["pg_config", "--bindir"], text=True, capture_output=True, check=True)
    return pathlib.Path(done.stdout.strip())


def setting_text(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)


def setting_put(lines, section, key, value):
    """Lines of a configuration with one value put in, or in place of the one there was."""
    out, here, done = [], None, False
    for line in lines:
        head = re.fullmatch(r"\[(\w+)\]", line.strip())
        if head:
            if here == section and not done:
                out.append(f"{key} = {value}")
                done = True
            here = head.group(1)
        if here == section and re.match(rf"{re.escape(key)}\s*=", line):
            if not done:
                out.append(f"{key} = {value}")
                done = True
            continue
        out.append(line)
    if not done:
        out += ([] if here == section else ["", f"[{section}]"]) + [f"{key} = {value}"]
    return out
