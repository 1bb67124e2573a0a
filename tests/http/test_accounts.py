"""Accounts: registering, logging in and out, and who one is."""

import re
import secrets
import uuid

import pytest

PASSWORD = "a lamp for the way home"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def address():
    return f"new-{secrets.token_hex(6)}@example.org"


def register(api, **members):
    return api.post("/v1/auth/register", {"email": address(), "password": PASSWORD, **members})


def login(api, email, password=PASSWORD):
    return api.post("/v1/auth/login", {"email": email, "password": password})


def faults(answer):
    return {(e["pointer"], e["code"]) for e in answer.json["errors"]}


def trail(postern, target):
    """What the trail has of a target, oldest first: actions and details."""
    return postern.sql("SELECT action, detail FROM audit WHERE target = %s ORDER BY at, id", (target,))


# --- register


def test_registering_makes_an_account_and_logs_in(api):
    email = address()
    answer = register(api, email=email, display_name="สมชาย ☕")
    made = answer.json
    assert answer.status == 201
    assert list(made) == [
        "user", "access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in",
    ]
    user = made["user"]
    assert list(user) == [
        "id", "email", "display_name", "locale", "status", "roles", "version", "created_at", "updated_at",
    ]
    assert UUID7.fullmatch(user["id"])
    assert (user["email"], user["display_name"], user["locale"]) == (email, "สมชาย ☕", None)
    assert (user["status"], user["roles"], user["version"]) == ("active", ["user"], 1)
    assert (made["token_type"], made["expires_in"]) == ("Bearer", 900)
    assert made["refresh_expires_in"] == 7 * 86400
    assert re.fullmatch(r"v1\.[A-Za-z0-9_-]{75}", made["refresh_token"])
    assert answer.headers["Location"] == f"{api.base}/v1/users/{user['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    me = api.get("/v1/me", token=made["access_token"])
    assert (me.status, me.json) == (200, user)
    assert me.headers["Cache-Control"] == "no-store"


def test_an_address_is_taken_whatever_its_case(api):
    email = address()
    assert register(api, email=email).status == 201
    for again in email, email.upper(), email.title():
        answer = register(api, email=again)
        assert (answer.status, answer.code) == (409, "email_taken")


@pytest.mark.parametrize(
    "members, want",
    [
        ({"email": "no address"}, {("/email", "format")}),
        ({"email": None}, {("/email", "required")}),
        ({"password": "short pass!"}, {("/password", "too_short")}),
        ({"password": "x" * 257}, {("/password", "too_long")}),
        ({"password": "ก" * 171}, {("/password", "too_long")}),  # 513 bytes
        ({"password": 123456789012}, {("/password", "type")}),
        ({"password": "password1234"}, {("/password", "breached")}),
        ({"password": "PassWord1234"}, {("/password", "breached")}),
        ({"password": "123456789012"}, {("/password", "breached")}),
        ({"display_name": ""}, {("/display_name", "too_short")}),
        ({"display_name": "x" * 101}, {("/display_name", "too_long")}),
        ({"email": "x", "password": "y", "cookie": True}, {
            ("/email", "format"), ("/password", "too_short"), ("/cookie", "unknown_field"),
        }),
        ({"roles": ["admin"]}, {("/roles", "unknown_field")}),
        ({"status": "active"}, {("/status", "unknown_field")}),
    ],
)
def test_what_is_wrong_with_a_new_account_is_said_at_once(api, members, want):
    answer = register(api, **members)
    assert answer.status == 422, answer
    assert faults(answer) == want


def test_a_password_may_not_be_the_address(api):
    email = address()
    for password in email, email.upper():
        answer = register(api, email=email, password=password)
        assert answer.status == 422
        assert faults(answer) == {("/password", "not_allowed")}


@pytest.mark.parametrize(
    "password", ["x" * 12 + "yz", "ก" * 12, "ก" * 170, "x" * 256, " spaces stay ", "☕" * 127, "tab\tand\nline here"]
)
def test_passwords_of_any_characters_up_to_256_and_511_bytes_work(api, password):
    email = address()
    assert register(api, email=email, password=password).status == 201
    assert login(api, email, password).status == 200
    assert login(api, email, password[:-1]).code == "invalid_credentials"
    assert login(api, email, password + "x").code == "invalid_credentials"


def test_a_nul_in_a_password_is_no_json_we_take(api):
    answer = register(api, password="before\0after, and long enough")
    assert (answer.status, answer.code) == (400, "malformed_json")


def test_registering_can_be_closed(instance):
    closed = instance({"auth.registration": "closed", "auth.hash_cost": 1})
    answer = register(closed.api())
    assert (answer.status, answer.code) == (403, "forbidden")


# --- login


def test_logging_in_begins_another_session(api):
    email = address()
    first = register(api, email=email).json
    second = login(api, email.upper())
    assert second.status == 200
    assert second.json["user"] == first["user"]
    assert second.json["access_token"] != first["access_token"]
    assert second.json["refresh_token"] != first["refresh_token"]
    for token in first["access_token"], second.json["access_token"]:
        assert api.get("/v1/me", token=token).status == 200


def test_an_unknown_account_is_answered_like_a_wrong_password(api):
    email = address()
    assert register(api, email=email).status == 201
    known, unknown = login(api, email, "not this one"), login(api, address(), "not this one")
    for answer in known, unknown:
        assert (answer.status, answer.code) == (401, "invalid_credentials")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for name in "title", "detail", "type", "errors":
        assert known.json[name] == unknown.json[name]
    assert set(known.headers.keys()) == set(unknown.headers.keys())


@pytest.mark.parametrize("password", ["", "x", "x" * 600, "ก" * 400])
def test_a_password_of_any_length_is_just_wrong(api, password):
    email = address()
    assert register(api, email=email).status == 201
    for who in email, address(), "no address at all":
        answer = login(api, who, password)
        assert (answer.status, answer.code) == (401, "invalid_credentials")


def test_a_disabled_account_is_told_so_only_after_its_password(postern, api):
    email = address()
    token = register(api, email=email).json["access_token"]
    postern.ctl("user", "disable", "--email", email.upper())
    assert login(api, email, "not this one").code == "invalid_credentials"
    answer = login(api, email)
    assert (answer.status, answer.code) == (403, "account_disabled")
    ended = api.get("/v1/me", token=token)
    assert (ended.status, ended.code) == (401, "session_revoked")
    assert api.get("/v1/products", token=token).status == 401


def test_an_account_without_a_password_cannot_be_logged_into(postern, api):
    email = address()
    postern.sql("INSERT INTO users (id, email) VALUES (%s, %s)", (uuid.uuid4(), email))
    for password in "", PASSWORD, "None":
        assert login(api, email, password).code == "invalid_credentials"


@pytest.mark.parametrize("damaged", ["", "*0", "garbage", "$y$j9T$", "x", "$1$salt$qJH7.N4xYta3aEG/dfqo/0"])
def test_a_damaged_hash_opens_nothing(postern, api, damaged):
    email = address()
    assert register(api, email=email).status == 201
    postern.sql("UPDATE users SET password_hash = %s WHERE email = %s", (damaged, email))
    for password in PASSWORD, damaged, "*0", "*1", "":
        assert login(api, email, password).code == "invalid_credentials"


def test_an_imported_bcrypt_hash_is_made_anew_at_the_next_login(postern, api):
    email = address()
    assert register(api, email=email).status == 201
    imported = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    postern.sql("UPDATE users SET password_hash = %s WHERE email = %s", (imported, email))
    assert login(api, email, "U*V").code == "invalid_credentials"
    assert login(api, email, "U*U").status == 200
    [(now,)] = postern.sql("SELECT password_hash FROM users WHERE email = %s", (email,))
    assert now.startswith("$y$")
    assert login(api, email, "U*U").status == 200


def test_a_hash_below_the_setting_is_made_anew_and_none_other(postern, instance, api):
    costly = instance({"auth.hash_cost": 3})
    api = costly.api()
    email = address()
    assert register(api, email=email).status == 201

    def stored():
        [(text,)] = costly.sql("SELECT password_hash FROM users WHERE email = %s", (email,))
        return text

    before = stored()
    assert login(api, email).status == 200
    assert stored() == before
    costly.set(auth_hash_cost=4)
    assert login(api, email, "not this one").status == 401
    assert stored() == before
    assert login(api, email).status == 200
    assert stored().startswith("$y$j8T$") and before.startswith("$y$j7T$")
    assert login(api, email).status == 200
    costly.set(auth_hash_cost=2)
    kept = stored()
    assert login(api, email).status == 200
    assert stored() == kept


# --- logout


def test_logout_ends_this_session_and_no_other(api):
    email = address()
    first, second = register(api, email=email).json, login(api, email).json
    answer = api.post("/v1/auth/logout", {}, token=first["access_token"])
    assert (answer.status, answer.body) == (204, b"")
    ended = api.get("/v1/me", token=first["access_token"])
    assert (ended.status, ended.code) == (401, "session_revoked")
    assert 'error="invalid_token"' in ended.headers["WWW-Authenticate"]
    assert api.get("/v1/me", token=second["access_token"]).status == 200


def test_logout_takes_a_refresh_token_too(api):
    made = register(api).json
    for _ in range(2):  # also when already revoked
        assert api.post("/v1/auth/logout", {"refresh_token": made["refresh_token"]}).status == 204
    assert api.get("/v1/me", token=made["access_token"]).code == "session_revoked"


def test_logging_out_twice_is_no_fault(api):
    token = register(api).json["access_token"]
    for _ in range(3):
        assert api.post("/v1/auth/logout", {}, token=token).status == 204


def test_logout_needs_a_token(api):
    answer = api.post("/v1/auth/logout", {})
    assert (answer.status, answer.code) == (401, "token_missing")
    answer = api.post("/v1/auth/logout", {"refresh_token": None})
    assert (answer.status, answer.code) == (401, "token_missing")
    answer = api.post("/v1/auth/logout", {}, token="not.a.token")
    assert (answer.status, answer.code) == (401, "token_invalid")


def test_a_refresh_token_of_our_own_making_ends_nothing(api):
    made = register(api).json
    good = made["refresh_token"]
    for bad in "", "v1.", good[:-1], good + "A", "v2" + good[2:], good[:-2] + "AA", good[:5] + "x" + good[6:]:
        answer = api.post("/v1/auth/logout", {"refresh_token": bad})
        assert (answer.status, answer.code) == (401, "refresh_invalid"), bad
    assert api.get("/v1/me", token=made["access_token"]).status == 200


def test_logout_works_without_a_body(api):
    token = register(api).json["access_token"]
    assert api.request("POST", "/v1/auth/logout", body=b"", token=token).status == 204
    assert api.get("/v1/me", token=token).status == 401


# --- me


def test_me_needs_a_token(api):
    answer = api.get("/v1/me")
    assert (answer.status, answer.code) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


# --- the trail


def test_the_trail_tells_of_sessions(postern, api):
    email = address()
    made = register(api, email=email).json
    user = made["user"]["id"]
    login(api, email, "not this one")
    login(api, email)
    assert trail(postern, user) == [
        ("user.register", {}),
        ("session.login_refused", {"code": "invalid_credentials"}),
        ("session.login", {}),
    ]
    api.post("/v1/auth/logout", {}, token=made["access_token"])
    [(session, revoked, reason)] = postern.sql(
        "SELECT id, revoked_at IS NOT NULL, revoke_reason FROM sessions WHERE user_id = %s"
        " ORDER BY created_at LIMIT 1",
        (user,),
    )
    assert (revoked, reason) == (True, "logout")
    assert trail(postern, str(session)) == [("session.logout", {})]


def test_a_row_of_the_trail_says_who_from_where_by_which_request(postern, api):
    answer = api.post(
        "/v1/auth/register",
        {"email": address(), "password": PASSWORD},
        headers={"X-Request-Id": "trail-1", "User-Agent": "tester/1 " + "x" * 400},
    )
    user = answer.json["user"]["id"]
    [(actor, from_, agent, request)] = postern.sql(
        "SELECT actor_id::text, address, user_agent, request_id FROM audit WHERE target = %s", (user,)
    )
    assert (actor, from_, request) == (user, "127.0.0.1", "trail-1")
    assert agent.startswith("tester/1 x") and len(agent) == 256


def test_what_was_typed_as_an_unknown_address_is_kept_nowhere(postern, api):
    typed = "my password is " + secrets.token_hex(8)
    assert login(api, typed, "x").status == 401
    [(n,)] = postern.sql("SELECT count(*) FROM audit WHERE audit::text LIKE %s", (f"%{typed}%",))
    assert n == 0
    assert not any(typed in str(line) for line in postern.log())


def test_no_secret_is_in_the_log(postern, api):
    password = "a secret " + secrets.token_hex(8)
    made = register(api, password=password).json
    login(api, made["user"]["email"], password)
    api.get("/v1/me", token=made["access_token"])
    api.post("/v1/auth/logout", {"refresh_token": made["refresh_token"]})
    text = (postern.state / "log" / "posternd.log").read_text()
    for secret in password, made["access_token"], made["refresh_token"]:
        assert secret not in text
        assert secret.split(".")[-1] not in text


def test_the_workers_own_neither_the_trail_nor_the_keys(postern):
    rows = postern.sql(
        "SELECT has_table_privilege('postern_app', 'audit', 'UPDATE, DELETE, TRUNCATE'),"
        " has_table_privilege('postern_app', 'signing_keys', 'INSERT, UPDATE, DELETE'),"
        " has_table_privilege('postern_app', 'secrets', 'INSERT, UPDATE, DELETE')"
    )
    assert rows == [(False, False, False)]
