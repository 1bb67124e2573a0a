"""A log that cannot be written stops nobody, and what was lost is counted."""

import contextlib
import os
import subprocess

import pytest
from bench import Postern, until
from ledger import Load
from service import Child, metrics


@contextlib.contextmanager
def full_disk(directory):
    """A file where there is hardly any room."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("mount is not permitted here")
    try:
        yield directory / "log"
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@contextlib.contextmanager
def sleeping_reader(_):
    """A pipe that nobody reads, so that it is full soon."""
    reading, writing = os.pipe()
    yield writing
    os.close(writing)
    os.close(reading)


@contextlib.contextmanager
def no_reader(_):
    """A pipe that cannot be written to."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def dropped(postern):
    return metrics(postern)[0]["postern_log_dropped_total"]


@pytest.mark.parametrize("log", [full_disk, sleeping_reader, no_reader])
def test_a_log_that_takes_no_more_loses_lines_and_no_request(log, tmp_path):
    with Postern(sets={"pool.workers": 2, "auth.hash_cost": 1}) as postern, log(tmp_path) as out, Child(postern, out):
        with Load(postern, clients=4) as load:
            load.wait(20)
            until(lambda: dropped(postern) > 0, 20, "a line that is lost")
            lost = dropped(postern)
            load.wait(200)
            assert dropped(postern) >= lost + 200  # a line a request
            postern.reload()
            load.wait(20)
        assert load.failures == []
        assert load.lost(postern.sql) == []
