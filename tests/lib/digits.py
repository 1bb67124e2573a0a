"""The digit model of scripts/digits, running for the tests."""

import json
import subprocess
import sys
import tempfile

from bench import TOP, until

HELD_OUT = TOP / "scripts" / "digits" / "heldout.json"


class Digits:
    """A digit server on a port of its own; `rows` are images that it has not seen, with labels."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="postern-digits.")
        port_file = f"{self.directory.name}/port"
        self.process = subprocess.Popen(
            [sys.executable, TOP / "scripts/digits/server.py", "--port", "0", "--port-file", port_file, "--quiet"],
            stderr=subprocess.DEVNULL,
        )
        self.port = int(until(lambda: read(port_file), what="the digit server"))
        self.url = f"http://127.0.0.1:{self.port}"
        self.rows = held_out()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    def close(self):
        self.stop()
        self.directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def held_out():
    return json.loads(HELD_OUT.read_text())
