"""Each setting, wrong in every way its row allows: refused, and named with its line. Fault 46."""

import json
import os
import subprocess

import pytest
from bench import TOP
from server import POSTERNCTL, POSTERND

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}


def ctl(*args):
    return subprocess.run([POSTERNCTL, "--config", "/dev/null", *args], env=CLEAN, check=True,
                          text=True, capture_output=True).stdout


def check(path):
    return subprocess.run([POSTERND, "--config", path, "--check"], env=CLEAN, check=False,
                          text=True, capture_output=True)


@pytest.fixture(scope="module")
def rows():
    return json.loads(ctl("settings", "--json"))


def wrong_values(row):
    """Values that this row cannot have."""
    if row["type"] == "int":
        return [row["min"] - 1, row["max"] + 1, "", "x", "1.5", "1 2", "+1", 10**30]
    if row["type"] == "bool":
        return ["", "maybe", "2", "onn"]
    if row["type"] == "choice":
        return ["", "nonsense", row["default"] + "x", row["default"].swapcase()]
    return []


def test_rows_say_what_they_are(rows):
    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == ["name", "type", "unit", "default", "min", "max", "reload", "about", "value"]
        assert row["value"] == row["default"] or row["value"] == "***"
        if row["type"] == "int":
            assert row["min"] <= row["default"] <= row["max"]


def test_each_wrong_value_is_refused_and_named_with_its_line(rows, tmp_path):
    lines, wanted = [], []
    for row in rows:
        section, name = row["name"].split(".")
        for value in wrong_values(row):
            path = tmp_path / "one.conf"
            path.write_text(f"# first line\n[{section}]\n{name} = {value}\n")
            done = check(path)
            assert done.returncode == 78, (row["name"], value)
            assert done.stderr.startswith(f"{path}:3: {row['name']}: "), done.stderr
            assert len(done.stderr.splitlines()) == 1
        if wrong_values(row):
            lines += [f"[{section}]", f"{name} = {wrong_values(row)[0]}"]
            wanted.append(f"{len(lines)}: {row['name']}: ")
    path = tmp_path / "all.conf"
    path.write_text("\n".join(lines) + "\n")
    found = check(path).stderr.splitlines()
    assert [line.startswith(f"{path}:{want}") for line, want in zip(found, wanted, strict=True)] == [True] * len(wanted)


def test_each_misspelt_name_is_refused_with_the_right_one(rows, tmp_path):
    path = tmp_path / "postern.conf"
    for row in rows:
        section, name = row["name"].split(".")
        path.write_text(f"[{section}]\n{name}x = 1\n")
        done = check(path)
        assert done.returncode == 78
        assert f"{path}:2: {row['name']}x: there is no such setting (did you mean {row['name']}?)" in done.stderr


def test_each_name_given_twice_is_refused(rows, tmp_path):
    path = tmp_path / "postern.conf"
    for row in rows:
        section, name = row["name"].split(".")
        value = " ".join(row["default"]) if row["type"] == "list" else row["default"]
        value = {True: "on", False: "off"}.get(value, value) if row["type"] == "bool" else value
        path.write_text(f"[{section}]\n{name} = {value}\n[{section}]\n{name} = {value}\n")
        done = check(path)
        assert done.returncode == 78
        assert done.stderr == f"{path}:4: {row['name']}: given already in line 2\n"


def test_a_right_configuration_is_called_so(tmp_path):
    path = tmp_path / "postern.conf"
    path.write_text("[pool]\nworkers = 2\n")
    done = check(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "configuration is right\n", "")


def test_the_shipped_file_is_right_and_is_what_the_table_gives():
    shipped = TOP / "conf" / "postern.conf"
    assert check(shipped).returncode == 0
    assert shipped.read_text() == ctl("settings", "--conf")


def test_a_faulty_configuration_starts_nothing(tmp_path):
    path = tmp_path / "postern.conf"
    path.write_text(f"[run]\ndir = {tmp_path}/run\n[pool]\nworkers = many\n")
    done = subprocess.run([POSTERND, "--config", path], env=CLEAN, check=False, text=True,
                          capture_output=True, timeout=10)
    assert done.returncode == 78
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("args", [["--wrong"], ["more"], ["--set"]])
def test_a_wrong_command_line_is_refused(args):
    done = subprocess.run([POSTERND, *args], env=CLEAN, check=False, text=True, capture_output=True, timeout=10)
    assert done.returncode == 64
    assert done.stderr


@pytest.mark.parametrize("args", [[], ["nonsense"], ["settings", "more"], ["status", "--jsn"]])
def test_a_wrong_command_is_refused(args):
    done = subprocess.run([POSTERNCTL, "--config", "/dev/null", *args], env=CLEAN, check=False,
                          text=True, capture_output=True, timeout=10)
    assert done.returncode == 64
    assert done.stderr


def test_the_manual_page_has_every_setting(rows):
    page = ctl("settings", "--man")
    for row in rows:
        assert f".It Ic {row['name'].split('.')[1]} No = Ar {row['type']}\n" in page
