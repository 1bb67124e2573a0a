"""scripts that look at the sources: they must see what they are there for."""

import os
import pathlib
import shutil
import subprocess

import pytest
from bench import TOP

SHELL = ["up", "down", "demo", "test", "bench", "format", "check-format", "check-includes", "check-headers"]


@pytest.mark.parametrize("name", SHELL)
def test_shellcheck_has_nothing_to_say(name):
    done = subprocess.run(
        ["shellcheck", "-x", f"scripts/{name}"], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


OTHERS = ["common-passwords", "digits/check.py", "digits/server.py", "digits/train.py"]


@pytest.mark.parametrize("name", [*SHELL, *OTHERS])
def test_help_is_there_and_starts_nothing(name):
    done = subprocess.run([TOP / "scripts" / name, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: ") and pathlib.Path(name).name in done.stdout


@pytest.mark.parametrize("name", [*(name for name in SHELL if name != "bench"), *OTHERS])
def test_what_a_script_does_not_know_it_refuses(name):
    done = subprocess.run([TOP / "scripts" / name, "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 64 and done.stdout == "" and "--nonsense" in done.stderr


def check_includes(tree):
    return subprocess.run(
        [TOP / "scripts/check-includes", tree], capture_output=True, text=True, check=False
    )


@pytest.fixture()
def tree(tmp_path):
    for name in ("common", "schema", "fcgi"):
        shutil.copytree(TOP / name, tmp_path / name)
    return tmp_path


def test_the_sources_are_right(tree):
    done = check_includes(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path,line,word",
    [
        ("common/str.h", '#include "fcgi/req.h"', "later row"),
        ("common/arena.h", '#include "common/db.h"', "later shelf"),
        ("schema/models/products.h", '#include "fcgi/rooms.h"', "later row"),
        ("fcgi/net.h", '#include "fcgi/api/ops.h"', "later row"),
        ("fcgi/net.c", "#include <libpq-fe.h>", "is touched by common/db"),
        ("fcgi/net.c", "#include <fcgiapp.h>", "is touched by"),
        ("fcgi/net.c", '#include "net.h"', "from the top"),
        ("fcgi/net.c", '#include "common/str.h"\n#include <stdio.h>', "after headers of ours"),
    ],
)
def test_a_wrong_include_is_seen(tree, path, line, word):
    file = pathlib.Path(tree / path)
    text = file.read_text().splitlines()
    last = max(i for i, t in enumerate(text) if t.startswith(("#include", "#pragma once")))
    file.write_text("\n".join([*text[: last + 1], line, *text[last + 1 :]]) + "\n")
    done = check_includes(tree)
    assert done.returncode == 1 and word in done.stdout


def test_a_header_without_pragma_once_is_seen(tree):
    file = tree / "common/str.h"
    file.write_text(file.read_text().replace("#pragma once", ""))
    assert "no #pragma once" in check_includes(tree).stdout


def test_a_header_that_does_not_compile_alone_is_seen(tree):
    (tree / "common/lonely.h").write_text("#pragma once\nStr lonely(void);\n")
    done = subprocess.run(
        [TOP / "scripts/check-headers", tree], capture_output=True, text=True, check=False, cwd=tree
    )
    assert "not ok" in done.stdout and done.returncode == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("not ok") and "lonely" in line]


def check_format(tree, path=os.environ["PATH"]):
    """The check of a tree with its own copies of what it takes."""
    (tree / "scripts").mkdir()
    (tree / "tests").mkdir()
    shutil.copy(TOP / ".clang-format", tree)
    for name in ("format", "check-format"):
        shutil.copy(TOP / "scripts" / name, tree / "scripts")
    return subprocess.run(
        [tree / "scripts/check-format"], capture_output=True, text=True, check=False, env={"PATH": str(path)}
    )


WIDE = "x" * 90


@pytest.mark.parametrize(
    "lines,word",
    [
        ("int  two_blanks;", "should be clang-formatted"),
        (f"/* {WIDE}. */", "a comment of 97 columns"),
        (f"\t/*\n\t * {WIDE}\n\t */", "a comment of 101 columns"),
        (f"/* {WIDE} */", None),
        (f"/* {'ก' * 90} */", None),
        (f"/* clang-format off */\nint  by_hand; /* {WIDE} */\n/* clang-format on */", None),
    ],
)
@pytest.mark.skipif(not shutil.which("clang-format-14"), reason="clang-format-14 is not installed")
def test_a_wrong_layout_is_seen(tree, lines, word):
    (tree / "common/odd.h").write_text(f"#pragma once\n\n{lines}\n")
    done = check_format(tree)
    assert done.returncode == (word is not None), done.stdout
    assert word is None or word in done.stdout and "not ok" in done.stdout


def test_without_clang_format_the_layout_is_not_looked_at(tree, tmp_path_factory):
    programs = tmp_path_factory.mktemp("programs")
    for name in ("bash", "env", "dirname"):
        (programs / name).symlink_to(shutil.which(name))
    done = check_format(tree, programs)
    assert done.returncode == 0
    assert done.stdout.startswith("1..0 # SKIP format: clang-format-14 is not installed")
