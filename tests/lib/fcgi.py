"""A FastCGI client for tests: records made by hand, sent as raw bytes, and the answer read.

    data = fcgi.request("POST", "/v1/products", b"{}", HTTP_X_REQUEST_ID="a")
    answer = fcgi.ask(path_of_socket, data)
    assert (answer.status, answer.ended) == (201, fcgi.REQUEST_COMPLETE)

An address is the path of a unix socket or "host:port". Nothing here checks what it sends.
"""

import select
import socket
import struct
import time

(BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA,
 GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE) = range(1, 12)
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3


def record(kind, content=b"", id=1, padding=0, version=1, length=None):
    """One record. length: what the header says, when it shall lie."""
    length = len(content) if length is None else length
    header = struct.pack(">BBHHBB", version, kind, id, length, padding, 0)
    return header + content + bytes(padding)


def records(kind, content, id=1, size=65535):
    """A stream cut into records of at most size bytes, without its empty end."""
    return b"".join(record(kind, content[i:i + size], id) for i in range(0, len(content), size))


def begin(id=1, role=RESPONDER, flags=0):
    return record(BEGIN, struct.pack(">HB5x", role, flags), id)


def length(n, long=False):
    """The length of a name or a value: one byte, or four."""
    return bytes([n]) if n < 128 and not long else struct.pack(">I", n | 1 << 31)


def pair(name, value):
    name, value = _bytes(name), _bytes(value)
    return length(len(name)) + length(len(value)) + name + value


def pairs(items):
    return b"".join(pair(name, value) for name, value in items)


def variables(method="GET", uri="/", body=b"", **more):
    """The parameters of a web server, a list of pairs; more: added, or taken out by None."""
    said = {
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "test",
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": method, "REQUEST_URI": uri, "SCRIPT_NAME": uri.split("?")[0],
        "QUERY_STRING": uri.partition("?")[2], "HTTP_HOST": "localhost",
    }
    if body:
        said["CONTENT_LENGTH"] = str(len(body))
        said["CONTENT_TYPE"] = "application/json"
    said.update(more)
    return [(name, value) for name, value in said.items() if value is not None]


def head(items, id=1, flags=0):
    """BEGIN and the whole of PARAMS."""
    return begin(id, flags=flags) + records(PARAMS, pairs(items), id) + record(PARAMS, id=id)


def request(method="GET", uri="/", body=b"", id=1, **more):
    """A whole request; more: parameters, as in variables()."""
    return (head(variables(method, uri, body, **more), id) + records(STDIN, body, id)
            + record(STDIN, id=id))


def split(data):
    """The whole records at the front of data, as (type, id, content), and the bytes behind."""
    found = []
    while len(data) >= 8:
        _, kind, id, n, padding, _ = struct.unpack(">BBHHBB", data[:8])
        if len(data) < 8 + n + padding:
            break
        found.append((kind, id, data[8:8 + n]))
        data = data[8 + n + padding:]
    return found, data


class Answer:
    """What came back.

    records  [(type, id, content)]; rest: bytes of a record that is not whole
    stdout   of the request's id; status, headers [(name, value)] and body are read from it, and
             status is None when there is no header block
    ended    the protocol status of END_REQUEST, or None
    closed   the connection was closed, or reset, before the time was over
    seconds  until the end of the answer
    """

    def __init__(self, raw, id, closed, seconds):
        self.records, self.rest = split(raw)
        self.closed, self.seconds = closed, seconds
        self.stdout = self._stream(STDOUT, id)
        self.stderr = self._stream(STDERR, id)
        ends = [content[4] for kind, of, content in self.records
                if kind == END and of == id and len(content) == 8]
        self.ended = ends[0] if ends else None
        self.status, self.headers, self.body = None, [], b""
        block, found, rest = self.stdout.partition(b"\r\n\r\n")
        if found:
            self._read_head(block.decode("latin-1"), rest)

    def _stream(self, kind, id):
        return b"".join(content for k, of, content in self.records if (k, of) == (kind, id))

    def _read_head(self, block, body):
        lines = [line.split(":", 1) for line in block.split("\r\n")]
        self.headers = [(line[0], line[-1].strip()) for line in lines]
        self.status = int((self.header("Status") or "200").split()[0])
        self.body = body

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def __repr__(self):
        first = [(kind, id, len(content)) for kind, id, content in self.records[:4]]
        return (f"<Answer status={self.status} ended={self.ended} closed={self.closed} "
                f"{len(self.records)} records {first} {self.seconds:.3f} s>")


def connect(address, timeout=5.0):
    """A connected socket; the caller closes it."""
    if address.startswith("/"):
        sock, target = socket.socket(socket.AF_UNIX), address
    else:
        host, _, port = address.rpartition(":")
        sock, target = socket.socket(socket.AF_INET), (host, int(port))
    sock.settimeout(timeout)
    try:
        sock.connect(target)
    except OSError:
        sock.close()
        raise
    return sock


def talk(sock, data=b"", id=1, timeout=5.0, piece=None, half_close=False):
    """Send data on a connected socket, piece bytes at a time, and read until the peer closes.

    Both at once, so that neither side waits for the other. half_close: our side is shut behind
    the data.
    """
    start, raw, closed, sent = time.monotonic(), [], False, 0
    sock.setblocking(False)
    poll = select.poll()
    while not closed and (left := start + timeout - time.monotonic()) > 0:
        poll.register(sock, select.POLLIN | (select.POLLOUT if sent < len(data) else 0))
        events = sum(event for _, event in poll.poll(left * 1000))
        if events & select.POLLOUT:
            try:
                sent += sock.send(data[sent:sent + (piece or len(data))])
            except BlockingIOError:
                pass
            except OSError:
                sent = len(data)
            if sent >= len(data) and half_close:
                _end(sock)
        if events & ~select.POLLOUT:
            try:
                got = sock.recv(1 << 16)
            except OSError:
                got = b""
            raw.append(got)
            closed = not got
    return Answer(b"".join(raw), id, closed, time.monotonic() - start)


def ask(address, data, **how):
    """Connect, send, read until the end, close. how: as in talk()."""
    with connect(address, how.get("timeout", 5.0)) as sock:
        return talk(sock, data, **how)


def _end(sock):
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _bytes(text):
    return text if isinstance(text, bytes) else str(text).encode()
