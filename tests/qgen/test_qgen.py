"""
The generator. x.sql beside x.err: refused with these lines, after which the server may give a hint;
x.sql beside x.ok: described so.
"""

import pathlib
import re

import pytest

CASES = pathlib.Path(__file__).resolve().parent / "cases"
REFUSED = sorted(p.stem for p in CASES.glob("*.err"))
DESCRIBED = sorted(p.stem for p in CASES.glob("*.ok"))


def copy(generator, name):
    file = f"{name}.sql"
    (generator.directory / file).write_text((CASES / file).read_text())
    return file


def described(lock):
    """The lock without digests and facts."""
    return [line for line in lock.splitlines() if line.startswith(("query", "\tparam", "\tcolumn", "\tvariants"))]


def test_each_case_has_its_answer():
    assert sorted(p.stem for p in CASES.glob("*.sql")) == sorted(REFUSED + DESCRIBED)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_file_and_line(generator, name):
    done = generator.ask("lock", copy(generator, name))
    assert done.returncode == 1
    wanted = (CASES / f"{name}.err").read_text().splitlines()
    said = done.stderr.splitlines()
    assert [line[: len(want)] for line, want in zip(said, wanted)] == wanted
    assert len(said) == len(wanted)
    assert not generator.lock.exists()


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_is_right_is_described_and_becomes_c(generator, name):
    file = copy(generator, name)
    done = generator.ask("lock", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert described(generator.lock.read_text()) == (CASES / f"{name}.ok").read_text().splitlines()
    assert generator.ask("check", file).returncode == 0
    done = generator.emit(file)
    assert (done.returncode, done.stderr) == (0, "")
    done = generator.cc("-fsyntax-only", "-Wconversion", "-Wcast-qual", "-Wshadow", generator.directory / "out.gen.c")
    assert (done.returncode, done.stderr) == (0, "")


def test_statements_with_a_fragment_that_is_planned_anew_are_not_kept_prepared(generator):
    file = copy(generator, "kinds")
    assert generator.ask("lock", file).returncode == 0
    assert generator.emit(file).returncode == 0
    code = (generator.directory / "out.gen.c").read_text()
    find = re.search(r"DbVariant item_find_variants.*?^};", code, re.M | re.S)[0]
    variants = find.split(".name = ")[1:]
    assert len(variants) == 24
    for text in variants:
        assert (".anew = true" in text) == ("ANY (tags)" in text or "colour =" in text)


def test_no_join_gives_a_null_where_the_lock_has_none(generator, cluster, cases_database):
    file = copy(generator, "joins")
    assert generator.ask("lock", file).returncode == 0
    blocks = re.findall(r"^query (\w+)\n((?:\t.*\n)+)", generator.lock.read_text(), re.M)
    statements = dict(re.findall(r"^-- (\w+)\(\) :many.*\n([^;]*);", (CASES / file).read_text(), re.M))
    assert len(blocks) == len(statements) >= 20
    for name, block in blocks:
        columns = re.findall(r"\tcolumn (\w+): \w+, (nullable|not null)", block)
        rows = cluster.sql(cases_database, f"\\pset null <null>\nBEGIN; {statements[name]}; ROLLBACK;").splitlines()
        for i, (column, null) in enumerate(columns):
            if null == "not null":
                assert all(row.split("|")[i] != "<null>" for row in rows), (name, column)


def test_the_planner_turns_a_left_join_round(cluster, cases_database):
    """Or the case of that name would show nothing."""
    plan = cluster.sql(cases_database, "EXPLAIN SELECT a.v, b.v FROM a LEFT JOIN b ON b.a_id = a.id")
    assert "Right Join" in plan


ONE = "-- item_one(id uuid) :one gives Named\nSELECT id, name FROM item WHERE id = :id;\n"


@pytest.fixture
def locked(generator):
    """A generator with a lock for ONE, in one.sql behind two lines of comment."""
    (generator.directory / "one.sql").write_text("-- Items.\n\n" + ONE)
    assert generator.ask("lock", "one.sql").returncode == 0
    return generator


def test_a_stale_lock_stops_the_build(locked):
    (locked.directory / "one.sql").write_text("-- Items.\n\n" + ONE.replace("= :id", "= :id "))
    done = locked.emit("one.sql")
    assert done.returncode == 1
    assert done.stderr == "one.sql:3: item_one is not what lock was made from: run `make queries`\n"
    assert not (locked.directory / "out.gen.c").exists()


def test_a_comment_above_does_not_make_the_lock_stale(locked):
    (locked.directory / "one.sql").write_text("-- Items, of all kinds.\n\n" + ONE)
    assert locked.emit("one.sql").returncode == 0


def test_a_query_that_is_not_in_the_lock_stops_the_build(locked):
    (locked.directory / "one.sql").write_text(ONE + ONE.replace("item_one", "item_two"))
    assert locked.emit("one.sql").stderr == "one.sql:3: item_two is not in lock: run `make queries`\n"


def test_a_query_that_is_only_in_the_lock_stops_the_build(locked):
    (locked.directory / "one.sql").write_text("")
    assert locked.emit("one.sql").stderr == "lock:4: no file has the query item_one: run `make queries`\n"


def test_a_lock_that_was_changed_by_hand_is_not_understood(locked):
    locked.lock.write_text(locked.lock.read_text().replace("\tvariants 1", "\tvariants one"))
    assert locked.emit("one.sql").stderr == 'lock:7: "\tvariants one" is not understood\n'


def test_a_struct_that_changed_stops_the_build(locked, generator_with):
    changed = generator_with(("typedef struct Named {\n\tUuid id;\n\tStr name;", "typedef struct Named {\n\tUuid id;\n\tbool name;"))
    done = changed.emit("one.sql")
    assert (done.returncode, done.stderr) == (1, "one.sql:4: name is text, which KIND_BOOL does not hold\n")


def test_the_compiler_refuses_a_struct_that_changed_behind_the_generator(locked):
    assert locked.emit("one.sql").returncode == 0
    header = locked.include / "models.h"
    header.write_text(header.read_text().replace("typedef struct Named {\n\tUuid id;\n\tStr name;",
                                                 "typedef struct Named {\n\tUuid id;\n\tOptStr name;"))
    done = locked.cc("-fsyntax-only", locked.directory / "out.gen.c")
    assert done.returncode != 0
    assert "Named.name is not what item_one was checked with" in done.stderr


CHANGES = {
    "a column may be NULL": ("ALTER TABLE item ALTER name DROP NOT NULL",
                             "ALTER TABLE item ALTER name SET NOT NULL",
                             'one.sql:4: a NULL unaccounted for: name may be NULL (item.name may be), '
                             'and what it lands in cannot; use an Opt member, or mark it "name!"\n'),
    "a column has another type": ("ALTER TABLE item ALTER name TYPE varchar(500)",
                                  "ALTER TABLE item ALTER name TYPE text",
                                  'one.sql:3: the server says otherwise of item_one than lock: '
                                  '"column name: varchar, not null: item.name", not "column name: text, not null: item.name"\n'),
    "a column has another name": ("ALTER TABLE item RENAME name TO title",
                                  "ALTER TABLE item RENAME title TO name",
                                  'one.sql:4: ERROR: column "name" does not exist'),
    "a migration was added": ("INSERT INTO schema_migrations VALUES (9000, 'x', 'x', now(), 0)",
                              "DELETE FROM schema_migrations WHERE version = 9000",
                              "lock:1: made at migration {at}, the server is at 9000\n"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_schema_that_changed_fails_the_check(locked, cluster, cases_database, what):
    do, undo, says = CHANGES[what]
    at = cluster.sql(cases_database, "SELECT max(version) FROM schema_migrations").strip()
    cluster.sql(cases_database, do)
    try:
        done = locked.ask("check", "one.sql")
    finally:
        cluster.sql(cases_database, undo)
    assert done.returncode == 1
    assert done.stderr.startswith(says.format(at=at))
    assert locked.ask("check", "one.sql").returncode == 0


def test_a_label_that_was_added_fails_the_check(generator, cluster, cases_database):
    (generator.directory / "kinds.sql").write_text(
        "-- paint() :exec takes Item\nUPDATE item SET colour = :colour WHERE id = :id;\n")
    assert generator.ask("lock", "kinds.sql").returncode == 0
    cluster.sql(cases_database, "ALTER TYPE colour ADD VALUE 'violet'")
    try:
        done = generator.ask("check", "kinds.sql")
    finally:
        cluster.sql(cases_database, "DELETE FROM pg_enum WHERE enumlabel = 'violet'")
    assert done.stderr == ('kinds.sql:2: enum colour has the labels red green blue violet, '
                           'and the names of "colour" differ\n')


def test_the_facts_are_those_that_the_statement_depends_on(locked):
    facts = [line[6:] for line in locked.lock.read_text().splitlines() if line.startswith("\tfact ")]
    assert facts == ["column item.id uuid not null", "column item.name text not null", "table item"]
