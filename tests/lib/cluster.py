"""A bare private PostgreSQL cluster: nothing in it, nothing else with it; for the database layer alone.

    with Cluster(max_connections=10) as cluster:
        cluster.sql("SELECT 1")

(bench.Postgres is a migrated one, with roles, as scripts/up makes it.)
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg

from bench import children, pg_bin

__all__ = ["Cluster"]


class Cluster:
    """
    settings   of postgresql.conf, by name
    standby_of a running Cluster: its copy, which follows it and is read only
    port       of 127.0.0.1, 0: none; the unix socket is always there
    """

    def __init__(self, standby_of=None, port=0, **settings):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postern-pg.", dir="/tmp"))
        self.data = self.directory / "pg"
        self.sockets = str(self.directory)
        self.port = port
        settings = {
            "unix_socket_directories": self.sockets,
            "listen_addresses": "127.0.0.1" if port else "",
            "port": port or 5432,
            "fsync": "off",
            **settings,
        }
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        else:
            self.owner = {}
        if standby_of:
            self.run("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-d", standby_of.dsn)
        else:
            self.run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", self.data)
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    def run(self, program, *args):
        done = subprocess.run(
            [str(pg_bin() / program), *map(str, args)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=90,
            check=False,
            **self.owner,
        )
        assert done.returncode == 0, f"{program}: exit status {done.returncode}"

    @property
    def socket(self):
        return f"{self.sockets}/.s.PGSQL.{self.port or 5432}"

    @property
    def dsn(self):
        return f"host={self.sockets} port={self.port or 5432} user=postgres dbname=postgres"

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.directory / "log", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def promote(self):
        self.run("pg_ctl", "-D", self.data, "-w", "promote")

    def pids(self):
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        return [pid, *children(pid)]

    def pause(self):
        """Stop every process where it stands: sockets stay open, nothing answers."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def sql(self, text, params=None):
        """Rows of a statement; [] when it has none."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(text, params)
            return cursor.fetchall() if cursor.description else []

    def close(self):
        if (self.data / "postmaster.pid").exists():
            self.resume()
            self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
