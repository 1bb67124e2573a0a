import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import Cluster, programs

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD") or (TOP if (TOP / "qgen").exists() else TOP / ".build"))


@pytest.fixture(scope="session")
def cluster():
    if programs() is None:
        pytest.skip("no PostgreSQL server programs here")
    with Cluster() as running:
        yield running


@pytest.fixture
def migrate():
    """posternctl migrate with a DSN and more arguments; starts it and returns the process."""

    def start(dsn, *arguments):
        environment = dict(os.environ, POSTERN_MIGRATIONS_DIR=str(TOP / "schema/migrations"))
        return subprocess.Popen([BUILD / "posternctl", "migrate", *map(str, arguments), "--dsn", dsn],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    return start


class Generator:
    """qgen with the models of a header; statements are files of the directory it runs in."""

    def __init__(self, directory, dsn, header=None):
        self.directory, self.dsn = directory, dsn
        self.models = directory / "models.so"
        self.include = directory / "tests/qgen"
        self.include.mkdir(parents=True, exist_ok=True)
        here = TOP / "tests/qgen"
        (self.include / "models.h").write_text(header or (here / "models.h").read_text())
        self.cc("-shared", "-fPIC", here / "models.c", "-o", self.models).check_returncode()

    def cc(self, *arguments):
        compiler = os.environ.get("CC", "cc").split()
        return subprocess.run([*compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                               "-I", self.directory, "-I", TOP, *map(str, arguments)],
                              capture_output=True, text=True)

    def qgen(self, mode, *arguments):
        return subprocess.run([BUILD / "qgen", mode, "--lock", "lock", *arguments], cwd=self.directory,
                              env=dict(os.environ, LD_PRELOAD=str(self.models)), capture_output=True, text=True)

    def ask(self, mode, *files):
        return self.qgen(mode, "--dsn", self.dsn, "--role", "postern_app", *files)

    def emit(self, *files):
        return self.qgen("emit", "--out", "out.gen", "--include", "tests/qgen/models.h", *files)

    @property
    def lock(self):
        return self.directory / "lock"


@pytest.fixture(scope="session")
def cases_database(cluster, tmp_path_factory):
    """The name of a migrated database that has the tables of the cases as well."""
    cluster.sql("postgres", "CREATE DATABASE cases")
    directory = tmp_path_factory.mktemp("migrated")
    done = subprocess.run([BUILD / "qgen", "lock", "--dsn", cluster.dsn("cases"), "--lock", directory / "lock",
                           "--migrations", TOP / "schema/migrations"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cluster.sql("cases", (TOP / "tests/qgen/schema.sql").read_text())
    return "cases"


@pytest.fixture
def generator(cluster, cases_database, tmp_path):
    return Generator(tmp_path, cluster.dsn(cases_database))


@pytest.fixture
def generator_with(cluster, cases_database, tmp_path):
    """A generator whose models.h is another text."""

    def make(change):
        header = (TOP / "tests/qgen/models.h").read_text()
        changed = header.replace(*change)
        assert changed != header
        return Generator(tmp_path, cluster.dsn(cases_database), changed)

    return make
