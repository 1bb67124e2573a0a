"""Drives tests/fault/db_probe.c: the database layer alone, one request after the other.

    with Probe(cluster.dsn) as probe:
        answer = probe.ask(1000, "read", 7)
        assert (answer.code, answer.value) == ("ok", "note 7")
"""

import dataclasses
import functools
import os
import pathlib
import subprocess

from bench import TOP

__all__ = ["Probe", "SCHEMA"]

SCHEMA = "CREATE TABLE probe_items (id bigint PRIMARY KEY, note text)"


@dataclasses.dataclass
class ProbeAnswer:
    code: str
    ms: int
    again: bool
    connects: int
    value: str


@functools.cache
def program():
    """The probe, built when it is not yet."""
    build = pathlib.Path(os.environ.get("POSTERN_BUILD", TOP / ".build"))
    if not (build / "Makefile").exists() and (TOP / "Makefile").exists():
        build = TOP
    done = subprocess.run(
        ["make", "-s", "-C", str(build), "tests/fault/db_probe"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return build / "tests/fault/db_probe"


class Probe:
    def __init__(self, dsn, prepare="named"):
        self.process = subprocess.Popen(
            [str(program()), dsn, prepare], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace", bufsize=1
        )

    def ask(self, ms, command, n=0):
        """One request with a deadline of so many milliseconds."""
        self.process.stdin.write(f"{ms} {command} {n}\n")
        self.process.stdin.flush()
        code, took, again, connects, value = self.process.stdout.readline().rstrip("\n").split("\t", 4)
        return ProbeAnswer(code, int(took), again == "again", int(connects), value)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
