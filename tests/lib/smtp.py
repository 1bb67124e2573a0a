"""A scripted mail server: it keeps what it was given, and answers as it is told to.

    with Smtp() as smtp:
        smtp.say["RCPT"] = ["451 4.3.0 not now", None]     # once, and then as usual
        ... a mail by way of smtp.url ...
        assert smtp.mails[0].recipients == ["a@example.org"]

`say` has, by the name of a step (GREETING, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, END, QUIT; END is the
end of the message), what is answered there: a text, a list of which each is used once, or None for the
usual one. SILENT never answers; DRIP sends a byte of an answer now and then, without end; an Event, as
hold() gives one, answers as usual when it is set. `at` is an Event by step, set when it is reached.
"""

import asyncio
import base64
import collections
import contextlib
import dataclasses
import email
import email.policy
import ssl
import subprocess
import threading

__all__ = ["Smtp", "SILENT", "DRIP", "certificate"]

SILENT, DRIP = object(), object()
USUAL = {
    "GREETING": "220 smtp.test ready", "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", "DATA": "354 go on",
    "END": "250 2.0.0 taken", "QUIT": "221 2.0.0 bye", "STARTTLS": "220 2.0.0 go on", "AUTH": "235 2.7.0 come in",
}
DRIP_S = 0.1


@dataclasses.dataclass
class Taken:
    """A mail as it came."""

    sender: str
    recipients: list
    data: bytes  # without the dots that SMTP adds
    tls: bool
    login: str   # "user:password", or None

    @property
    def message(self):
        return email.message_from_bytes(self.data, policy=email.policy.default)


class Smtp:
    """
    A server on a loopback port of its own, in a thread of its own.

    context   for TLS; without one it offers no STARTTLS
    at_once   TLS from the first byte
    auth      whether it offers AUTH PLAIN
    """

    def __init__(self, context=None, at_once=False, auth=False):
        self.context, self.at_once, self.auth = context, at_once, auth
        self.say = {}
        self.at = collections.defaultdict(threading.Event)
        self.mails = []      # those that were taken
        self.lines = []      # every command
        self.connections = 0
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._run(asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=context if at_once else None))
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"{'smtps' if at_once else 'smtp'}://127.0.0.1:{self.port}"

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def hold(self, step):
        """Answer at this step when the Event is set that is returned."""
        self.say[step] = threading.Event()
        return self.say[step]

    def login_url(self, login):
        return self.url.replace("://", f"://{login}@")

    def close(self):
        self._run(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _end(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                await Talk(self, reader, writer).run()
        finally:
            self.tasks.discard(task)
            writer.close()


class Talk:
    """One connection."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.tls, self.login = server.at_once, None
        self.sender, self.recipients = None, []

    async def answer(self, step):
        """Say what is to be said at a step; whether that was a yes."""
        said = self.server.say.get(step)
        if isinstance(said, list):
            said = said.pop(0) if said else None
        self.server.at[step].set()
        if said is SILENT:
            await asyncio.Event().wait()
        while said is DRIP:
            self.writer.write(b"2")
            await self.writer.drain()
            await asyncio.sleep(DRIP_S)
        if isinstance(said, threading.Event):
            while not said.is_set():
                await asyncio.sleep(0.01)
            said = None
        text = said or USUAL[step]
        self.writer.write(text.encode("utf-8", "surrogateescape") + b"\r\n")
        await self.writer.drain()
        return text[0] in "23"

    def features(self):
        more = ["SIZE 1000000", "8BITMIME"]
        if self.server.context and not self.tls:
            more.append("STARTTLS")
        if self.server.auth:
            more.append("AUTH PLAIN")
        lines = ["smtp.test", *more]
        return "\r\n".join(f"250{' ' if i == len(lines) - 1 else '-'}{line}" for i, line in enumerate(lines))

    async def run(self):
        if not await self.answer("GREETING"):
            return
        while line := (await self.reader.readline()).decode().rstrip("\r\n"):
            self.server.lines.append(line)
            word = line.split()[0].upper()
            if word == "EHLO" and "EHLO" not in self.server.say:
                self.writer.write(self.features().encode() + b"\r\n")
            elif word == "STARTTLS":
                if await self.answer("STARTTLS"):
                    await self.writer.start_tls(self.server.context)
                    self.tls = True
            elif word == "AUTH":
                await self.log_in(line.split())
            elif word == "DATA":
                if await self.answer("DATA"):
                    await self.data()
            elif not await self.mail(word, line) or word == "QUIT":
                return

    async def mail(self, word, line):
        """The other commands; false for one that is none."""
        if word not in ("EHLO", "HELO", "MAIL", "RCPT", "QUIT"):
            self.writer.write(b"502 5.5.1 what?\r\n")
            return True
        good = await self.answer("EHLO" if word == "HELO" else word)
        address = line[line.find("<") + 1 : line.find(">")]
        if good and word == "MAIL":
            self.sender, self.recipients = address, []
        elif good and word == "RCPT":
            self.recipients.append(address)
        return True

    async def log_in(self, words):
        """AUTH PLAIN, what proves it behind it or in a line of its own."""
        if len(words) == 2:
            self.writer.write(b"334 \r\n")
            words.append((await self.reader.readline()).decode().strip())
        self.login = base64.b64decode(words[2]).decode().replace("\0", ":")[1:]
        await self.answer("AUTH")

    async def data(self):
        raw = (await self.reader.readuntil(b"\r\n.\r\n"))[:-3]
        lines = [line[1:] if line.startswith(b".") else line for line in raw.split(b"\r\n")]
        if await self.answer("END"):
            self.server.mails.append(
                Taken(self.sender, self.recipients, b"\r\n".join(lines), self.tls, self.login))


def certificate(directory):
    """A new certificate of 127.0.0.1 that signs itself: its path, and a context with it."""
    cert, key = directory / "smtp.crt", directory / "smtp.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=smtp.test", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context
