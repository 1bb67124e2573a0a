"""scripts/up, scripts/down and scripts/demo: what they print, keep, stop and leave behind."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

import pytest
from bench import TOP, Postern, Postgres, process_alive, run_script, short_dir, remove


def status(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status


def values(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def up(directory, *more, **how):
    return values(run_script("up", "--dir", directory, "--port", "0", *more, **how))


@pytest.fixture()
def directory():
    path = short_dir()
    yield path
    if path.exists():
        run_script("down", "--dir", path)
        remove(path)


def test_what_is_printed_is_true_and_kept(directory):
    said = up(directory)
    assert list(said) == [
        "url", "dir", "config", "admin_email", "admin_password", "database", "socket", "posternd_pid",
    ]
    assert (directory / "env").read_text() == "".join(f"{k}={v}\n" for k, v in said.items())
    assert (directory / "env").stat().st_mode & 0o077 == 0
    assert status(said["url"] + "/readyz") == 200
    assert pathlib.Path(said["config"]).is_file() and pathlib.Path(said["socket"]).is_socket()
    assert said["dir"] == str(directory)
    assert "posternd" in pathlib.Path(f"/proc/{said['posternd_pid']}/cmdline").read_text()
    rows = Postgres(directory).sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", dsn=said["database"])
    assert rows == [(False,)]


def test_a_redis_of_its_own_comes_and_goes_with_it(directory):
    said = up(directory, "--redis")
    assert list(said)[-1] == "redis" and said["redis"].startswith("unix:///")
    assert (directory / "env").read_text() == "".join(f"{k}={v}\n" for k, v in said.items())
    socket = pathlib.Path(said["redis"].removeprefix("unix://"))
    assert socket.is_socket() and socket.stat().st_mode & 0o077 == 0
    with urllib.request.urlopen(said["url"] + "/readyz", timeout=10) as answer:
        assert json.load(answer)["redis"] == "ok"
    assert up(directory, "--redis") == said
    assert "redis" not in up(directory), "without it, none is left"
    assert not socket.exists()


def test_a_second_time_it_is_quick_and_changes_nothing(directory):
    first = up(directory)
    began = time.monotonic()
    assert up(directory) == first
    assert time.monotonic() - began < 2


def test_other_options_are_taken_over_and_the_accounts_stay(directory):
    first = up(directory)
    second = up(directory, "--front", "apache", "--set", "pool.workers=3")
    assert status(second["url"] + "/readyz") == 200
    assert second["admin_password"] == first["admin_password"]
    assert "workers = 3" in pathlib.Path(second["config"]).read_text()
    assert not process_alive(int(first["posternd_pid"]))


def test_two_directories_are_two_instances(directory):
    one = up(directory)
    with Postern() as other:
        assert other.url != one["url"]
        api = other.api()
        api.as_("editor")
        assert status(one["url"] + "/readyz") == status(other.url + "/readyz") == 200
    assert status(one["url"] + "/readyz") == 200


def test_down_stops_all_of_it_and_nothing_else(directory):
    said = up(directory)
    state = Postgres(directory)
    pids = [int(line.split()[1]) for line in (state.state / "pids").read_text().splitlines()]
    pids.append(state.pid)
    with open(state.state / "pids", "a") as file:
        file.write(f"nginx {os.getpid()} 1\n")
    run_script("down", "--dir", directory)
    assert len(pids) == 3 and not any(map(process_alive, pids))
    assert not (directory / "env").exists()
    assert process_alive(os.getpid()), "another process has the number now"
    with pytest.raises(OSError):
        status(said["url"] + "/readyz")
    run_script("down", "--dir", directory)


def test_down_of_what_never_was_is_nothing(directory):
    run_script("down", "--dir", directory)


def test_a_directory_of_somebody_else_is_left_alone():
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        (pathlib.Path(path) / "mine").write_text("x")
        with pytest.raises(AssertionError, match="not made by scripts/up"):
            run_script("up", "--dir", path)
        assert os.listdir(path) == ["mine"]


@pytest.fixture()
def odd():
    """A directory whose name a shell must be kept from reading, and where the sockets cannot lie."""
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        os.chmod(outer, 0o711)
        path = pathlib.Path(outer) / "it's a place"
        yield path
        run_script("down", "--dir", path)
        remove(path)


def test_a_shell_reads_what_is_kept(odd):
    said = up(odd)
    words = " ".join(f'"${name}"' for name in said)
    read = subprocess.run(
        ["sh", "-euc", '. "$0"; printf "%s\\n" ' + words, odd / "env"],
        capture_output=True, text=True, check=True,
    ).stdout
    assert read.splitlines() == list(said.values())
    assert said["dir"] == str(odd)
    assert up(odd) == said, "said again from what is kept"


def test_a_directory_of_the_sockets_goes_with_down_and_another_comes(odd):
    for _ in range(2):
        sockets = pathlib.Path(up(odd)["socket"]).parent
        assert sockets.is_dir() and odd not in sockets.parents
        run_script("down", "--dir", odd)
        assert not sockets.exists()


def test_what_somebody_put_beside_the_sockets_stays(odd):
    mine = pathlib.Path(up(odd)["socket"]).parent / "mine"
    mine.write_text("x")
    run_script("down", "--dir", odd)
    assert mine.read_text() == "x"
    assert pathlib.Path(up(odd)["socket"]).parent == mine.parent


def test_the_settings_are_for_the_server_and_root_alone(directory):
    config = pathlib.Path(up(directory)["config"])
    owner = config.stat().st_uid
    config.chmod(0o644)
    again = pathlib.Path(up(directory, "--set", "pool.workers=3")["config"])
    assert again == config and (again.stat().st_mode & 0o777, again.stat().st_uid) == (0o600, owner)
    assert "workers = 3" in again.read_text()


def test_the_control_tool_takes_its_configuration_and_its_migrations(directory):
    """As scripts/README shows it."""
    state = pathlib.Path(up(directory)["config"]).parent
    ctl = [state / "inst/sbin/posternctl", "--config", state / "postern.conf"]

    def say(*args):
        return subprocess.run([*ctl, *args], capture_output=True, text=True, check=True).stdout

    assert "serves" in say("reload")
    assert "0001_base" in say("migrate", "status", "--dir", state / "inst/share/postern/migrations")


def test_the_demo_is_answered_as_it_should_be_and_leaves_nothing():
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        os.chmod(outer, 0o711)
        place = pathlib.Path(outer) / "a b"
        place.mkdir()
        said = run_script("demo", "--once", env={**os.environ, "TMPDIR": str(place)})
        assert "steps were answered as they should be." in said
        assert list(place.iterdir()) == []
        sockets = pathlib.Path("/tmp" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp"))
        links = [path for path in sockets.glob("postern.*/*") if path.is_symlink()]
        assert [link for link in links if os.readlink(link).startswith(outer)] == []


@pytest.mark.parametrize("name", ["with a space", "deep-" + "x" * 120, "it's"])
def test_any_directory_will_do(name):
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        os.chmod(outer, 0o711)
        path = pathlib.Path(outer) / name
        try:
            said = up(path)
            assert status(said["url"] + "/readyz") == 200
            assert len(said["socket"]) <= 107
        finally:
            run_script("down", "--dir", path)
            remove(path)


def test_a_closed_parent_is_gone_around(directory):
    """Root's service user cannot enter every place that root can."""
    with tempfile.TemporaryDirectory(dir="/tmp") as closed:
        path = pathlib.Path(closed) / "run"
        try:
            assert status(up(path)["url"] + "/readyz") == 200
        finally:
            run_script("down", "--dir", path)
            remove(path)


def test_it_works_from_a_checkout_whose_path_has_a_space(directory):
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        checkout = pathlib.Path(outer) / "a b"
        checkout.symlink_to(TOP)
        said = subprocess.run(
            [checkout / "scripts/up", "--dir", directory, "--port", "0"],
            capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
        ).stdout
        assert status(values(said)["url"] + "/readyz") == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="to become another user one must be root")
def test_no_root_is_needed():
    with tempfile.TemporaryDirectory(dir="/tmp") as outer:
        copy = pathlib.Path(outer) / "copy"
        for part in ("scripts", "conf"):
            shutil.copytree(TOP / part, copy / part)
        build = pathlib.Path(os.environ["POSTERN_BUILD"]) if "POSTERN_BUILD" in os.environ else TOP / ".build"
        subprocess.run(
            ["make", "-s", "-C", build, "install", f"prefix={copy}/inst"], check=True, capture_output=True
        )
        (copy / "Makefile").write_text('all:\ninstall:\n\tcp -r inst/. "$(prefix)"\n')
        (copy / "configure").touch(0o755)
        (copy / "config.status").touch(0o755)
        os.chmod(outer, 0o755)
        subprocess.run(["chown", "-R", "www-data:", copy], check=True)
        env = {k: v for k, v in os.environ.items() if k != "POSTERN_BUILD"}
        who = {"user": "www-data", "group": "www-data", "extra_groups": [], "cwd": "/", "env": env}
        try:
            said = subprocess.run(
                [copy / "scripts/up", "--port", "0"], capture_output=True, text=True, check=True, **who
            ).stdout
            assert status(values(said)["url"] + "/readyz") == 200
            owner = os.stat(f"/proc/{values(said)['posternd_pid']}").st_uid
            assert owner == copy.stat().st_uid
        finally:
            subprocess.run([copy / "scripts/down"], check=True, **who)


@pytest.mark.parametrize(
    "args,word",
    [
        (["--port", "x"], "not a port"),
        (["--front", "iis"], "not lighttpd"),
        (["--set", "workers=2"], "section.key"),
        (["--nonsense"], "not an option"),
        (["--dir"], "needs a value"),
    ],
)
def test_a_wrong_option_says_so(args, word):
    with pytest.raises(AssertionError, match=word):
        run_script("up", *args)


def test_a_wrong_setting_says_which(directory):
    with pytest.raises(AssertionError, match="workerz"):
        up(directory, "--set", "pool.workerz=2")


def test_migrations_only_is_a_cluster_alone(directory):
    said = values(run_script("up", "--dir", directory, "--migrations-only"))
    assert list(said) == ["dir", "database"]
    rows = Postgres(directory).sql("SELECT count(*) > 0 FROM schema_migrations", dsn=said["database"])
    assert rows == [(True,)]
