"""A scripted proxy before a server: it lets bytes through until a rule says otherwise.

    with Proxy(upstream=("127.0.0.1", 5432)) as proxy:
        proxy.rules = [Rule("down", at=120, do="cut")]
        connect_to(proxy.address)

An address is a path (a unix socket) or a pair (host, port). A rule looks at one direction of a
connection, "up" to the server or "down" to the client, and acts at byte `at` of it: the bytes before
are passed on, whatever pieces they come in. It acts

    cut      close both sides, in order
    reset    close both sides with RST where there is one (TCP)
    stall    pass on nothing more in this direction, and keep it open
    eat      read on and throw away
    corrupt  turn over the bits of this one byte
    delay    wait for `seconds` before each piece from here on

`when` (bytes): the rule sleeps until these have gone up, and counts its bytes from there: the answer to
what was asked then. `connection`: only on this one, from 0; None: on all. Rules are taken over by
connections made after they are set.
"""

import dataclasses
import pathlib
import select
import socket
import struct
import threading
import time

__all__ = ["Link", "Pooler", "Proxy", "Rule"]

PIECE = 65536


@dataclasses.dataclass
class Rule:
    direction: str
    at: int = 0
    do: str = "cut"
    when: bytes = b""
    connection: int | None = None
    seconds: float = 0.0

    def __post_init__(self):
        assert self.direction in ("up", "down")
        assert self.do in ("cut", "reset", "stall", "eat", "corrupt", "delay")


class Armed:
    """A rule on one connection: how many bytes of its direction are still to pass."""

    def __init__(self, rule):
        self.rule = rule
        self.left = rule.at
        self.awake = not rule.when
        self.seen = b""
        self.acted = False

    def watch(self, piece):
        """Look for `when` in what goes up; it may come in two pieces."""
        if self.awake:
            return
        self.seen = (self.seen + piece)[-(len(piece) + len(self.rule.when)):]
        self.awake = self.rule.when in self.seen


class Link(threading.Thread):
    """One connection of a client, and ours to the server for it."""

    def __init__(self, proxy, number, client):
        super().__init__(daemon=True)
        self.proxy = proxy
        self.client = client
        self.rules = [Armed(r) for r in proxy.rules if r.connection in (None, number)]
        self.passed = {"up": 0, "down": 0}
        self.stalled = set()
        self.server = None

    def run(self):
        try:
            self.server = connect(self.proxy.upstream)
            while self.step():
                pass
        except OSError:
            pass
        finally:
            self.close()

    def step(self):
        """Pass on one piece; False at the end."""
        sides = {"up": (self.client, self.server), "down": (self.server, self.client)}
        reading = [sides[d][0] for d in sides if d not in self.stalled]
        if not reading:
            self.proxy.closing.wait()
            return False
        ready, _, _ = select.select(reading, [], [], 0.2)
        if self.proxy.closing.is_set():
            return False
        for direction, (source, sink) in sides.items():
            if source in ready:
                piece = source.recv(PIECE)
                if not piece or not self.pass_on(direction, piece, sink):
                    return False
        return True

    def pass_on(self, direction, piece, sink):
        if direction == "up":
            for armed in self.rules:
                armed.watch(piece)
        for armed in self.rules:
            if armed.rule.direction != direction or not armed.awake:
                continue
            if armed.left > len(piece) or (armed.left == len(piece) and armed.rule.do != "cut"):
                armed.left -= len(piece)
                continue
            piece, goes_on = self.act(armed, direction, piece, sink)
            if not goes_on:
                return False
        if piece:
            sink.sendall(piece)
            self.passed[direction] += len(piece)
        return True

    def act(self, armed, direction, piece, sink):
        """What is left of the piece to be passed on, and whether the connection goes on."""
        do, head = armed.rule.do, piece[: armed.left]
        if do == "delay":
            time.sleep(armed.rule.seconds)
            armed.left = 0
            return piece, True
        if do == "corrupt":
            if not armed.acted:
                armed.acted = True
                piece = head + bytes([piece[armed.left] ^ 0xFF]) + piece[armed.left + 1 :]
            return piece, True
        armed.left = 0
        if do == "eat":
            return head, True
        if head:
            sink.sendall(head)
            self.passed[direction] += len(head)
        if do == "stall":
            self.stalled.add(direction)
            return b"", True
        if do == "reset":
            linger = struct.pack("ii", 1, 0)
            for side in (self.client, self.server):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return b"", False

    def close(self):
        for side in (self.client, self.server):
            if side is not None:
                side.close()


class Pooler(Link):
    """Passes on all that PostgreSQL says but its messages, which are another session's."""

    rest = b""

    def pass_on(self, direction, piece, sink):
        if direction == "up":
            return super().pass_on(direction, piece, sink)
        data, kept = self.rest + piece, b""
        while len(data) >= 5 and len(data) > (n := int.from_bytes(data[1:5], "big")):
            if data[:1] != b"A":
                kept += data[: n + 1]
            data = data[n + 1 :]
        self.rest = data
        return super().pass_on(direction, kept, sink)


class Proxy:
    """
    listen    a path, or None: a free port of 127.0.0.1
    link      a Link of one's own, which looks at what it passes on
    address   where clients connect
    links     connections so far, in order; links[n].passed["down"] counts bytes
    """

    def __init__(self, upstream, listen=None, link=Link):
        self.upstream = upstream
        self.link = link
        self.rules = []
        self.links = []
        self.closing = threading.Event()
        if listen is None:
            self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.address = self.socket.getsockname()
        else:
            pathlib.Path(listen).unlink(missing_ok=True)
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(listen))
            self.socket.listen(128)
            self.address = str(listen)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.closing.is_set():
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            link = self.link(self, len(self.links), client)
            self.links.append(link)
            link.start()

    def cut(self):
        """Close all connections there are."""
        for link in self.links:
            for side in (link.client, link.server):
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except (OSError, AttributeError):
                    pass

    def close(self):
        self.closing.set()
        self.socket.close()
        self.cut()
        for link in self.links:
            link.join(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(address):
    if isinstance(address, (str, pathlib.Path)):
        there = socket.socket(socket.AF_UNIX)
        there.connect(str(address))
        return there
    return socket.create_connection(address)
