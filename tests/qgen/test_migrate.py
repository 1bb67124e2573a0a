"""posternctl migrate: each file once, whole, and never after it was changed."""

import itertools
import pathlib
import shutil

import pytest

MIGRATIONS = pathlib.Path(__file__).resolve().parents[2] / "schema/migrations"
VERSIONS = sorted(int(p.name[:4]) for p in MIGRATIONS.glob("*.up.sql"))
numbers = itertools.count(1)


@pytest.fixture
def database(cluster):
    """A new database whose owner is no superuser."""
    name = f"migrate_{next(numbers)}"
    if not cluster.sql("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'owner'"):
        cluster.sql("postgres", "CREATE ROLE owner LOGIN CREATEROLE")
    cluster.sql("postgres", f"CREATE DATABASE {name} OWNER owner")
    return name


@pytest.fixture
def run(cluster, database, migrate):
    """run("up", …) to its end: exit code, output, errors."""

    def to_end(*arguments):
        process = migrate(cluster.dsn(database, "owner"), *arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out.splitlines(), err.splitlines()

    return to_end


@pytest.fixture
def files(tmp_path):
    """A copy of the migrations, and a function that adds one."""
    directory = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, directory)

    def add(version, up, down="-- nothing\n"):
        (directory / f"{version:04}_added.up.sql").write_text(up)
        (directory / f"{version:04}_added.down.sql").write_text(down)

    add.directory = directory
    return add


def applied(cluster, database):
    return [int(v) for v in cluster.sql(database, "SELECT version FROM schema_migrations ORDER BY 1").split()]


def test_up_down_and_up_again_give_the_same_schema(cluster, database, run):
    code, out, err = run("up")
    assert (code, len(out), err) == (0, len(VERSIONS), [])
    first = cluster.dump(database)
    code, out, err = run("down", len(VERSIONS))
    assert (code, err) == (0, [])
    assert [line.split()[2][:4] for line in out] == [f"{v:04}" for v in reversed(VERSIONS)]
    assert not [line for line in cluster.dump(database) if line.startswith("CREATE") and "schema_migrations" not in line]
    assert run("up")[0] == 0
    assert cluster.dump(database) == first


def test_each_migration_can_be_taken_back_by_itself(cluster, database, run):
    assert run("up")[0] == 0
    for n in range(1, len(VERSIONS) + 1):
        before = cluster.dump(database)
        assert run("down")[0] == 0
        assert cluster.dump(database) != before
        assert run("up")[0] == 0
        assert cluster.dump(database) == before
        assert run("down", n)[0] == 0
        assert applied(cluster, database) == VERSIONS[: len(VERSIONS) - n]
        assert run("up")[0] == 0


def test_eight_starters_at_once_apply_each_exactly_once(cluster, database, migrate):
    processes = [migrate(cluster.dsn(database, "owner"), "up") for _ in range(8)]
    outputs = [p.communicate(timeout=90) for p in processes]
    assert [p.returncode for p in processes] == [0] * 8
    lines = [line for out, _ in outputs for line in out.splitlines() if line.startswith("applied")]
    assert sorted(line.split()[1][:4] for line in lines) == [f"{v:04}" for v in VERSIONS]
    assert applied(cluster, database) == VERSIONS


def test_a_second_up_does_nothing(run):
    assert run("up")[0] == 0
    assert run("up") == (0, [f"nothing to do: at {VERSIONS[-1]}"], [])


def test_a_bad_statement_leaves_nothing_and_names_its_line(cluster, database, run, files):
    files(9000, "-- Why.\n\nCREATE TABLE half (a int);\nCREATE TABLE other (\n\tb itn\n);\n")
    code, out, err = run("up", "--dir", files.directory)
    assert (code, len(out)) == (70, len(VERSIONS))
    assert err == [f"{files.directory}/9000_added.up.sql:5: ERROR: type \"itn\" does not exist"]
    assert applied(cluster, database) == VERSIONS
    assert cluster.sql(database, "SELECT to_regclass('half')").strip() == ""


def test_an_applied_file_that_changed_stops_everything(cluster, database, run, files):
    assert run("up", "--dir", files.directory)[0] == 0
    first = next(files.directory.glob("0003_*.up.sql"))
    first.write_text(first.read_text() + "\n-- A word more.\n")
    files(9000, "CREATE TABLE never (a int);\n")
    for verb in ("up", "down", "status"):
        code, _, err = run(verb, "--dir", files.directory)
        assert (code, err) == (65, [f"migrate: {first.name} was changed after it was applied"])
    assert applied(cluster, database) == VERSIONS


def test_an_applied_file_that_is_gone_stops_everything(run, files):
    files(8999, "-- Nothing.\n")
    files(9000, "-- Nothing.\n")
    assert run("up", "--dir", files.directory)[0] == 0
    for path in files.directory.glob("8999*"):
        path.unlink()
    code, _, err = run("up", "--dir", files.directory)
    assert (code, err) == (65, ["migrate: 8999_added.up.sql was applied, and its file is gone"])


def test_a_number_below_the_newest_comes_too_late(run, files):
    files(9000, "-- Nothing.\n")
    assert run("up", "--dir", files.directory)[0] == 0
    files(8999, "-- Nothing.\n")
    code, _, err = run("up", "--dir", files.directory)
    assert (code, err) == (65, [f"{files.directory}/8999_added.up.sql: comes too late: newer ones are applied"])


def test_an_older_program_leaves_a_newer_database_alone(cluster, database, run, files):
    files(9000, "CREATE TABLE newer (a int);\n")
    assert run("up", "--dir", files.directory)[0] == 0
    assert run("up") == (0, ["the database is at 9000, newer than these files"], [])
    assert applied(cluster, database)[-1] == 9000


def test_a_marked_file_is_sent_statement_by_statement(cluster, database, run, files):
    files(9000, "-- postern: no-transaction\n-- Two; at once: ';'.\n"
                "CREATE INDEX CONCURRENTLY one ON users (locale);\nCREATE INDEX CONCURRENTLY two ON users (status);\n",
          "DROP INDEX one, two;\n")
    assert run("up", "--dir", files.directory)[0] == 0
    assert cluster.sql(database, "SELECT to_regclass('one'), to_regclass('two')").strip() == "one|two"
    assert run("down", "--dir", files.directory)[0] == 0


@pytest.mark.parametrize("statement", ["COMMIT", "rollback", "Begin", "START TRANSACTION"])
def test_a_migration_may_not_end_its_transaction(cluster, database, run, files, statement):
    files(9000, f"CREATE TABLE half (a int); /* one */ {statement};\n")
    code, _, err = run("up", "--dir", files.directory)
    assert code == 70
    assert err == [f"{files.directory}/9000_added.up.sql:1: {statement.split()[0].lower()} has no place in a migration"]
    assert cluster.sql(database, "SELECT to_regclass('half')").strip() == ""


@pytest.mark.parametrize("name, says", [
    ("9000_alone.up.sql", "migration 9000 has no .down.sql"),
    ("12_short.up.sql", "a migration is named NNNN_what.up.sql"),
    ("0003_other.up.sql", "another migration has the number 3"),
])
def test_files_that_are_no_pairs_are_refused_before_anything(run, files, name, says):
    (files.directory / name).write_text("-- Nothing.\n")
    code, out, err = run("up", "--dir", files.directory)
    assert (code, out, len(err)) == (65, [], 1)
    assert says in err[0]


def test_a_folder_without_a_migration_is_the_wrong_one(run, tmp_path):
    for command in ("up", "status"):
        code, _, err = run(command, "--dir", tmp_path)
        assert (code, err) == (65, [f"{tmp_path}: there is no migration"])


def test_waiting_for_another_applier_ends(cluster, database, run, migrate, files):
    files(9000, "SELECT pg_sleep(30);\n")
    slow = migrate(cluster.dsn(database, "owner"), "up", "--dir", files.directory)
    try:
        for line in slow.stdout:
            if line.startswith(f"applied {VERSIONS[-1]:04}"):
                break
        code, _, err = run("up", "--wait", 0)
        assert (code, err) == (69, ["migrate: another migration still runs after 0 ms"])
    finally:
        slow.kill()
        slow.communicate()


def test_status_tells_of_each(run):
    code, out, err = run("status")
    assert (code, err) == (0, [])
    assert [line.split()[1] for line in out] == ["pending"] * len(VERSIONS)
    assert run("up")[0] == 0
    code, out, err = run("status")
    assert (code, len(out), err) == (0, len(VERSIONS), [])
    assert not [line for line in out if "pending" in line]


def test_the_worker_owns_nothing_and_only_appends_to_the_trail(cluster, database, run):
    assert run("up")[0] == 0
    owned = cluster.sql(database, "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = 'postern_app'")
    assert owned.strip() == "0"
    rights = cluster.sql(database, """
        SELECT string_agg(p, ' ' ORDER BY p) FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
        WHERE has_table_privilege('postern_app', 'audit', p)""")
    assert rights.strip() == "INSERT SELECT"
    for table in ("schema_migrations", "roles", "signing_keys", "secrets"):
        rights = cluster.sql(database, f"""
            SELECT string_agg(p, ' ' ORDER BY p) FROM unnest('{{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}}'::text[]) AS p
            WHERE has_table_privilege('postern_app', '{table}', p)""")
        assert (table, rights.strip()) == (table, "SELECT")
    may_create = cluster.sql(database, "SELECT has_schema_privilege('postern_app', 'public', 'CREATE')")
    assert may_create.strip() == "f"


def test_the_seeded_roles_name_only_permissions_that_exist(cluster, database, run):
    assert run("up")[0] == 0
    known = {line.split('"')[1] for line in (MIGRATIONS.parent / "permissions.def").read_text().splitlines()
             if line.startswith("PERMISSION(")}
    named = set(cluster.sql(database, "SELECT DISTINCT unnest(permissions) FROM roles").split())
    assert named <= known
    admin = set(cluster.sql(database, "SELECT unnest(permissions) FROM roles WHERE name = 'admin'").split())
    assert admin == known
