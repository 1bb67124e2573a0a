"""A private PostgreSQL cluster for the generator: it needs no part of the program but qgen."""

import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile


def programs():
    """The directory of initdb and pg_ctl; None where there is no server."""
    found = []
    if shutil.which("pg_config"):
        found.append(subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True).stdout.strip())
    found += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    return next((d for d in found if os.path.exists(f"{d}/initdb")), None)


class Cluster:
    """On a unix socket in a directory of its own. PostgreSQL refuses root, so root becomes another user."""

    def __enter__(self):
        self.bin = programs()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postern-qgen.", dir="/tmp"))
        self.user = {}
        if os.geteuid() == 0:
            names = {u.pw_name: u for u in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.user = dict(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        self.run("initdb", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres",
                 "-D", self.dir / "data")
        self.run("pg_ctl", "-w", "-D", self.dir / "data", "-l", self.dir / "log", "-o",
                 f"-k {self.dir} -c listen_addresses='' -c fsync=off", "start")
        return self

    def __exit__(self, *_):
        self.run("pg_ctl", "-w", "-m", "immediate", "-D", self.dir / "data", "stop")
        shutil.rmtree(self.dir)

    def run(self, program, *arguments):
        # its output goes nowhere: what stays behind would keep a pipe open
        subprocess.run([f"{self.bin}/{program}", *map(str, arguments)], cwd=self.dir, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=60, **self.user)

    def dsn(self, database, user="postgres"):
        return f"host={self.dir} user={user} dbname={database}"

    def sql(self, database, text):
        """Rows as psql prints them, without head and alignment."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(database)],
                              input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dump(self, database):
        """The schema as text, without what is different each time."""
        done = subprocess.run(["pg_dump", "-s", "-d", self.dsn(database)], capture_output=True, text=True,
                              check=True, timeout=60)
        return [line for line in done.stdout.splitlines()
                if line and not line.startswith(("--", "\\restrict", "\\unrestrict"))]
