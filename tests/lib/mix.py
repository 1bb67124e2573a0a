"""Many requests of several kinds from a cheap client: tests/load/mix.c, built where it is used.

    mix = Mix(postern, directory)
    mix.kind("one", 200, "GET", f"/v1/products/{id}", weight=5)
    mix.kind("large", 422, "POST", "/v1/auth/login", b"{...}")
    result = mix.run(100_000, connections=32)
    assert result.bad == {}, result.said
"""

import dataclasses
import re
import subprocess
import time

from bench import TOP

__all__ = ["Mix", "Result"]


@dataclasses.dataclass
class Result:
    """
    good, bad   how often, by kind; kinds without a bad answer are not in `bad`
    worst_ms    by kind
    said        the first bad ones, as text
    whole       all were answered before the time was over
    """

    good: dict
    bad: dict
    worst_ms: dict
    said: str
    whole: bool
    seconds: float


class Mix:
    def __init__(self, postern, directory):
        self.postern, self.directory, self.files = postern, directory, []
        self.program = directory / "mix"
        if not self.program.exists():
            flags = ["-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
            subprocess.run(["cc", *flags, "-o", self.program, TOP / "tests/load/mix.c"], check=True)

    def kind(self, name, status, method, path, body=b"", weight=1, headers=()):
        """One more kind of request, and the only status that is right for it."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        path = self.directory / f"{len(self.files)}-{name}"
        head = "\r\n".join(lines) + "\r\n\r\n"
        path.write_bytes(f"{name} {weight} {status}\n{head}".encode() + body)
        self.files.append(path)

    def run(self, total, connections=32, seconds=120):
        start = time.monotonic()
        done = subprocess.run(
            [self.program, str(self.postern.port), str(connections), str(total), str(seconds), *self.files],
            capture_output=True, text=True, timeout=seconds + 30, check=False)
        rows = re.findall(r"^(\S+) good (\d+) bad (\d+) worst_ms (\d+)$", done.stdout, re.M)
        assert rows, done.stderr
        return Result(
            good={name: int(good) for name, good, _, _ in rows},
            bad={name: int(bad) for name, _, bad, _ in rows if bad != "0"},
            worst_ms={name: int(ms) for name, _, _, ms in rows},
            said=done.stderr, whole=done.returncode == 0, seconds=time.monotonic() - start)
