"""An inference server that is slow, silent, broken or lying costs its caller an answer and nobody a worker."""

import pathlib
import secrets
import threading
import time

import pytest
from bench import Postern, until
from upstream import Upstream, drip, endless, free_port, half, huge, raw, reset, silent, status

TIMEOUT_MS = 600
LATE_MS = 100  # no worker is held longer past a deadline; the rest is the machine's
SLACK_MS = 400
ANSWER_BYTES = 1 << 20


@pytest.fixture(scope="module")
def postern():
    sets = {"pool.workers": 3, "auth.hash_cost": 1, "inference.answer_bytes": ANSWER_BYTES, "inference.connect_ms": 200}
    with Postern(sets=sets) as running:
        yield running


@pytest.fixture(scope="module")
def admin(postern):
    return postern.api().as_admin()


@pytest.fixture()
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture()
def model(admin):
    """Put a model: model(url, timeout_ms=…); its path below /v1."""

    def make(*endpoints, **more):
        path = f"/v1/models/m-{secrets.token_hex(6)}"
        body = {"kind": "kserve_v2", "endpoints": endpoints, "upstream_name": "m", "timeout_ms": TIMEOUT_MS, **more}
        assert admin.put(path, body).status == 201
        return path

    return make


@pytest.fixture(autouse=True)
def workers_live(postern):
    """Whatever an upstream does, the same workers serve afterwards, and they are free."""
    before = postern.workers()
    yield
    assert postern.workers() == before
    until(lambda: all(w["state"] == "idle" for w in states(postern)) or None, 5, "idle workers")


def states(postern):
    """The workers as /status has them, the one that answers apart."""
    status_now = postern.api(contract=False).get("/status", headers={"Accept": "application/json"})
    return [w for w in status_now.json["workers"] if w["route"] != "ops_status"]


def infer(api, path):
    """The answer and the milliseconds it took."""
    start = time.monotonic()
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
    answer = api.post(f"{path}/infer", {"inputs": [tensor]})
    return answer, 1000 * (time.monotonic() - start)


@pytest.mark.parametrize("asked_first", ["metadata", "infer"])
def test_a_silent_server_is_left_at_the_models_timeout(admin, upstream, model, asked_first):
    setattr(upstream, asked_first, silent())
    upstream.infer = silent()
    answer, ms = infer(admin, model(upstream.url))
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert TIMEOUT_MS - 50 <= ms <= TIMEOUT_MS + LATE_MS + SLACK_MS
    assert len(upstream.inferred) == 1  # it may still be running: no second try


def test_a_slow_drip_is_left_at_the_models_timeout(admin, upstream, model):
    upstream.infer = drip()
    answer, ms = infer(admin, model(upstream.url))
    assert answer.code == "upstream_timeout"
    assert ms <= TIMEOUT_MS + LATE_MS + SLACK_MS


def test_a_model_may_take_longer_than_other_requests(upstream):
    """The parent kills a worker that is past its request's deadline; a model has a time of its own."""
    sets = {"pool.workers": 1, "pool.request_deadline_ms": 400, "pool.hard_limit_ms": 200}
    with Postern(sets=sets) as strict:
        admin = strict.api().as_admin()
        body = {"kind": "kserve_v2", "endpoints": [upstream.url], "upstream_name": "m", "timeout_ms": 5000}
        assert admin.put("/v1/models/m", body).status == 201
        workers = strict.workers()
        upstream.infer = slow(1500)
        answer, ms = infer(admin, "/v1/models/m")
        assert (answer.status, ms >= 1500) == (200, True)
        assert strict.workers() == workers


def slow(ms):
    def act(asked, sock, server):
        server.closing.wait(ms / 1000)
        return status(200, {"model_name": "m", "outputs": []})(asked, sock, server)

    return act


@pytest.mark.parametrize(
    "name, act",
    [
        ("a reset before the answer", reset()),
        ("a reset in the head", reset(b"HTTP/1.1 200 OK\r\nContent-")),
        ("a reset in the body", reset(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"outputs"')),
        ("an end before the answer", raw(b"")),
        ("an end in the body", half()),
        ("no HTTP", raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
        ("a status that is none", raw(b"HTTP/1.1 abc OK\r\n\r\n")),
        ("bytes of rubbish", raw(bytes(range(256)) * 20)),
        ("a head without end", raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 200_000)),
        ("chunks that are none", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")),
        ("too long, and it says so", huge(ANSWER_BYTES + 1)),
        ("too long, without a word", endless(ANSWER_BYTES + 1)),
        ("a gigabyte", endless(1 << 30)),
        ("not JSON", status(200, b"<html></html>")),
        ("NaN", status(200, b'{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[NaN]}]}')),
        ("half a JSON", status(200, b'{"outputs":[')),
        ("a deep JSON", status(200, b'{"outputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
        ("500", status(500, b"Traceback")),
        ("404", status(404, {"error": "no such model"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_answer_is_a_bad_gateway(admin, upstream, model, name, act):
    upstream.infer = act
    answer, ms = infer(admin, model(upstream.url, timeout_ms=5000))
    assert (answer.status, answer.code) == (502, "upstream_error"), name
    assert ms < 4000
    assert str(upstream.port) not in answer.body.decode()
    upstream.infer = status(200, {"outputs": []})
    assert infer(admin, model(upstream.url))[0].status == 200


def test_the_memory_of_a_worker_is_bounded(postern, admin, upstream, model):
    upstream.infer = endless(1 << 28)
    path = model(upstream.url, timeout_ms=5000)
    infer(admin, path)
    before = [resident(pid) for pid in postern.workers()]
    for _ in range(12):
        assert infer(admin, path)[0].code == "upstream_error"
    grown = max(resident(pid) - was for pid, was in zip(postern.workers(), before, strict=True))
    assert grown < 16 << 20


def resident(pid):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def test_a_redirect_is_not_followed(admin, upstream, model):
    with Upstream() as trap:
        for code in (301, 302, 303, 307, 308):
            upstream.infer = status(code, b"", {"Location": f"{trap.url}/v2/models/m/infer"})
            upstream.metadata = upstream.infer
            assert infer(admin, model(upstream.url))[0].code == "upstream_error"
        assert trap.connections == 0


def test_no_server_is_unavailable_at_once(admin, model):
    answer, ms = infer(admin, model(f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"))
    assert (answer.status, answer.code) == (503, "upstream_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ms < SLACK_MS


def test_a_server_that_closed_a_kept_connection_is_called_anew(admin, upstream, model):
    path = model(upstream.url)
    for _ in range(12):  # every worker has one to lose
        assert infer(admin, path)[0].status == 200
    upstream.drop()
    for _ in range(12):
        assert infer(admin, path)[0].status == 200


def test_slow_models_leave_workers_to_the_rest(postern, admin, upstream, model):
    """With 3 workers models may hold 2; a third call is refused at once, and the rest goes on."""
    upstream.infer = silent()
    path = model(upstream.url, timeout_ms=3000)
    clients = [admin.copy(admin.token) for _ in range(2)]
    calls = [threading.Thread(target=infer, args=(client, path)) for client in clients]
    for call in calls:
        call.start()
    until(lambda: sum(w["route"] == "model_infer" for w in states(postern)) == 2, what="two calls under way")
    refused, ms = infer(admin, path)
    assert (refused.status, refused.code) == (503, "overloaded")
    assert ms < SLACK_MS
    for _ in range(20):
        assert admin.get("/v1/products").status == 200
    for call in calls:
        call.join()
