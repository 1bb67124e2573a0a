#!/usr/bin/python3
"""
A small Open Inference Protocol v2 server for handwritten digits, by the standard library alone.

HTTP is this file, the protocol oip.py, the model network.py. One thread a connection. SIGTERM
or SIGINT stops it: requests that have begun are answered, idle connections closed.
"""

import argparse
import contextlib
import http.server
import os
import re
import signal
import socket
import socketserver
import sys
import threading
import time
import traceback
import urllib.parse

import network
import oip
from oip import Refusal

JSON = "application/json"
BINARY = "application/octet-stream"
JSON_BYTES = "Inference-Header-Content-Length"

LISTEN = "127.0.0.1:8085"
BODY_MAX = 16 << 20  # bytes
LINE_MAX = 1024  # bytes, of a chunk's size and of a trailer
TRAILERS_MAX = 100
IDLE_S = 60  # between two bytes from a client
LINGER_S = 2
STOP_S = 5
POLL_S = 0.1  # how late a stop may be seen

DECIMAL = re.compile(r"[0-9]{1,18}")
HEXADECIMAL = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r\n", re.DOTALL)

READ = "GET, HEAD"
SERVER_PAGES = {
    "/v2": oip.SERVER_METADATA,
    "/v2/health/live": {"live": True},
    "/v2/health/ready": {"ready": True},
}
MODEL_PATH = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?")
MODEL_PAGES = {
    None: oip.MODEL_METADATA,
    "ready": {"name": oip.MODEL, "ready": True},
}


def route(path):
    """returns  the methods of a path and its page, which is None for infer"""
    if path in SERVER_PAGES:
        return READ, SERVER_PAGES[path]
    match = MODEL_PATH.fullmatch(path)
    if not match:
        raise Refusal(404, "no such path")
    model, version, verb = (part and urllib.parse.unquote(part) for part in match.groups())
    if model != oip.MODEL:
        raise Refusal(404, f"unknown model {oip.shown(model)}")
    if version not in (None, oip.VERSION):
        raise Refusal(404, f"unknown version {oip.shown(version)} of model {oip.MODEL}")
    return ("POST", None) if verb == "infer" else (READ, MODEL_PAGES[verb])


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # 0.9 would be answered without a head
    disable_nagle_algorithm = True
    wbufsize = 65536  # head and body leave in one write
    timeout = IDLE_S

    def setup(self):
        super().setup()
        self.unread = False  # part of the request is still to come, so nothing can follow it
        self.busy = False
        with self.server.changed:
            self.server.handlers.add(self)

    def handle(self):
        try:
            super().handle()
        except OSError:  # the client is gone
            if self.busy:
                self.log("none")

    def finish(self):
        with contextlib.suppress(OSError):
            if self.unread:
                self.linger()
            super().finish()
        with self.server.changed:
            self.server.handlers.discard(self)
            self.server.changed.notify()

    def linger(self):
        """Closing with bytes unread would reset the connection and could lose the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        end = time.monotonic() + LINGER_S
        while (left := end - time.monotonic()) > 0:
            self.connection.settimeout(left)
            if not self.connection.recv(65536):
                return

    def handle_one_request(self):
        self.rows = 0
        self.expects = False
        self.headers = {}
        self.started = time.perf_counter()
        self.busy = False
        if self.server.stopping:  # stop() sets it, then reads busy: one of us sees the other
            self.close_connection = True
            return
        super().handle_one_request()

    def parse_request(self):
        self.busy = True
        self.started = time.perf_counter()
        return super().parse_request()

    def handle_expect_100(self):
        self.expects = True  # the word is given when the body is wanted
        return True

    def answer(self):
        try:
            self.respond(self.read_body())
        except Refusal as refusal:
            self.refuse(refusal)
        except OSError:
            raise
        except Exception:  # a bug; the other connections live on
            traceback.print_exc()
            self.refuse(Refusal(500, "internal error"))

    # The base class calls these by the request's method.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def respond(self, body):
        allow, page = route(self.path.partition("?")[0])
        if self.command not in allow.split(", "):
            raise Refusal(405, f"{self.command} is not allowed here", [("Allow", allow)])
        if page is not None:
            self.reply(200, oip.to_json(page))
            return
        answer = oip.infer(self.server.model, body, self.json_bytes())
        self.rows = answer.rows
        if answer.json_bytes is None:
            self.reply(200, answer.body)
        else:
            self.reply(200, answer.body, BINARY, [(JSON_BYTES, str(answer.json_bytes))])

    def json_bytes(self):
        value = self.headers.get(JSON_BYTES)
        if value is None:
            return None
        if not DECIMAL.fullmatch(value.strip()):
            raise Refusal(400, f"{JSON_BYTES} must be a number")
        return int(value)

    def read_body(self):
        """errors  Refusal; then the body's end is not known and the connection is closed"""
        self.unread = True
        lengths = {value.strip() for value in self.headers.get_all("Content-Length", [])}
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            if lengths or coding.strip().lower() != "chunked":
                raise Refusal(400, "Transfer-Encoding must be chunked, without Content-Length")
            body = self.read_chunks()
        elif lengths:
            body = self.read_sized(lengths)
        elif self.command in ("POST", "PUT", "PATCH"):
            raise Refusal(411, "Content-Length is missing")
        else:
            body = b""
        self.unread = False
        return body

    def read_sized(self, lengths):
        length = lengths.pop()
        if lengths or not DECIMAL.fullmatch(length):
            raise Refusal(400, "Content-Length must be one number")
        self.allow_size(int(length))
        self.send_continue()
        return self.read_exactly(int(length))

    def read_chunks(self):
        self.send_continue()
        body = bytearray()
        while True:
            match = HEXADECIMAL.fullmatch(self.rfile.readline(LINE_MAX))
            if not match:
                raise Refusal(400, "a chunk has no size")
            size = int(match[1], 16)
            if size == 0:
                break
            self.allow_size(len(body) + size)
            body += self.read_exactly(size)
            if self.read_exactly(2) != b"\r\n":
                raise Refusal(400, "a chunk is longer than its size")
        for _ in range(TRAILERS_MAX):
            line = self.rfile.readline(LINE_MAX)
            if line == b"\r\n":
                return bytes(body)
            if not line.endswith(b"\r\n"):
                break
        raise Refusal(400, "the trailers do not end")

    def allow_size(self, size):
        if size > self.server.body_max:
            raise Refusal(413, f"the body has more than {self.server.body_max} bytes")

    def send_continue(self):
        if self.expects:
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()

    def read_exactly(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError
        return data

    def send_error(self, code, message=None, explain=None):
        """The base class could not read the request's head."""
        self.unread = True
        self.refuse(Refusal(code, (message or self.responses[code][0])[:200]))

    def refuse(self, refusal):
        self.close_connection = self.close_connection or self.unread
        self.reply(refusal.status, oip.to_json({"error": refusal.text}), headers=refusal.headers)

    def reply(self, status, body, kind=JSON, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection or self.server.stopping:
            self.send_header("Connection", "close")  # which the base class then does
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        self.log(status)

    def log(self, status):
        if self.server.quiet:
            return
        ms = 1000 * (time.perf_counter() - self.started)
        line = f"request={ascii(self.requestline)[:200]}"
        line += f" status={status} rows={self.rows} ms={ms:.2f}"
        request_id = self.headers.get("X-Request-Id")
        if request_id is not None:
            line += f" request_id={ascii(request_id)[:80]}"
        with contextlib.suppress(OSError):
            sys.stderr.write(line + "\n")

    def version_string(self):
        return "digits"

    def log_message(self, *_):
        """The base class's own lines are not wanted."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, model, body_max, quiet):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.model = model
        self.body_max = body_max
        self.quiet = quiet
        self.stopping = False
        self.handlers = set()
        self.changed = threading.Condition()  # guards handlers, told when one leaves
        super().__init__(address, Handler)

    def stop(self):
        self.shutdown()
        self.server_close()
        self.stopping = True
        with self.changed:
            for handler in self.handlers:
                if not handler.busy:
                    with contextlib.suppress(OSError):
                        handler.connection.shutdown(socket.SHUT_RD)
            self.changed.wait_for(lambda: not self.handlers, STOP_S)


def address_of(text):
    host, _, port = text.rpartition(":")
    if not host or not DECIMAL.fullmatch(port) or int(port) > 65535:
        raise argparse.ArgumentTypeError("must be HOST:PORT")
    return host.strip("[]"), int(port)


class Parser(argparse.ArgumentParser):
    """The exit status of the other scripts for what they do not know."""

    def error(self, message):
        self.exit(64, f"{self.prog}: {message}; see --help\n")


def options_of():
    parser = Parser(description="serve the digit model")
    add = parser.add_argument
    add("--listen", type=address_of, default=LISTEN, metavar="HOST:PORT", help=f"default {LISTEN}")
    add("--port", type=int, help="instead of the port above; 0: one that is free")
    add("--port-file", metavar="F", help="write the port to F as soon as it listens")
    add("--body-max", type=int, default=BODY_MAX, metavar="BYTES", help="default %(default)s")
    add("--quiet", action="store_true", help="no line for each request")
    return parser.parse_args()


def write_whole(path, text):
    """Who waits for the file never sees half of it."""
    part = f"{path}.{os.getpid()}"
    with open(part, "w", encoding="ascii") as file:
        file.write(text)
    os.replace(part, path)


def main():
    options = options_of()
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # all threads inherit it; sigwait takes them
    host, port = options.listen
    port = port if options.port is None else options.port
    model = network.Network()
    try:
        server = Server((host, port), model, options.body_max, options.quiet)
    except (OSError, OverflowError) as error:  # the latter: no such port
        sys.exit(f"digits: cannot listen on {host} port {port}: {error}")
    threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
    port = server.server_address[1]
    if options.port_file:
        write_whole(options.port_file, f"{port}\n")
    print(f"digits: listening on {host} port {port}", file=sys.stderr)
    signal.sigwait(stops)
    server.stop()
    if options.port_file:
        with contextlib.suppress(OSError):
            os.unlink(options.port_file)


if __name__ == "__main__":
    main()
