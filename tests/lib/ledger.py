"""Clients that ask all the time, and a ledger of what they were told.

    with Load(postern, clients=64, writes=0.2) as load:
        load.wait(200)                      # answers, that is
        postern.reload()
    assert load.failures == []
    assert load.lost(postern.sql) == []

Each client holds one connection and asks anew as soon as it is answered: a product, a page, or, for
`writes` of all, a new product whose SKU nobody else uses. One thread drives them all.
"""

import collections
import dataclasses
import itertools
import json
import random
import re
import secrets
import select
import socket
import threading
import time

__all__ = ["Load", "Outcome"]

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
READS = ("one", "page")
GOOD = {"one": 200, "page": 200, "new": 201}


@dataclasses.dataclass
class Outcome:
    """
    What came of one request.

    status   None when it was not answered
    broken   "": the answer is whole. "cut": it began and did not end; "closed": not one byte came; "refused":
             no connection; "json": its body is not what its type says
    at, ms   when it was asked (monotonic, seconds), and the milliseconds until its end
    """

    kind: str
    sku: str
    at: float
    status: int | None = None
    broken: str = ""
    head: bytes = b""
    body: bytes = b""
    ms: float = 0.0

    @property
    def good(self):
        return not self.broken and self.status == GOOD[self.kind]

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def header(self, name):
        found = re.search(rb"\r\n" + name.encode() + rb": *([^\r\n]*)", self.head, re.I)
        return found and found.group(1).decode("latin-1")

    def __repr__(self):
        return f"<{self.kind} {self.status} {self.broken} {self.ms:.0f} ms {self.body[:120]!r}>"


class Client:
    """One connection and the request that is under way on it."""

    def __init__(self, load):
        self.load = load
        self.socket = None
        self.outcome = None
        self.busy = False
        self.got = b""

    def ask(self):
        """Begin the next request, on a new connection when the last one is gone."""
        kind, sku, request = self.load.next_request()
        self.outcome, self.got, self.busy = Outcome(kind, sku, time.monotonic()), b"", True
        try:
            if self.socket is None:
                self.socket = socket.create_connection(self.load.address, 5)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.load.poll.register(self.socket, select.POLLIN)
                self.load.clients[self.socket.fileno()] = self
            self.socket.sendall(request)  # smaller than any socket's buffer
        except OSError:
            self.end("refused" if self.socket is None else "closed")

    def hear(self):
        """Take what has come. The answer is whole, or the connection at its end: finish."""
        try:
            piece = self.socket.recv(1 << 16)
        except OSError:
            piece = b""
        self.got += piece
        if not piece:
            self.end("cut" if self.got else "closed")
            return
        head, found, body = self.got.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not found or (length and len(body) < int(length.group(1))):
            return
        self.outcome.status = int(head.split(b" ", 2)[1])
        self.outcome.head, self.outcome.body = head, body
        whole = length and len(body) == int(length.group(1)) and self.outcome.json is not None
        self.end("" if whole else "json")

    def end(self, broken):
        self.busy = False
        self.outcome.broken = broken
        self.outcome.ms = 1000 * (time.monotonic() - self.outcome.at)
        if self.socket and (broken or b"\r\nconnection: close" in self.outcome.head.lower()):
            self.close()
        self.load.note(self.outcome)

    def close(self):
        if self.socket is not None:
            self.load.poll.unregister(self.socket)
            del self.load.clients[self.socket.fileno()]
            self.socket.close()
            self.socket = None


class Load:
    """
    outcomes  all of them, in the order of their ends
    promised  SKUs of the writes that were answered 201
    """

    def __init__(self, postern, clients=16, writes=0.2, pause=0.0):
        """pause: seconds that all clients wait after a request that failed"""
        self.writer = postern.api(contract=False).as_("editor")
        self.address = (self.writer.host, self.writer.port)
        self.writes, self.pause, self.count = writes, pause, clients
        self.prefix = f"LOAD-{secrets.token_hex(4)}"
        self.numbers = itertools.count(1)
        self.product = self.writer.post("/v1/products", self.content(f"{self.prefix}-0")).json["id"]
        self.outcomes, self.promised, self.clients = [], [], {}
        self.poll = select.poll()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.error = None

    @staticmethod
    def content(sku):
        return {"sku": sku, "name": "Lamp", "price": {"amount": 129900, "currency": "THB"}, "status": "active"}

    def next_request(self):
        kind = "new" if random.random() < self.writes else random.choice(READS)
        head, body, sku = "Host: localhost\r\n", b"", ""
        if kind == "new":
            sku = f"{self.prefix}-{next(self.numbers)}"
            body = json.dumps(self.content(sku)).encode()
            head += f"Authorization: Bearer {self.writer.token}\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\n"
        path = {"one": f"/v1/products/{self.product}", "page": "/v1/products?limit=5", "new": "/v1/products"}[kind]
        method = "POST" if kind == "new" else "GET"
        return kind, sku, f"{method} {self.writer.base}{path} HTTP/1.1\r\n{head}\r\n".encode() + body

    def note(self, outcome):
        self.outcomes.append(outcome)
        if outcome.good and outcome.kind == "new":
            self.promised.append(outcome.sku)

    def run(self):
        everyone = [Client(self) for _ in range(self.count)]
        try:
            while True:
                idle = [c for c in everyone if not c.busy]
                if self.over.is_set():
                    if len(idle) == len(everyone):
                        return
                else:
                    if any(c.outcome and not c.outcome.good for c in idle):
                        self.over.wait(self.pause)
                    for client in idle:
                        client.ask()
                for fd, _ in self.poll.poll(100):
                    if fd in self.clients:
                        self.clients[fd].hear()
        except BaseException as error:
            self.error = error
            raise
        finally:
            for client in everyone:
                client.close()

    def start(self):
        self.thread.start()

    def stop(self):
        """No new requests; returns when those under way have ended."""
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive(), "requests that never end"
        assert self.error is None, self.error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # --- while it runs

    def wait(self, more, good=True, seconds=20):
        """Until there are so many more outcomes, of good answers or of any."""
        start, end = len(self.outcomes), time.monotonic() + seconds
        while self.thread.is_alive():
            news = self.outcomes[start:]
            if sum(1 for o in news if o.good or not good) >= more:
                return
            assert time.monotonic() < end, f"{len(news)} outcomes in {seconds} s, {news[-3:]}"
            time.sleep(0.005)
        raise AssertionError(f"the load has ended: {self.error}")

    # --- afterwards

    @property
    def failures(self):
        return [o for o in self.outcomes if not o.good]

    @property
    def tally(self):
        """How often each kind came to each end."""
        return collections.Counter((o.kind, o.broken or o.status) for o in self.outcomes)

    def lost(self, sql):
        """Promised SKUs that are not in the database."""
        rows = sql("SELECT sku FROM products WHERE sku LIKE %s", (f"{self.prefix}-%",))
        return sorted(set(self.promised) - {row[0] for row in rows})

    @property
    def doubled(self):
        """Writes that met themselves: nobody else uses these SKUs."""
        return [o for o in self.outcomes if o.kind == "new" and o.status == 409]
