#!/usr/bin/python3
"""Malformed FastCGI records against a running program: each is answered or closed, nobody dies.

    fcgi_records.py --socket PATH [--parent PID] [--cases N] [--seed S] [--seconds T] [--uri /healthz]

    fcgi_records.py --corpus DIR        writes the cases as seeds for fuzz_record

The written cases come first, then random mutations until N. After each batch a good request
must be answered at once; at the end the children of --parent must be those of the beginning. Exit
status 0: all of this was so.
"""

import argparse
import pathlib
import random
import selectors
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import fcgi  # noqa: E402
from fcgi import record  # noqa: E402

BATCH = 600          # cases at the same time
CASE_SECONDS = 15    # until each must be over
PROBE_SECONDS = 0.5  # for the good request after a batch

GOOD, BAD, ANY = "answered 200", "refused or closed", "answered or closed"


class Case:
    """What is sent, in which pieces, and what must come of it.

    end  "half": our side is shut down behind the last byte; "hold": kept open; "leave": closed
    """

    def __init__(self, name, data, want=ANY, piece=None, end="hold"):
        self.name, self.data, self.want, self.piece, self.end = name, data, want, piece, end

    def wrong(self, answer):
        """Why the answer is not what it must be, or None."""
        if not answer.closed and self.end != "leave":
            return "neither answered nor closed"
        if self.want == GOOD and (answer.status, answer.ended) != (200, fcgi.REQUEST_COMPLETE):
            return "not answered 200"
        if self.want == BAD and answer.status not in (None, 400, 431):
            return "not refused"
        if answer.status is not None and answer.ended is None:
            return "an answer without END_REQUEST"
        return None


# --- written cases

class Cases:
    """Everything that has a name. uri: one that is answered 200."""

    def __init__(self, uri):
        self.uri = uri
        self.get = fcgi.request("GET", uri)
        self.pairs = fcgi.variables("GET", uri)
        self.params = fcgi.records(fcgi.PARAMS, fcgi.pairs(self.pairs))
        self.no_params = record(fcgi.PARAMS)
        self.no_stdin = record(fcgi.STDIN)
        self.post = fcgi.request("POST", uri, b'{"a":"hello"}')

    def with_params(self, content):
        """A GET whose PARAMS have more behind what is needed."""
        return (fcgi.begin() + fcgi.records(fcgi.PARAMS, fcgi.pairs(self.pairs) + content)
                + self.no_params + self.no_stdin)

    def stages(self, middle):
        """The records at every place of a request: (place, bytes)."""
        half = len(fcgi.pairs(self.pairs)) // 2
        all_pairs = fcgi.pairs(self.pairs)
        parts = [fcgi.begin(), record(fcgi.PARAMS, all_pairs[:half]),
                 record(fcgi.PARAMS, all_pairs[half:]), self.no_params, self.no_stdin]
        names = ["first", "after BEGIN", "in PARAMS", "before their end", "in STDIN", "last"]
        for i, name in enumerate(names):
            yield name, b"".join(parts[:i]) + middle + b"".join(parts[i:])

    def truncations(self):
        for what, data in (("get", self.get), ("post", self.post)):
            for n in range(len(data)):
                yield Case(f"{what} cut at {n}", data[:n], end="half")
        for n in range(0, len(self.get) - 8, 3):
            yield Case(f"get held at {n}", self.get[:n])
        for n in range(0, len(self.get), 5):
            yield Case(f"get left at {n}", self.get[:n], end="leave")

    def pieces(self):
        for n in (1, 2, 3, 7, 8, 9, 100):
            yield Case(f"sent by {n}", self.get, GOOD, piece=n)
        bytewise = b"".join(record(fcgi.PARAMS, bytes([b])) for b in fcgi.pairs(self.pairs))
        for padding in (0, 1, 255):
            padded = fcgi.begin() + b"".join(
                record(fcgi.PARAMS, bytes([b]), padding=padding)
                for b in fcgi.pairs(self.pairs)) + record(fcgi.PARAMS, padding=padding)
            yield Case(f"1-byte records padded {padding}", padded + self.no_stdin, GOOD)
        yield Case("1-byte records sent by 1", fcgi.begin() + bytewise + self.no_params
                   + self.no_stdin, GOOD, piece=1)
        yield Case("1-byte STDIN", fcgi.head(fcgi.variables("POST", self.uri, b"hello"))
                   + fcgi.records(fcgi.STDIN, b"hello", size=1) + self.no_stdin)

    def management(self):
        one = fcgi.pair("FCGI_MAX_CONNS", "")
        asked = {
            "once": one, "nothing": b"", "50 times": one * 50, "500 times": one * 500,
            "unknown": fcgi.pair("X", "y"),
            "with a value": fcgi.pair("FCGI_MAX_REQS", "9" * 99),
            "cut": one[:5], "long length": b"\xff\xff\xff\xff\x01x", "high bits": b"\x80" * 9,
            "512": fcgi.pair("A" * 507, ""), "513": fcgi.pair("A" * 508, ""),
            "65535": bytes(65535),
        }
        for name, content in asked.items():
            for place, data in self.stages(record(fcgi.GET_VALUES, content, 0)):
                good = place == "last" or (place == "first" and name in (
                    "once", "nothing", "unknown", "with a value", "512"))
                yield Case(f"GET_VALUES {name} {place}", data, GOOD if good else ANY
                           if place == "in STDIN" else BAD)
        for kind in (0, *range(2, 9), 10, 11, 12, 77, 255):
            for place, data in self.stages(record(kind, b"content!", 0, padding=3)):
                good = place in ("first", "last")
                yield Case(f"management {kind} {place}", data,
                           GOOD if good else ANY if place == "in STDIN" else BAD)

    def strangers(self):
        """Other ids: nobody's business, up to a limit."""
        for id in (2, 256, 257, 65535):
            for kind in range(1, 12):
                for content in (b"", b"12345678", bytes(2000)):
                    for place, data in self.stages(record(kind, content, id)):
                        known = kind == fcgi.BEGIN and place == "first"
                        yield Case(f"id {id} type {kind} {len(content)} {place}", data,
                                   ANY if known else GOOD)
        second = fcgi.request("GET", self.uri, id=2)
        yield Case("two requests mixed", fcgi.begin() + second[:16] + self.params + second[16:]
                   + self.no_params + self.no_stdin, GOOD)
        yield Case("two requests in a row", self.get + second, GOOD)
        yield Case("20 kB of strays", fcgi.begin() + record(fcgi.STDIN, bytes(20000), 9)
                   + self.get[16:], GOOD)
        for n in (2, 10):
            strays = record(fcgi.STDIN, bytes(60000), 9) * n
            yield Case(f"{n} large strays", fcgi.begin() + strays + self.get[16:], BAD)
        yield Case("8,000 empty strays", record(fcgi.STDIN, b"", 9) * 8000 + self.get, GOOD)
        yield Case("9,000 empty strays", record(fcgi.STDIN, b"", 9) * 9000 + self.get, BAD)
        yield Case("4,000 begun", fcgi.begin() + fcgi.begin(3) * 3000 + self.get[16:])

    def own(self):
        """Types and versions of the request's own id where they do not belong."""
        for kind in range(256):
            for place, data in self.stages(record(kind, b"12345678")):
                yield Case(f"own type {kind} {place}", data)
        for version in (0, 2, 3, 127, 128, 255):
            for place, data in self.stages(record(fcgi.PARAMS, b"", 1, version=version)):
                yield Case(f"version {version} {place}", data, GOOD if place == "last" else ANY
                           if place == "in STDIN" else BAD)
        for n in range(24):
            yield Case(f"BEGIN of {n}", record(fcgi.BEGIN, (b"\0\1" + bytes(22))[:n])
                       + self.get[16:], GOOD if n == 8 else BAD, end="half")
        for role in (0, 1, 2, 3, 4, 257, 65535):
            yield Case(f"role {role}", fcgi.begin(role=role) + self.get[16:],
                       GOOD if role == 1 else BAD)
        for id in (0, 1, 2, 255, 256, 65535):
            yield Case(f"request {id}", fcgi.request("GET", self.uri, id=id), ANY if id != 0
                       else BAD, end="half")
        for flags in (0, 1, 2, 255):
            yield Case(f"flags {flags}", fcgi.begin(flags=flags) + self.get[16:], GOOD)

    def lengths(self):
        huge = (b"\xff\xff\xff\xff", b"\xff\xff\xff\xfd", b"\x80\0\0\0", b"\x80\0\xff\xff")
        for a in (*huge, b"\x7f", b"\x80\0\0\1", b"\xff\xff\xff\xfe", b"\xc0\0\0\0", b"\xff"):
            for b in (*huge, b"\0", b"\1", b"\x7f", b"\x80", b""):
                for rest in (b"", b"A", b"A" * 200):
                    yield Case(f"lengths {a.hex()} {b.hex()} {len(rest)}",
                               self.with_params(a + b + rest))
        for n in (1000, 8192, 16384, 60000, 64000):
            yield Case(f"PARAMS {n}", self.with_params(fcgi.pair("HTTP_X", "x" * n)), GOOD)
        for n in (65280, 66000, 200000, 1000000):
            yield Case(f"PARAMS {n}", self.with_params(fcgi.pair("HTTP_X", "x" * n)), BAD)
        for n in (300, 380):
            yield Case(f"{n} pairs", self.with_params(fcgi.pair("HTTP_X", "") * n), GOOD)
        for n in (401, 20000):
            yield Case(f"{n} pairs", self.with_params(fcgi.pair("HTTP_X", "") * n), BAD)
        lying = [record(fcgi.PARAMS, b"x", length=n) for n in (0, 2, 100, 65535)]
        for n, data in enumerate(lying):
            yield Case(f"lying record {n}", fcgi.begin() + data + self.get[16:], end="half")

    def parameters(self):
        bad = {
            "no parameters": [], "no method": [("REQUEST_URI", self.uri)],
            "no uri": [("REQUEST_METHOD", "GET")],
            "empty method": fcgi.variables("", self.uri),
            "empty uri": fcgi.variables("GET", ""),
        }
        for name, value in (("REQUEST_METHOD", "DELETE"), ("REQUEST_URI", "/other"), ("", "x"),
                            ("REMOTE_ADDR", "10.0.0.1"), ("FCGI_ROLE", "RESPONDER"),
                            ("REMOTE_USER=admin", "x"), ("A B", "x"), ("A\0B", "x"),
                            ("A\nB", "x"),
                            ("B", "x\0y"), ("B", "x\ry"), ("B", "x\ny"), ("A" * 257, ""),
                            ("CONTENT_LENGTH", "+7"), ("CONTENT_LENGTH", "7, 7"),
                            ("CONTENT_LENGTH", " 7"),
                            ("CONTENT_LENGTH", "18446744073709551623"),
                            ("CONTENT_LENGTH", "-7"), ("CONTENT_LENGTH", "7x")):
            bad[f"{name[:20]!r} {value!r}"] = self.pairs + [(name, value)]
        for name, pairs in bad.items():
            yield Case(name, fcgi.head(pairs) + self.no_stdin, BAD)
        for name, value in (("HTTP_HOST", "again"), ("HTTP_PROXY", "http://x"),
                            ("A" * 256, "x"), ("HTTP_X", "\x80\xff"), ("CONTENT_LENGTH", ""),
                            ("CONTENT_LENGTH", "-1")):
            yield Case(f"{name[:20]!r} {value!r}",
                       fcgi.head(self.pairs + [(name, value)]) + self.no_stdin, GOOD)

    def bodies(self):
        for declared in (None, "", "-1", "0", "12", "13", "14", "99999999999"):
            yield Case(f"CONTENT_LENGTH {declared}", fcgi.request(
                "POST", self.uri, b'{"a":"hello"}', CONTENT_LENGTH=declared), end="half")
        head = fcgi.head(fcgi.variables("POST", self.uri, b"hello"))
        for kind in range(12):
            yield Case(f"type {kind} in a body", head + record(fcgi.STDIN, b"he")
                       + record(kind, b"12345678") + record(fcgi.STDIN, b"llo") + self.no_stdin,
                       end="half")
        values = record(fcgi.GET_VALUES, fcgi.pair("FCGI_MAX_CONNS", "") * 50, 0)
        for name, middle in (("GET_VALUES", values), ("ABORT", record(fcgi.ABORT)),
                             ("BEGIN 2", fcgi.begin(2)), ("BEGIN 1", fcgi.begin()),
                             ("empty stray", record(fcgi.STDIN, b"", 2))):
            yield Case(f"{name} in a body", head + record(fcgi.STDIN, b"he", padding=7) + middle
                       + record(fcgi.STDIN, b"llo") + self.no_stdin, end="half")
        large = fcgi.request("POST", self.uri, bytes(3000000))
        yield Case("large body", large)
        yield Case("large body left", large[:300000], end="leave")

    def all(self):
        for part in (self.truncations, self.pieces, self.management, self.strangers, self.own,
                     self.lengths, self.parameters, self.bodies):
            yield from part()


# --- random ones

def mutations(cases, rng):
    """For ever: good requests with a few things changed."""
    seeds = [cases.get, cases.post, cases.with_params(fcgi.pair("HTTP_X", "x" * 300)),
             record(fcgi.GET_VALUES, fcgi.pair("FCGI_MPXS_CONNS", ""), 0) + cases.get]
    for i in range(1 << 62):
        if rng.random() < 0.05:
            data = rng.randbytes(rng.randrange(1, 400))
        else:
            data = bytearray(rng.choice(seeds))
            for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
                mutate(data, rng)
        piece = rng.choice((None, None, None, 1, 5, 64))
        end = rng.choice(("half", "half", "half", "half", "leave"))
        yield Case(f"random {i}", bytes(data), piece=piece, end=end)


def mutate(data, rng):
    at = rng.randrange(len(data) + 1)
    to = min(at + rng.randrange(1, 40), len(data))
    edge = rng.choice((0, 1, 127, 128, 254, 255))
    change = rng.randrange(6)
    if change == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif change == 1 and at < len(data):
        data[at] = edge
    elif change == 2:
        data[at:at] = rng.randbytes(rng.randrange(1, 20))
    elif change == 3 and to - at < len(data):
        del data[at:to]
    elif change == 4:
        data[at:at] = data[at:to]
    else:
        data[at:at] = record(rng.randrange(13), rng.randbytes(rng.choice((0, 1, 8, 30))),
                             rng.choice((0, 1, 1, 2)), rng.choice((0, 0, 5)))


# --- running them

class Run:
    """One case under way."""

    def __init__(self, case, address):
        self.case, self.sent, self.raw = case, 0, []
        self.closed = False
        self.start = time.monotonic()
        self.sock = fcgi.connect(address)
        self.sock.setblocking(False)

    def wanted(self):
        more = self.sent < len(self.case.data)
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if more else 0)

    def send(self):
        end = self.sent + (self.case.piece or len(self.case.data))
        try:
            self.sent += self.sock.send(self.case.data[self.sent:end])
        except BlockingIOError:
            return
        except OSError:
            self.sent = len(self.case.data)
        if self.sent < len(self.case.data):
            return
        if self.case.end == "leave":
            self.closed = True
        elif self.case.end == "half":
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def receive(self):
        try:
            got = self.sock.recv(1 << 16)
        except OSError:
            got = b""
        self.raw.append(got)
        self.closed = not got

    def answer(self):
        return fcgi.Answer(b"".join(self.raw), 1, self.closed, time.monotonic() - self.start)


def run_batch(batch, address):
    """Run them side by side. A list of (case, answer)."""
    done, running = [], selectors.DefaultSelector()
    for case in batch:
        run = Run(case, address)
        if not case.data:
            run.send()
        running.register(run.sock, run.wanted(), run)
    while running.get_map():
        for key, events in running.select(0.2):
            run = key.data
            if events & selectors.EVENT_WRITE:
                run.send()
            if events & selectors.EVENT_READ and not run.closed:
                run.receive()
            if not run.closed:
                running.modify(run.sock, run.wanted(), run)
        now = time.monotonic()
        for run in [key.data for key in running.get_map().values()]:
            if run.closed or now - run.start > CASE_SECONDS:
                running.unregister(run.sock)
                run.sock.close()
                done.append((run.case, run.answer()))
    running.close()
    return done


def workers(options):
    """(pid, start) of those who must not change."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(path.parent.name), path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if rest[0] != "Z" and options.parent == int(rest[1]):
            found[pid] = rest[19]
    return found


def probe(cases, address):
    """Seconds that a good request takes, or None."""
    answer = fcgi.ask(address, cases.get, timeout=PROBE_SECONDS)
    good = (answer.status, answer.ended) == (200, fcgi.REQUEST_COMPLETE)
    return answer.seconds if good else None


def chosen(cases, options):
    rng = random.Random(options.seed)
    written = list(cases.all())
    rng.shuffle(written)
    yield from written
    yield from mutations(cases, rng)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--socket", help="path, or host:port")
    parser.add_argument("--corpus", type=pathlib.Path)
    parser.add_argument("--parent", type=int, help="its children must live")
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=600, help="no batch begins after this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uri", default="/healthz", help="answered 200 to a GET")
    options = parser.parse_args()
    if not options.socket and not options.corpus:
        parser.error("--socket is needed")
    return options


def write_corpus(cases, directory):
    """A file each, as fuzz_record wants it: the size of the pieces, then the bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    for i, case in enumerate(cases.all()):
        if len(case.data) < 4096:
            (directory / f"{i:05}").write_bytes(bytes([i % 32]) + case.data)


def main():
    options = arguments()
    cases = Cases(options.uri)
    if options.corpus:
        return write_corpus(cases, options.corpus)
    source, start = chosen(cases, options), time.monotonic()
    before = workers(options)
    count, failures, probes = 0, [], []
    if not before and options.parent:
        sys.exit("no workers found")
    while count < options.cases and time.monotonic() - start < options.seconds:
        batch = [next(source) for _ in range(min(BATCH, options.cases - count))]
        count += len(batch)
        for case, answer in run_batch(batch, options.socket):
            if why := case.wrong(answer):
                failures.append(f"{case.name}: {why}: {answer}: {case.data[:400].hex()}")
        probes.append(probe(cases, options.socket))
        if probes[-1] is None:
            failures.append(f"after {count} cases: a good request was not answered")
    if workers(options) != before:
        failures.append(f"workers: {sorted(before)} became {sorted(workers(options))}")
    for failure in failures[:40]:
        print(failure)
    slowest = max((p for p in probes if p is not None), default=0)
    print(f"seed {options.seed}: {count} cases, {len(failures)} failures, "
          f"{len(before)} workers, slowest probe {slowest * 1000:.1f} ms, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if failures or count < min(options.cases, 1) else 0


if __name__ == "__main__":
    sys.exit(main())
