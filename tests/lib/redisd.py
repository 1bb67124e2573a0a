"""A private redis-server, and one that answers whatever a test wants.

    with Redis() as redis, Server({"redis.url": redis.url}) as server:
        redis.pause()

    with FakeRedis(lambda words, sock: sock.sendall(answer(words, 1, b"text"))) as fake:
        ...
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from bench import until
from upstream import free_port

__all__ = ["Redis", "FakeRedis", "answer", "bulk", "read_command", "link"]


def link(path):
    """A connection to a unix socket, as a file; the caller closes it."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(path))
    return sock.makefile("rwb")


def read_command(file):
    """The words of the next command, bytes; None at the end."""
    head = file.readline()
    if not head.startswith(b"*"):
        return None
    words = []
    for _ in range(int(head[1:])):
        words.append(file.read(int(file.readline()[1:])))
        file.read(2)
    return words


def read_reply(file):
    """An answer: bytes, a number, a list or None; an error is raised."""
    kind, rest = (line := file.readline())[:1], line[1:].rstrip(b"\r\n")
    if kind == b"$":
        return None if int(rest) < 0 else file.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [read_reply(file) for _ in range(int(rest))]
    if kind == b"-":
        raise RuntimeError(rest.decode())
    return int(rest) if kind == b":" else rest


def as_bytes(word):
    return word if isinstance(word, bytes) else str(word).encode()


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text)


def answer(words, *items):
    """What a script answers to a command: the question's number, which is its last word, and the items."""
    said = [b"$-1\r\n" if item is None else b":%d\r\n" % item if isinstance(item, int) else bulk(item) for item in items]
    return b"*%d\r\n" % (1 + len(items)) + bulk(words[-1]) + b"".join(said)


class Redis:
    """
    A redis-server on a unix socket, with a port of 127.0.0.1 beside it.

    args   more of its command line: ("--maxmemory", "1mb")
    url    by the socket; address: "127.0.0.1:port"
    """

    def __init__(self, *args):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postern-redis.", dir="/tmp"))
        self.path = self.directory / "s"
        self.url = f"unix://{self.path}"
        self.args = args
        self.address = f"127.0.0.1:{free_port()}"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", self.address.split(":")[1], "--unixsocket", str(self.path), "--unixsocketperm", "777",
             "--save", "", "--appendonly", "no", "--dir", str(self.directory), *self.args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.directory.chmod(0o755)
        until(self.answers, 10, "an answer of redis-server")

    def answers(self):
        try:
            return self.ask("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def ask(self, *words):
        """The first line of the answer to a command."""
        with link(self.path) as file:
            file.write(b"*%d\r\n" % len(words) + b"".join(bulk(as_bytes(word)) for word in words))
            file.flush()
            return file.readline().rstrip(b"\r\n")

    def call(self, *words):
        """The whole answer to a command: bytes, a number, a list or None."""
        with link(self.path) as file:
            file.write(b"*%d\r\n" % len(words) + b"".join(bulk(as_bytes(word)) for word in words))
            file.flush()
            return read_reply(file)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)
        self.path.unlink(missing_ok=True)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FakeRedis:
    """
    act(words, sock)   answers a command on its connection, by a thread of the connection's own; may sleep,
                       may raise OSError to end it
    commands           how many came

    Whether it takes writes is no question for act: it does.
    """

    def __init__(self, act):
        self.act = act
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postern-redis.", dir="/tmp"))
        self.directory.chmod(0o755)
        self.path = self.directory / "s"
        self.url = f"unix://{self.path}"
        self.commands = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        os.chmod(self.path, 0o777)
        self.socket.listen(128)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rb") as file:
            try:
                while (words := read_command(file)) is not None:
                    if words[3:4] == [b"postern:writes"]:
                        sock.sendall(answer(words))
                        continue
                    self.commands += 1
                    self.act(words, sock)
            except (OSError, ValueError):
                pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
