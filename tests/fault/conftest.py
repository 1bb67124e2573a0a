"""Servers of the tests of processes, and what tests of one instance (their fixture postern) share."""

import pytest
from server import Server


@pytest.fixture()
def serve():
    """Make servers: serve({"pool.workers": 2}); all are closed when the test ends."""
    running = []

    def make(sets=None, **more):
        running.append(Server(sets, **more))
        return running[-1]

    yield make
    for one in running:
        one.close()


@pytest.fixture()
def server(serve):
    """One server with four workers."""
    return serve()


@pytest.fixture(scope="module")
def editor(postern):
    return postern.api().as_("editor")


@pytest.fixture()
def workers_live(postern):
    """The workers stay the same."""
    before = postern.workers()
    yield
    assert postern.workers() == before
