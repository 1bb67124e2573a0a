"""A scripted inference server: it tells what it was asked, and answers as it is told to.

    with Upstream() as upstream:
        upstream.infer = status(503, {"error": "busy"}, {"Retry-After": "7"})
        ... a call through Postern ...
        assert upstream.asked[-1].path == "/v2/models/m/infer"

`infer` and `metadata` are what is done for a POST and for a GET. What is done is one of the
functions below, or one of your own: it gets the Asked and the socket, and returns whether the
connection is kept.
"""

import contextlib
import dataclasses
import json
import socket
import struct
import threading

__all__ = [
    "Upstream", "echo", "answer", "status", "silent", "drip", "reset", "half", "raw", "huge", "endless",
    "free_port",
]

METADATA = {
    "name": "m",
    "versions": ["1"],
    "platform": "python",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
}
WORDS = {200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


@dataclasses.dataclass
class Asked:
    """A request as it came: header names in lower case."""

    method: str
    path: str
    headers: dict
    body: bytes
    connection: int  # number of the connection it came on, from 0

    @property
    def json(self):
        return json.loads(self.body)


class Upstream:
    """A server on a loopback port of its own, one thread a connection."""

    def __init__(self, infer=None, metadata=None):
        self.infer = infer or echo()
        self.metadata = metadata or answer(METADATA)
        self.asked = []
        self.connections = 0
        self.closing = threading.Event()
        self.sockets = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closing.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self):
        """End every connection there is, as servers do with idle ones."""
        with self.lock:
            sockets = list(self.sockets)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def inferred(self):
        """The requests that ran the model."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                number, self.connections = self.connections, self.connections + 1
                self.sockets.add(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        try:
            with contextlib.suppress(OSError, ValueError), sock.makefile("rb") as file:
                while not self.closing.is_set() and (asked := self._read(file, number)):
                    self.asked.append(asked)
                    act = self.infer if asked.method == "POST" else self.metadata
                    if not act(asked, sock, self):
                        break
        finally:
            with self.lock:
                self.sockets.discard(sock)
            sock.close()

    @staticmethod
    def _read(file, number):
        line = file.readline()
        if not line:
            return None
        method, path, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        return Asked(method, path, headers, body, number)


def head(code, headers, length):
    lines = [f"HTTP/1.1 {code} {WORDS.get(code, 'Other')}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status(code, body=b"", headers=None):
    """body: bytes, or what is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", **(headers or {})}

    def act(_asked, sock, _upstream):
        sock.sendall(head(code, fields, len(data)) + data)
        return True

    return act


def answer(body):
    return status(200, body)


def echo():
    """Give each row's sum as output y; the request's id comes back."""

    def act(asked, sock, upstream):
        request = asked.json
        tensor = request["inputs"][0]
        rows, flat = tensor["shape"][0], flatten(tensor["data"])
        width = len(flat) // rows if rows else 0
        sums = [sum(flat[i * width : (i + 1) * width]) for i in range(rows)]
        output = {"name": "y", "datatype": "FP32", "shape": [rows], "data": sums}
        body = {"model_name": "m", "model_version": "1", "outputs": [output]}
        if "id" in request:
            body["id"] = request["id"]
        return answer(body)(asked, sock, upstream)

    return act


def flatten(data):
    return [v for item in data for v in flatten(item)] if isinstance(data, list) else [data]


def silent():
    """Take the request and say nothing, until the server is closed."""

    def act(_asked, _sock, upstream):
        upstream.closing.wait()
        return False

    return act


def drip(seconds=0.05, body=b'{"outputs": []}'):
    """Answer byte by byte."""

    def act(_asked, sock, upstream):
        for byte in head(200, {}, len(body) + 100000) + body + b" " * 100000:
            sock.sendall(bytes([byte]))
            if upstream.closing.wait(seconds):
                break
        return False

    return act


def reset(after=b""):
    """Send this much and then RST."""

    def act(_asked, sock, _upstream):
        sock.sendall(after)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return act


def half(body=b'{"outputs": ['):
    """Promise more than is sent."""
    return raw(head(200, {}, len(body) + 50) + body)


def raw(data):
    """These bytes, then close."""

    def act(_asked, sock, _upstream):
        sock.sendall(data)
        return False

    return act


def huge(size):
    """An answer of this many bytes, its length declared."""

    def act(_asked, sock, _upstream):
        sock.sendall(head(200, {}, size))
        pour(sock, size)
        return False

    return act


def endless(size):
    """The same without a declared length: it ends with the connection."""

    def act(_asked, sock, _upstream):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        pour(sock, size)
        return False

    return act


def pour(sock, size):
    piece = b'{"outputs":[' + b" " * 65524
    while size > 0:
        size -= sock.send(piece[:size])


def free_port():
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
