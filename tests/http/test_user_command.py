"""posternctl user: straight on the database."""

import secrets

import pytest

PASSWORD = "a lamp for the way home"


def address():
    return f"cli-{secrets.token_hex(6)}@example.org"


def add(postern, email, *roles, password=PASSWORD + "\n", check=False):
    args = [a for role in roles for a in ("--role", role)]
    return postern.ctl(
        "user", "add", "--email", email, *args, "--password-file", "-", input=password, check=check
    )


def test_a_user_that_was_added_logs_in_with_his_roles(postern, api):
    email = address()
    done = add(postern, email, "editor", "user")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    user = api.login(email.upper(), PASSWORD).user
    assert (user["email"], user["roles"], user["status"]) == (email, ["editor", "user"], "active")
    assert postern.sql("SELECT action, actor_id, detail FROM audit WHERE target = %s ORDER BY at LIMIT 1",
                       (user["id"],)) == [("user.add", None, {"by": "posternctl"})]


def test_the_password_is_the_first_line_of_a_file(postern, api):
    path = postern.state / "tmp" / "password"
    path.write_text(" spaces stay, also at the end \nnot this\n")
    path.chmod(0o644)
    email = address()
    postern.ctl("user", "add", "--email", email, "--role", "user", "--password-file", path)
    assert api.post("/v1/auth/login", {"email": email, "password": " spaces stay, also at the end "}).status == 200


@pytest.mark.parametrize(
    "email, role, password, words",
    [
        ("no address", "user", PASSWORD, "email: must be an e-mail address"),
        (None, "user", "short\n", "password: must be at least 12 characters"),
        (None, "user", "password1234\n", "password: is in a list of common passwords"),
        (None, "user", "", "password: must be at least 12 characters"),
        (None, "nobody", PASSWORD, "roles: is not one of the allowed values"),
    ],
)
def test_what_is_wrong_with_an_account_is_said(postern, email, role, password, words):
    email = email or address()
    done = add(postern, email, role, password=password)
    assert done.returncode == 65
    assert words in done.stderr
    assert postern.sql("SELECT count(*) FROM users WHERE email = %s", (email,)) == [(0,)]


def test_an_address_is_added_once(postern):
    email = address()
    assert add(postern, email, "user").returncode == 0
    again = add(postern, email.upper(), "user")
    assert again.returncode == 65 and "e-mail address" in again.stderr


def test_the_list_has_every_account(postern):
    email = address()
    add(postern, email, "editor", check=True)
    rows = [line.split("\t") for line in postern.ctl("user", "list").stdout.splitlines()]
    assert [r[:3] for r in rows if r[0] == email] == [[email, "active", "editor"]]
    assert len(rows) == postern.sql("SELECT count(*) FROM users")[0][0]


def test_a_disabled_account_is_out_at_once(postern, api):
    email = address()
    add(postern, email, "user", check=True)
    client = api.login(email, PASSWORD)
    assert client.get("/v1/me").status == 200
    postern.ctl("user", "disable", "--email", email)
    assert client.get("/v1/me").code == "session_revoked"
    assert postern.sql("SELECT DISTINCT revoke_reason FROM sessions WHERE user_id = %s",
                       (client.user["id"],)) == [("disabled",)]
    assert [line.split("\t")[1] for line in postern.ctl("user", "list").stdout.splitlines()
            if line.startswith(email)] == ["disabled"]


def test_nobody_of_that_address_is_an_error(postern):
    done = postern.ctl("user", "disable", "--email", address(), check=False)
    assert done.returncode == 67 and "no user" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        [], ["add"], ["add", "--email", "a@example.org"], ["add", "--role", "user"], ["disable"],
        ["list", "more"], ["remove"], ["add", "--email"], ["list", "--what"],
        ["list", "--password-file", "x"], ["disable", "--email", "a@example.org", "--role", "admin"],
    ],
)
def test_what_is_not_understood_is_a_wrong_use(postern, args):
    done = postern.ctl("user", *args, check=False)
    assert done.returncode == 64 and "usage: posternctl user" in done.stderr


@pytest.mark.parametrize("args", [[], ["retire"], ["new", "more"], ["what"]])
def test_so_it_is_of_keys(postern, args):
    done = postern.ctl("key", *args, check=False)
    assert done.returncode == 64 and "usage: posternctl key" in done.stderr


@pytest.mark.parametrize("option", ["--config", "--set"])
def test_an_option_without_its_value_is_named(postern, option):
    done = postern.as_owner(postern.state / "inst/sbin/posternctl", "key", "list", option, check=False)
    assert (done.returncode, done.stderr) == (64, f"posternctl: {option} needs a value\n")


def test_words_about_an_option_name_the_program_and_the_command(postern):
    done = postern.ctl("mail", "--to", check=False)
    assert done.returncode == 64 and done.stderr.startswith("posternctl mail: ")


def test_each_command_has_its_help(postern):
    for name in ("user", "key", "migrate", "reload", "openapi"):
        done = postern.ctl(name, "--help")
        assert done.stdout.startswith("Usage: posternctl ") and f" {name} " in done.stdout


def test_no_terminal_means_no_question(postern):
    done = postern.ctl("user", "add", "--email", address(), "--role", "user", check=False,
                       start_new_session=True, input="")
    assert done.returncode == 64 and "--password-file" in done.stderr


def test_a_database_that_is_not_there_is_said(postern):
    done = postern.ctl("user", "list", "--set", "database.owner_dsn=host=/nonexistent", check=False)
    assert done.returncode == 69 and "not available" in done.stderr
