"""The reader of FastCGI records under libFuzzer, for a short while. It begins with what fcgi_records.py has written down."""

import pathlib
import subprocess
import sys

from fuzzer import build, fuzz

GENERATOR = pathlib.Path(__file__).with_name("fcgi_records.py")


def test_no_bytes_mislead_the_reader(tmp_path):
    program = build(tmp_path, "fuzz_record", "common/arena common/base common/str fcgi/record")
    corpus = tmp_path / "corpus"
    subprocess.run([sys.executable, GENERATOR, "--corpus", corpus], check=True)
    fuzz(program, corpus, max_len=4096)
