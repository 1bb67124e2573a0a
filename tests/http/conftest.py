"""Instances for the tests of what clients see: the same behind lighttpd and behind Apache, without Redis and with."""

import os

import pytest
from bench import Postern

FRONTS = os.environ.get("POSTERN_FRONTS", "lighttpd apache lighttpd+redis").split()


def started(front, sets, **more):
    """An instance; front: a web server, with "+redis" behind it for one that has a Redis too."""
    name, _, redis = front.partition("+")
    return Postern(front=name, redis=redis == "redis", sets=sets, **more)


@pytest.fixture(scope="session", params=FRONTS)
def front(request):
    return request.param


@pytest.fixture(scope="session")
def postern(front):
    """One instance of each kind, with what most tests need."""
    sets = {"pool.workers": 4, "cors.origins": "https://www.example.org", "auth.hash_cost": 1, "auth.hash_concurrency": 4}
    with started(front, sets) as running:
        yield running


@pytest.fixture(scope="session")
def contract(postern):
    """One document for all clients of an instance."""
    return postern.api().contract


@pytest.fixture()
def api(postern):
    """A client that is nobody."""
    client = postern.api()
    yield client
    client.close()


@pytest.fixture(scope="session")
def admin(postern):
    return postern.api().as_admin()


@pytest.fixture(scope="session")
def editor(postern):
    return postern.api().as_("editor")


@pytest.fixture(scope="session")
def user(postern):
    return postern.api().as_("user")


@pytest.fixture(scope="module")
def instance(front):
    """Make an instance with other settings, for one file: instance({"http.base_path": "/api"})."""
    running = []

    def make(sets=None, **more):
        running.append(started(front, sets, **more))
        return running[-1]

    yield make
    for one in running:
        one.close()
