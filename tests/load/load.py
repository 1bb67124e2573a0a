"""
The load test: Postern behind a web server against floors of its own making, in one interleaved run.

Figures are medians over the rounds. What counts is CPU time a request, from the kernel's accounting of
the process trees (web server, program, PostgreSQL): requests per second depend on who else is on the
machine, and the client takes its share of it. Ratios are against the floor in the same run.
"""

import argparse
import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket as socketlib
import statistics
import subprocess
import sys
import tempfile
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from bench import Postern, children, until  # noqa: E402

WORKERS = 8
CONNECTIONS = 64
CROWD = 2000
PRODUCTS = 1000
GOALS_US = {"product": 105, "page of 20": 150, "insert": 215}

INSERT = """
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
function request()
  n = n + 1
  return wrk.format(nil, nil, nil, '{"sku":"%s-' .. n ..
    '","name":"Lamp","price":{"amount":129900,"currency":"THB"},"stock":5,"tags":["a","b"]}')
end
"""


def tree(pid):
    """A process and all below it."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def cpu_us(pid):
    """CPU time of one process with all its threads, microseconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(task.read_text().split()[0])
    return total / 1000


def pss_kib(pid):
    """Proportional share of one process's memory."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M).group(1))


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


class Load:
    """One kind of request under wrk. trees: whose CPU counts, by name: the pid of the topmost process."""

    def __init__(self, name, url, trees, token=None, script=None):
        self.name, self.url, self.trees, self.token, self.script = name, url, trees, token, script
        self.rounds = []

    def cpu(self):
        """By tree, by process: what ends takes its time along, and must not be taken off the rest."""
        return {name: {p: cpu_us(p) for p in tree(pid)} for name, pid in self.trees.items()}

    def run(self, seconds, connections=CONNECTIONS):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
        if self.token:
            command += ["-H", f"Authorization: Bearer {self.token}"]
        if self.script:
            command += ["-s", str(self.script(self.token))]
        before = self.cpu()
        said = subprocess.run([*command, self.url], capture_output=True, text=True, check=True).stdout
        after = self.cpu()
        count = int(re.search(r"(\d+) requests in", said).group(1))
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
        values = {
            name: sum(max(us - before[name].get(p, 0), 0) for p, us in after[name].items()) / max(count, 1)
            for name in self.trees
        }
        return {
            **values,
            "server": sum(values.values()),
            "requests": count,
            "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)),
            "p50": milliseconds(re.search(r"^\s+50%\s+(\S+)", said, re.M).group(1)),
            "p99": milliseconds(re.search(r"^\s+99%\s+(\S+)", said, re.M).group(1)),
            "errors": sum(int(n) for m in (refused, broken) if m for n in m.groups()),
        }


class Trips:
    """A floor of the database: a bare libpq loop. word(): the last word of row's command line, for each run."""

    def __init__(self, name, program, dsn, connections, what, word):
        self.name, self.program, self.dsn = name, program, dsn
        self.connections, self.what, self.word = connections, what, word
        self.rounds = []

    def run(self, seconds):
        command = [self.program, self.dsn, str(seconds), str(self.connections), self.what, self.word()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            trips, own, *backends = map(int, running.stdout.readline().split())
            database = sum(map(cpu_us, backends))
            running.stdin.close()
        return {
            "program": own / trips,
            "database": database / trips,
            "server": (own + database) / trips,
            "requests": trips,
            "rps": trips / seconds,
            "errors": 0,
        }


def compiled(name, where, package):
    """A floor's program, built here with plain cc."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", package], capture_output=True, text=True, check=True
    ).stdout.split()
    program = where / name
    source = HERE / f"{name}.c"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, source, *flags], check=True)
    return program


def answers(port):
    with contextlib.suppress(ConnectionRefusedError), socketlib.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def empty_pool(postern, where, program):
    """The floor of the web server: the same lighttpd configuration before workers that do nothing."""
    text = (postern.state / "lighttpd.conf").read_text()
    with contextlib.closing(socketlib.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    socket = where / "empty.sock"
    text = text.replace(postern.socket, str(socket)).replace(str(postern.state), str(where))
    text = text.replace(f"server.port = {postern.port}", f"server.port = {port}")
    for name in ("www", "log", "tmp", "errors"):
        (where / name).mkdir()
    (where / "lighttpd.conf").write_text(text)
    lighttpd = shutil.which("lighttpd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "lighttpd"
    with subprocess.Popen([program, socket, str(WORKERS)]) as pool:
        until(socket.exists)
        with subprocess.Popen([lighttpd, "-D", "-f", where / "lighttpd.conf"]) as front:
            try:
                until(lambda: answers(port))
                yield f"http://127.0.0.1:{port}/", {"front": front.pid, "program": pool.pid}
            finally:
                front.terminate()
                pool.send_signal(signal.SIGKILL)


def fill(postern):
    """Products to read; the id of one of them."""
    ids = [str(uuid.uuid4()) for _ in range(PRODUCTS)]
    postern.sql(
        "INSERT INTO products (id, sku, name, description, amount, currency, stock, status, tags)"
        " SELECT id::uuid, 'LOAD-' || n, 'Lamp ' || n, 'Warm light, three steps', 129900 + n, 'THB', 40,"
        " 'active', '{light,desk}' FROM unnest(%s::text[]) WITH ORDINALITY AS t (id, n)",
        [ids],
    )
    postern.sql("ANALYZE products")
    return ids[PRODUCTS // 2]


def insert_script(where):
    def write(token):
        path = where / "insert.lua"
        path.write_text(INSERT % (token, uuid.uuid4().hex[:12]))
        return path

    return write


def loads(postern, where, product):
    trees = {"front": postern.front_pid(), "program": postern.pid, "database": postern.postgres.pid}
    editor = postern.api().as_("editor").token
    url = postern.url
    return [
        Load("healthz", f"{url}/healthz", trees),
        Load("product", f"{url}/v1/products/{product}", trees),
        Load("page of 20", f"{url}/v1/products?limit=20", trees),
        Load("insert", f"{url}/v1/products", trees, editor, insert_script(where)),
        Load("product, token", f"{url}/v1/products/{product}", trees, editor),
    ]


def median(load, name):
    values = [r[name] for r in load.rounds if name in r]
    return statistics.median(values) if values else None


def table(all_loads):
    names = ("front", "program", "database", "server", "rps", "p50", "p99", "errors")
    print(f"\n{'CPU us a request':<18}" + "".join(f"{n:>10}" for n in names) + f"{'goal':>8}")
    for load in all_loads:
        values = [median(load, n) for n in names]
        shown = "".join(f"{'-' if v is None else format(v, '.0f' if v >= 100 else '.1f'):>10}" for v in values)
        print(f"{load.name:<18}{shown}{GOALS_US.get(load.name, ''):>8}")


def ratios(all_loads):
    cost = {load.name: median(load, "server") for load in all_loads}
    empty = cost["floor: empty"]
    result = {
        "product / (empty + read)": cost["product"] / (empty + cost["floor: read"]),
        "page of 20 / product": cost["page of 20"] / cost["product"],
        "insert / (empty + insert)": cost["insert"] / (empty + cost["floor: insert"]),
        "a token adds us (goal 12)": cost["product, token"] - cost["product"],
    }
    print()
    for name, value in result.items():
        print(f"{name:<28}{value:8.2f}")
    return result


def memory(postern, when):
    sizes = [pss_kib(pid) / 1024 for pid in postern.workers()]
    print(f"PSS a worker, MiB, {when}: median {statistics.median(sizes):.2f}, most {max(sizes):.2f}")
    return sizes


def crowd(load, seconds):
    """Many more clients than workers: nobody may be refused."""
    values = load.run(seconds, CROWD)
    print(f"{CROWD} clients, {WORKERS} workers: {values['requests']} answers, {values['errors']} errors,"
          f" p99 {values['p99']:.0f} ms")
    return values


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds: whether it works, not figures")
    parser.add_argument("--front", default="lighttpd", choices=("lighttpd", "apache", "nginx"))
    parser.add_argument("--json", metavar="FILE", help="write all rounds")
    options = parser.parse_args()
    rounds, seconds = (2, 1) if options.quick else (5, 4)
    sets = {"pool.workers": WORKERS, "pool.max_requests": 0, "log.level": "info"}
    with contextlib.ExitStack() as stack:
        where = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-load.", dir="/tmp")))
        postern = stack.enter_context(Postern(front=options.front, sets=sets))
        product = fill(postern)
        measured = loads(postern, where, product)
        row = compiled("row", where, "libpq")
        dsn = postern.postgres.dsn
        floors = [
            Trips("floor: read", row, dsn, 1, "read", lambda: product),
            Trips("floor: insert", row, dsn, WORKERS, "insert", lambda: f"ROW-{uuid.uuid4().hex[:12]}"),
        ]
        if options.front == "lighttpd":
            url, trees = stack.enter_context(empty_pool(postern, where, compiled("empty", where, "fcgi")))
            floors.insert(0, Load("floor: empty", url, trees))
        first = memory(postern, "at the start")
        for i in range(rounds):
            for load in floors + measured:
                load.rounds.append(load.run(seconds))
                print(f"round {i + 1}: {load.name}", file=sys.stderr)
        table(floors + measured)
        result = {"ratios": ratios(floors + measured) if len(floors) == 3 else {}}
        last = memory(postern, "at the end")
        result["pss_mib"] = {"first": first, "last": last}
        result["crowd"] = crowd(measured[1], seconds)
        result["rounds"] = {load.name: load.rounds for load in floors + measured}
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(result, indent=1))
        errors = sum(r["errors"] for load in floors + measured for r in load.rounds) + result["crowd"]["errors"]
        print(f"errors: {errors}")
        return errors > 0


if __name__ == "__main__":
    sys.exit(main())
