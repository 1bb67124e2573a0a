"""Rate limits: who is counted with whom, what is said of it, what is refused."""

import concurrent.futures
import itertools
import re
import threading

import pytest

ANONYMOUS, USER, AUTH = 20, 30, 10
addresses = (f"192.0.2.{n}" for n in itertools.count(1))

POLICY = re.compile(r'"([a-z]+)";q=(\d+);w=(\d+)')
LIMIT = re.compile(r'"([a-z]+)";r=(\d+);t=(\d+)')


@pytest.fixture(scope="module")
def limited(instance):
    """An instance behind a proxy that is trusted, so that each test may have addresses of its own."""
    return instance({
        "pool.workers": 4,
        "auth.hash_cost": 1,
        "auth.hash_concurrency": 4,
        "http.trusted_proxies": "127.0.0.1",
        "limits.anonymous_per_minute": ANONYMOUS,
        "limits.user_per_minute": USER,
        "limits.auth_per_minute": AUTH,
    })


@pytest.fixture()
def at(limited):
    """A client with an address: at("192.0.2.1"), or at() for one that nobody has had."""
    clients = []

    def make(address=None):
        clients.append(limited.api(headers={"X-Forwarded-For": address or next(addresses)}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def policy(answer):
    name, quota, window = POLICY.fullmatch(answer.headers["RateLimit-Policy"]).groups()
    return name, int(quota), int(window)


def left(answer):
    """What is left, after a look at the rest."""
    name, rest, seconds = LIMIT.fullmatch(answer.headers["RateLimit"]).groups()
    assert name == policy(answer)[0] and 0 <= int(seconds) <= 60
    return int(rest)


def passed(client, n, path="/v1/products?limit=1", **more):
    return sum(client.get(path, **more).status != 429 for _ in range(n))


def test_every_answer_says_the_policy_and_what_is_left(at):
    client = at()
    answers = [client.get("/v1/products?limit=1") for _ in range(3)]
    assert [policy(a) for a in answers] == [("anonymous", ANONYMOUS, 60)] * 3
    assert [left(a) for a in answers] == [ANONYMOUS - 1, ANONYMOUS - 2, ANONYMOUS - 3]
    assert left(client.head("/v1/products")) == ANONYMOUS - 4
    assert left(client.get("/v1/products?limit=0")) == ANONYMOUS - 5, "what is wrong later counts too"
    assert left(client.get("/v1/products/00000000-0000-7000-8000-000000000000")) == ANONYMOUS - 6


def test_one_over_the_limit_is_429_and_told_when_to_come_back(at):
    client = at()
    assert passed(client, ANONYMOUS) == ANONYMOUS
    refused = client.get("/v1/products", headers={"Accept-Language": "th"})
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert left(refused) == 0 and policy(refused)[0] == "anonymous"
    wait, window = int(refused.headers["Retry-After"]), int(LIMIT.fullmatch(refused.headers["RateLimit"])[3])
    assert window <= wait <= 60 and wait > 0
    assert refused.headers["Content-Language"] == "th"
    assert refused.headers["Cache-Control"] == "no-store"


def test_each_address_has_its_own(at):
    assert passed(at(), ANONYMOUS + 5) == ANONYMOUS
    assert passed(at(), ANONYMOUS + 5) == ANONYMOUS


def test_an_ipv6_network_of_64_bits_is_one_address(at):
    assert passed(at("2001:db8:1:2::1"), 12) == 12
    assert passed(at("2001:db8:1:2:ffff:ffff:ffff:ffff"), 12) == ANONYMOUS - 12
    assert passed(at("2001:db8:1:3::1"), 12) == 12
    assert passed(at("[2001:db8:1:2::7]:4711"), 1) == 0
    assert passed(at("::ffff:198.51.100.1"), 12) == 12
    assert passed(at("198.51.100.1"), 12) == ANONYMOUS - 12, "IPv4, however it is written"
    assert passed(at("198.51.100.2"), 12) == 12


def test_the_address_is_read_from_the_right_and_from_trusted_proxies_alone(at, limited):
    assert passed(at("203.0.113.5, 198.51.100.9"), ANONYMOUS) == ANONYMOUS
    assert passed(at("203.0.113.6, 198.51.100.9"), 1) == 0, "what a client puts before it changes nothing"
    assert passed(at("198.51.100.9, 127.0.0.1"), 1) == 0, "the last that is not trusted"
    limited.set(http_trusted_proxies="10.0.0.0/8")
    try:
        assert sum(passed(at(), 5) for _ in range(6)) <= ANONYMOUS, "one address, whatever they say"
        assert passed(at(), 1) == 0
    finally:
        limited.set(http_trusted_proxies="127.0.0.1")


def test_a_user_is_counted_wherever_he_is(at):
    user = at().as_("user")
    other = at().as_("user")
    assert policy(user.get("/v1/me")) == ("user", USER, 60)
    user.headers["X-Forwarded-For"] = next(addresses)
    assert passed(user, 20, "/v1/me") == 20
    again = at().login(user.user["email"], user.user["password"])
    assert passed(again, 20, "/v1/products?limit=1") == USER - 21, "another session of the same user"
    assert again.get("/v1/me").code == "rate_limited"
    other.headers["X-Forwarded-For"] = user.headers["X-Forwarded-For"]
    assert passed(other, 5, "/v1/me") == 5
    assert passed(at(user.headers["X-Forwarded-For"]), 5) == 5, "nor does he use up his address"


def test_routes_of_accounts_are_counted_by_address_whoever_calls(at):
    client = at()
    address = client.headers["X-Forwarded-For"]
    wrong = {"email": "nobody@example.org", "password": "not the right one"}
    answers = [client.post("/v1/auth/login", wrong) for _ in range(AUTH + 1)]
    assert [a.status for a in answers] == [401] * AUTH + [429]
    assert policy(answers[0]) == ("auth", AUTH, 60)
    user = at().as_("user")
    user.headers["X-Forwarded-For"] = address
    assert user.post("/v1/auth/login", wrong).status == 429
    assert client.get("/v1/products").status == 200, "other routes have a quota of their own"


def test_who_is_refused_before_is_not_counted(at):
    client = at()
    for _ in range(ANONYMOUS + 1):
        assert client.get("/v1/products", token="nonsense").status == 401
        assert client.get("/v1/me").code == "token_missing"
        assert client.get("/v1/nothing").status == 404
        assert client.delete("/v1/products").status == 405
    assert "RateLimit" not in client.get("/v1/me").headers
    assert left(client.get("/v1/products")) == ANONYMOUS - 1
    assert passed(client, ANONYMOUS) == ANONYMOUS - 1
    assert client.get("/v1/products", token="nonsense").status == 401, "401 stands before 429"
    assert client.get("/v1/products?limit=0").status == 429, "and 429 before 400"


def test_probes_and_questions_of_browsers_are_never_refused(at):
    client = at()
    for _ in range(ANONYMOUS + 1):
        assert client.get("/healthz").status == 200
        assert client.get("/readyz").status == 200
        assert client.options("/v1/products").status == 204
    assert "RateLimit" not in client.get("/healthz").headers
    assert "RateLimit-Policy" not in client.options("/v1/products").headers
    assert left(client.get("/v1/products")) == ANONYMOUS - 1


def test_a_thousand_at_once_at_a_limit_of_a_hundred(limited):
    limited.set(limits_anonymous_per_minute=100)
    try:
        address, gate = next(addresses), threading.Barrier(100)

        def ask(_):
            client = limited.api(headers={"X-Forwarded-For": address})
            gate.wait(30)
            statuses = [client.get("/v1/products?limit=1").status for _ in range(10)]
            client.close()
            return statuses

        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            statuses = sum(pool.map(ask, range(100)), [])
        assert len(statuses) == 1000 and set(statuses) == {200, 429}
        assert statuses.count(200) == 100
    finally:
        limited.set(limits_anonymous_per_minute=ANONYMOUS)


def test_zero_is_no_limit_and_a_reload_takes_another_over(limited, at):
    client = at()
    limited.set(limits_anonymous_per_minute=0)
    try:
        assert passed(client, ANONYMOUS * 3) == ANONYMOUS * 3
        assert "RateLimit" not in client.get("/v1/products").headers
        limited.set(limits_anonymous_per_minute=5)
        assert passed(client, 10) == 5
    finally:
        limited.set(limits_anonymous_per_minute=ANONYMOUS)


def test_a_refusal_is_in_the_log_and_in_the_metrics(limited, at):
    client, mark = at(), limited.log_size()
    assert passed(client, ANONYMOUS + 1) == ANONYMOUS
    line = limited.log_until(lambda l: l.get("code") == "rate_limited", mark)
    assert (line["room"], line["status"], line["address"]) == ("admit", 429, client.headers["X-Forwarded-For"])
    text = limited.api(contract=False).get("/metrics").body.decode()
    assert int(re.search(r"^postern_rate_limited_total (\d+)$", text, re.M)[1]) >= 1


def test_the_document_says_so(at):
    document = at().get("/openapi.json").json
    answers = document["paths"]["/v1/products"]["get"]["responses"]
    assert answers["429"]["x-codes"] == ["rate_limited"]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(answers["429"]["headers"])
    assert {"RateLimit", "RateLimit-Policy"} <= set(answers["200"]["headers"])
    assert "429" not in document["paths"]["/healthz"]["get"]["responses"]


def test_pages_of_other_origins_may_read_the_fields(postern, api):
    origin = postern.sets["cors.origins"]
    exposed = api.get("/v1/products", headers={"Origin": origin}).headers["Access-Control-Expose-Headers"]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(re.split(r",\s*", exposed))
