"""What tests of the whole service share: requests that are held, and the server as a child of the test."""

import contextlib
import os
import re
import subprocess
import threading
import time

import psycopg
from bench import process_alive, until

__all__ = ["Asked", "Child", "busy_worker", "locks_awaited", "metrics", "sku_held", "timed", "workers_full"]


def timed(ask):
    """What ask() returns, and the milliseconds that it took."""
    start = time.monotonic()
    answer = ask()
    return answer, 1000 * (time.monotonic() - start)


class Asked(threading.Thread):
    """A request that is on its way: answer() waits for what ask() returns."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.result, self.error = ask, None, None
        self.start()

    def run(self):
        try:
            self.result = self.ask()
        except Exception as error:  # it belongs to who asks for the answer
            self.error = error

    def answer(self, seconds=20):
        self.join(seconds)
        assert not self.is_alive(), "no answer came"
        if self.error:
            raise self.error
        return self.result


class Child:
    """
    An instance's posternd as a child of the test, in place of the one that scripts/up started: it has an
    exit status, and its log can go elsewhere.

    log   a file to append to, or a descriptor
    """

    def __init__(self, postern, log=None):
        self.postern = postern
        self.log = log or postern.state / "log" / "posternd.log"
        end(postern.pid)
        self.process = None

    def start(self):
        """Returns when it is ready; with a log of its own, when a worker runs."""
        mark = self.postern.log_size()
        owner = os.stat(self.postern.state / "run")
        more = {}
        if os.geteuid() == 0 and owner.st_uid != 0:
            more = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        with open(self.log, "ab", closefd=not isinstance(self.log, int)) as log:
            self.process = subprocess.Popen(
                [self.postern.state / "inst/sbin/posternd", "--config", self.postern.config],
                stdin=subprocess.DEVNULL, stderr=log, cwd="/", **more)
        self.postern.pid = self.process.pid
        if self.log == self.postern.state / "log" / "posternd.log":
            self.postern.log_until(lambda line: line.get("event") == "ready", mark)
        else:
            until(self.postern.workers, 10, "a worker")

    def stop(self, seconds=40):
        """TERM; the exit status."""
        self.process.terminate()
        return self.process.wait(seconds)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()


def end(pid):
    """TERM to a process that is nobody's child here, and wait for its end."""
    os.kill(pid, 15)
    until(lambda: not process_alive(pid), 40, "the end of a process")


def workers_full(postern):
    """All workers, when they are there and none is left of those that were told to end."""
    wanted = int(postern.sets["pool.workers"])
    until(lambda: len(postern.workers()) == wanted, 15, "a full pool")
    return postern.workers()


def busy_worker(postern, request_id):
    """The pid of the worker that serves a request, as /status says."""
    for worker in postern.api(contract=False).get("/status").json["workers"]:
        if worker["request_id"] == request_id:
            return worker["pid"]
    return None


def locks_awaited(postern):
    """How many of the workers' statements wait for a lock."""
    return postern.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postern'"
                       " AND wait_event_type = 'Lock'")[0][0]


@contextlib.contextmanager
def sku_held(postern, sku):
    """A transaction that has written this SKU and does not end: whoever writes it too waits."""
    with psycopg.connect(postern.postgres.admin) as connection:
        connection.execute("INSERT INTO products (id, sku, name, amount, currency)"
                           " VALUES (gen_random_uuid(), %s, 'Lamp', 1, 'THB')", (sku,))
        try:
            yield
        finally:
            connection.rollback()


def metrics(postern):
    """One scrape: values by series, the types of the names they begin with."""
    answer = postern.api(contract=False).get("/metrics")
    assert answer.status == 200, answer
    text = answer.body.decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    values = {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.M)}
    return values, kinds
