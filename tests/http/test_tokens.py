"""Tokens: those for access, the keys they are signed with, and what a revocation does."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import secrets
import time
import uuid

import jwt
import pytest
from bench import until

PASSWORD = "a lamp for the way home"


@pytest.fixture(scope="module")
def made(postern):
    """A registered user: the answer."""
    email = f"token-{secrets.token_hex(6)}@example.org"
    answer = postern.api().post("/v1/auth/register", {"email": email, "password": PASSWORD})
    assert answer.status == 201
    return answer.json


@pytest.fixture(scope="module")
def key(postern):
    """The key that signs: kid, PEM of both halves."""
    return postern.sql(
        "SELECT kid, private_pem, public_pem FROM signing_keys WHERE retired_at IS NULL"
        " ORDER BY created_at DESC LIMIT 1"
    )[0]


def parts_of(token):
    header, claims, _ = token.split(".")
    return [json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in (header, claims)]


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key, claims, drop=(), headers=None, **more):
    """A token of these claims under the deployment's own key."""
    claims = {k: v for k, v in {**claims, **more}.items() if k not in drop}
    return jwt.encode(claims, key[1], "ES256", {"kid": key[0], "typ": "at+jwt", **(headers or {})})


def code(api, token, path="/v1/me"):
    answer = api.get(path, token=token)
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    return answer.code or answer.status


# --- what a token says


def test_a_token_says_what_the_contract_says(postern, made):
    header, claims = parts_of(made["access_token"])
    assert set(header) == {"alg", "kid", "typ"}
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti", "roles", "gen"}
    assert (claims["iss"], claims["aud"]) == ("postern", "postern")
    assert claims["sub"] == made["user"]["id"]
    assert (claims["roles"], claims["gen"]) == (["user"], 1)
    assert claims["exp"] - claims["iat"] == made["expires_in"] == 900
    assert claims["nbf"] == claims["iat"] and abs(claims["iat"] - time.time()) < 60
    assert uuid.UUID(claims["jti"]).version == 7
    assert len(made["access_token"]) < 1024


def test_others_verify_it_by_the_key_set(api, made):
    answer = api.get("/.well-known/jwks.json")
    assert answer.status == 200
    assert "max-age" in answer.headers["Cache-Control"] and "public" in answer.headers["Cache-Control"]
    header, _ = parts_of(made["access_token"])
    [row] = [k for k in answer.json["keys"] if k["kid"] == header["kid"]]
    assert set(row) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (row["alg"], row["use"], row["crv"]) == ("ES256", "sig", "P-256")
    public = jwt.PyJWK(row).key
    claims = jwt.decode(made["access_token"], public, ["ES256"], audience="postern", issuer="postern")
    assert claims["sub"] == made["user"]["id"]
    thumb = hashlib.sha256(
        json.dumps({k: row[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":")).encode()
    )
    assert row["kid"] == b64(thumb.digest())


def test_a_token_of_the_same_key_made_elsewhere_is_good(api, made, key):
    _, claims = parts_of(made["access_token"])
    assert code(api, signed(key, claims)) == 200
    assert code(api, signed(key, claims, further={"not": "known"})) == 200


# --- what is refused


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"kid": "another"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": ""},
        {"crit": ["exp"]},
        {"jwk": {"kty": "EC"}},
        {"jku": "http://127.0.0.1/keys"},
        {"x5u": "http://127.0.0.1/keys"},
        {"x5c": ["MIIB"]},
    ],
)
def test_a_header_with_anything_else_is_refused(api, made, key, headers):
    _, claims = parts_of(made["access_token"])
    assert code(api, signed(key, claims, headers=headers)) == "token_invalid"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_no_signature_is_no_token(api, made, alg):
    header, claims = parts_of(made["access_token"])
    for end in "", made["access_token"].split(".")[2]:
        token = f"{b64({**header, 'alg': alg})}.{b64(claims)}.{end}"
        assert code(api, token) == "token_invalid"


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "ES256"])
def test_the_public_key_is_no_secret(api, made, key, alg):
    header, claims = parts_of(made["access_token"])
    text = f"{b64({**header, 'alg': alg})}.{b64(claims)}"
    for secret in key[2], key[2].strip(), "":
        digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
        assert code(api, f"{text}.{b64(digest)}") == "token_invalid"


def test_another_key_under_the_same_kid_is_refused(api, made, key):
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    _, claims = parts_of(made["access_token"])
    for alg, other in ("ES256", ec.generate_private_key(ec.SECP256R1())), (
        "RS256",
        rsa.generate_private_key(65537, 2048),
    ):
        token = jwt.encode(claims, other, alg, {"kid": key[0], "typ": "at+jwt"})
        assert code(api, token) == "token_invalid"


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti", "roles", "gen"])
def test_every_claim_is_needed_and_of_its_type(api, made, key, name):
    _, claims = parts_of(made["access_token"])
    assert code(api, signed(key, claims, drop=[name])) == "token_invalid"
    others = [None, True, {}, 1.5, "x", [claims[name]], str(claims[name]) + "0", -1]
    for other in others:
        token = f"{b64(parts_of(made['access_token'])[0])}.{b64({**claims, name: other})}"
        algorithm = jwt.algorithms.get_default_algorithms()["ES256"]
        end = algorithm.sign(token.encode(), algorithm.prepare_key(key[1]))
        assert code(api, f"{token}.{b64(end)}") == "token_invalid", other


def test_time_is_kept_with_five_seconds_of_leeway(api, made, key):
    _, claims = parts_of(made["access_token"])
    now = int(time.time())
    assert code(api, signed(key, claims, exp=now - 2)) == 200
    assert code(api, signed(key, claims, exp=now - 10)) == "token_expired"
    assert code(api, signed(key, claims, nbf=now + 2)) == 200
    assert code(api, signed(key, claims, nbf=now + 10)) == "token_invalid"
    assert code(api, signed(key, claims, iss="another", exp=now - 10)) == "token_invalid"


def test_a_token_over_4_kib_is_refused(api, made, key):
    _, claims = parts_of(made["access_token"])
    short, long = (signed(key, claims, further="x" * n) for n in (2000, 2800))
    assert len(short) < 4096 < len(long)
    assert code(api, short) == 200
    assert code(api, long) == "token_invalid"


def test_a_token_goes_with_its_session_only(postern, api, made, key):
    _, claims = parts_of(made["access_token"])
    other = postern.api().as_("editor")
    _, theirs = parts_of(other.token)
    assert code(api, signed(key, claims, sub=theirs["sub"])) == "token_invalid"
    assert code(api, signed(key, claims, sid=theirs["sid"])) == "token_invalid"
    assert code(api, signed(key, claims, gen=2)) == "token_invalid"
    assert code(api, signed(key, claims, sid=str(uuid.uuid4()))) == "session_revoked"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic eDp5", "Token x", "Bearer a, Bearer b", "bearer a b", "x", ","]
)
def test_a_bad_header_is_refused_on_open_routes_too(api, header):
    for path in "/v1/me", "/v1/products":
        answer = api.get(path, headers={"Authorization": header})
        assert (answer.status, answer.code) == (401, "token_invalid"), header


def test_a_bad_token_is_refused_on_open_routes_too(api, made):
    for token in "x", made["access_token"][:-1], made["access_token"] + "A":
        for path in "/v1/me", "/v1/products", "/.well-known/jwks.json", "/healthz":
            assert code(api, token, path) == "token_invalid"


def test_the_scheme_is_read_in_any_case(api, made):
    for scheme in "bearer", "BEARER", "Bearer ":
        answer = api.get("/v1/me", headers={"Authorization": f"{scheme} {made['access_token']}"})
        assert answer.status == 200


# --- rights are what database and token both give


def test_a_role_taken_away_holds_at_once(postern):
    editor = postern.api().as_("editor")
    body = {"sku": secrets.token_hex(8), "name": "x", "price": {"amount": 1, "currency": "THB"}}
    assert editor.post("/v1/products", body).status == 201
    user = editor.user["id"]
    postern.change("DELETE FROM user_roles WHERE user_id = %s", [user], f"u:{user}")
    until(lambda: editor.post("/v1/products", {**body, "sku": secrets.token_hex(8)}).status == 403, 1)
    answer = editor.post("/v1/products", {**body, "sku": secrets.token_hex(8)})
    assert (answer.status, answer.code) == (403, "forbidden")
    assert editor.get("/v1/me").status == 200


def test_a_role_that_the_token_does_not_name_gives_nothing(postern):
    user = postern.api().as_("user")
    postern.sql("INSERT INTO user_roles (user_id, role) VALUES (%s, 'editor')", (user.user["id"],))
    body = {"sku": secrets.token_hex(8), "name": "x", "price": {"amount": 1, "currency": "THB"}}
    assert user.post("/v1/products", body).code == "forbidden"
    again = user.login(user.user["email"], user.user["password"])
    assert again.post("/v1/products", body).status == 201


def test_a_role_that_a_forged_claim_names_gives_nothing(postern, key):
    user = postern.api().as_("user")
    _, claims = parts_of(user.token)
    user.token = signed(key, claims, roles=["admin", "editor", "user"])
    body = {"sku": secrets.token_hex(8), "name": "x", "price": {"amount": 1, "currency": "THB"}}
    assert user.post("/v1/products", body).code == "forbidden"


def test_an_expired_session_is_over(postern):
    for column in "idle_expires_at", "absolute_expires_at":
        user = postern.api().as_("user")
        assert user.get("/v1/me").status == 200
        postern.change(
            f"UPDATE sessions SET {column} = now() - interval '1 second' WHERE user_id = %s",
            [user.user["id"]],
            f"u:{user.user['id']}",
        )
        until(lambda user=user: user.get("/v1/me").code == "session_revoked", 1)


def test_a_session_that_expires_is_over_though_nothing_tells_of_it(postern):
    user = postern.api().as_("user")
    postern.sql(
        "UPDATE sessions SET idle_expires_at = now() + interval '1 second' WHERE user_id = %s",
        [user.user["id"]],
    )
    assert user.get("/v1/me").status == 200
    until(lambda: user.get("/v1/me").code == "session_revoked", 3)


def test_logout_takes_an_expired_token_with_a_right_signature(postern, key):
    user = postern.api().as_("user")
    header, claims = parts_of(user.token)
    expired = signed(key, claims, exp=int(time.time()) - 3600)
    assert code(user, expired) == "token_expired"
    end = expired.rsplit(".", 1)[1]
    forged = f"{b64(header)}.{b64({**claims, 'exp': 1})}.{end}"
    assert user.post("/v1/auth/logout", {}, token=forged).code == "token_invalid"
    assert user.get("/v1/me").status == 200
    assert user.post("/v1/auth/logout", {}, token=expired).status == 204
    assert user.get("/v1/me").code == "session_revoked"


# --- keys


def kids(api):
    return [k["kid"] for k in api.get("/.well-known/jwks.json").json["keys"]]


def test_a_new_key_signs_within_a_second_and_old_tokens_stay_good(instance):
    """The workers keep what they read: all of them must follow, and none may refuse a fresh token."""
    running = instance({"pool.workers": 4, "auth.hash_cost": 1})
    api = running.api()
    old = api.as_("user")
    before = parts_of(old.token)[0]["kid"]
    for _ in range(3):
        kid = running.ctl("key", "new").stdout.strip()
        end = time.monotonic() + 1.0
        while True:
            late = time.monotonic() > end
            fresh = api.login(old.user["email"], old.user["password"])
            for _ in range(8):
                assert fresh.get("/v1/me").status == 200
            if parts_of(fresh.token)[0]["kid"] == kid:
                break
            assert not late
    until(lambda: all(parts_of(api.login(old.user["email"], old.user["password"]).token)[0]["kid"] == kid
                      for _ in range(8)), 2)
    assert old.get("/v1/me").status == 200
    assert kids(api)[0] == kid and before in kids(api)


def test_a_retired_key_verifies_and_signs_no_more(instance):
    running = instance({"pool.workers": 2, "auth.hash_cost": 1})
    api = running.api()
    [(first,)] = running.sql("SELECT kid FROM signing_keys")
    old = api.as_("user")
    refused = running.ctl("key", "retire", first, check=False)
    assert refused.returncode == 65 and "make one first" in refused.stderr
    second = running.ctl("key", "new").stdout.strip()
    running.ctl("key", "retire", first)
    assert running.ctl("key", "retire", first, check=False).returncode == 65
    lines = [line.split("\t") for line in running.ctl("key", "list").stdout.splitlines()]
    assert [(line[0], line[1], line[3].split()[0]) for line in lines] == [
        (second, "ES256", "signs"),
        (first, "ES256", "retired"),
    ]

    def signer():
        return parts_of(api.login(old.user["email"], old.user["password"]).token)[0]["kid"]

    until(lambda: all(signer() == second for _ in range(4)), 2)
    assert old.get("/v1/me").status == 200
    assert kids(api) == [second, first]


def test_a_key_that_is_retired_signs_no_more_from_the_next_login_on(instance):
    """All workers have just read the keys: they follow the board, not the age of what they have."""
    running = instance({"pool.workers": 4, "auth.hash_cost": 1})
    user = running.api().as_("user").user

    def signers():
        """The keys that sign now, by as many clients as the lane of accounts lets in."""
        with concurrent.futures.ThreadPoolExecutor(3) as clients:
            users = clients.map(lambda _: running.api().login(user["email"], user["password"]), range(16))
            return {parts_of(user.token)[0]["kid"] for user in users}

    [(first,)] = running.sql("SELECT kid FROM signing_keys")
    for _ in range(3):
        kid = running.ctl("key", "new").stdout.strip()
        until(lambda: signers() == {kid}, 2)
        running.ctl("key", "retire", kid)
        assert signers() == {first}


@pytest.mark.parametrize("algorithm", ["RS256", "HS256"])
def test_other_algorithms_are_a_setting(instance, algorithm):
    running = instance({"auth.algorithm": algorithm, "auth.hash_cost": 1})
    api = running.api()
    user = api.as_("user")
    assert parts_of(user.token)[0]["alg"] == algorithm
    assert user.get("/v1/me").status == 200
    rows = api.get("/.well-known/jwks.json").json["keys"]
    assert [r["kty"] for r in rows] == (["RSA"] if algorithm == "RS256" else [])
    [(kid, text)] = running.sql("SELECT kid, private_pem FROM signing_keys")
    _, claims = parts_of(user.token)
    secret = text if algorithm == "RS256" else base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    headers = {"kid": kid, "typ": "at+jwt"}
    assert code(api, jwt.encode(claims, secret, algorithm, headers)) == 200
    other = {"RS256": "RS512", "HS256": "HS512"}[algorithm]
    assert code(api, jwt.encode(claims, secret, other, headers)) == "token_invalid"


def test_the_life_of_a_token_is_a_setting(instance):
    running = instance({"auth.access_ttl_s": 1, "auth.hash_cost": 1})
    api = running.api()
    user = api.as_("user")
    _, claims = parts_of(user.token)
    assert claims["exp"] - claims["iat"] == 1
    until(lambda: code(api, user.token) == "token_expired", 9)
    assert user.post("/v1/auth/logout", {}).status == 204


def test_secrets_may_come_from_the_configuration(instance):
    running = instance({"auth.secret": "a" * 32, "auth.hash_cost": 1})
    api = running.api()
    running.sql("DELETE FROM secrets")
    running.reload()
    assert api.get("/readyz").status == 200
    first, second = api.as_("user"), api.as_("user")
    body = {"refresh_token": first.refresh_token}
    assert api.post("/v1/auth/logout", body).status == 204
    assert first.get("/v1/me").code == "session_revoked"
    running.set(auth_secret="b" * 32)
    answer = api.post("/v1/auth/logout", {"refresh_token": second.refresh_token})
    assert (answer.status, answer.code) == (401, "refresh_invalid")
    assert second.get("/v1/me").status == 200


def test_without_keys_nobody_is_ready_and_key_new_mends_it(instance):
    running = instance({"pool.workers": 2, "auth.hash_cost": 1})
    api = running.api()
    user = api.as_("user")
    running.sql("DELETE FROM signing_keys")
    running.sql("DELETE FROM secrets")
    running.reload()
    answer = api.get("/readyz")
    assert answer.status == 503 and "keys" in answer.json["detail"]
    assert api.get("/healthz").status == 200
    body = {"email": user.user["email"], "password": user.user["password"]}
    answer = api.post("/v1/auth/login", body)
    assert (answer.status, answer.code) == (503, "unavailable") and answer.headers["Retry-After"]
    assert user.get("/v1/me").code == "token_invalid"
    running.ctl("key", "new")
    until(lambda: all(api.get("/readyz").status == 200 for _ in range(4)), 2)
    until(lambda: api.post("/v1/auth/login", body).status == 200, 2)
