"""Operations: /healthz, /status and /metrics, through the web server, also while every worker is busy."""

import contextlib
import re

import fcgi
import pytest
from bench import until


@contextlib.contextmanager
def busy(postern):
    """Every worker holds a request whose body never ends."""
    held = []
    try:
        for i in range(len(postern.workers())):
            head = fcgi.head(fcgi.variables("POST", "/v1/auth/login", b"{", CONTENT_LENGTH=400000,
                                            HTTP_X_REQUEST_ID=f"busy-{i}"))
            sock = fcgi.connect(postern.socket)
            sock.sendall(head + fcgi.records(fcgi.STDIN, b" " * 200000))
            held.append(sock)
        yield
    finally:
        for sock in held:
            sock.close()


def test_status_tells_of_every_process(api, postern):
    status = api.get("/status").json
    assert status["pid"] == postern.pid
    assert {w["pid"] for w in status["workers"]} == set(postern.workers())
    assert status["keeper"] == {"pid": postern.keeper()}
    assert {lane["name"] for lane in status["lanes"]} == {"api", "auth", "inference", "ops"}


@pytest.mark.parametrize(
    "accept,media",
    [
        ("application/json", "application/json"),
        ("text/plain", "text/plain"),
        ("text/html", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "application/json"),
    ],
)
def test_status_comes_as_it_is_asked_for(api, accept, media):
    answer = api.get("/status", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, media)


def test_the_status_page_holds_no_script_and_takes_nothing_from_elsewhere(api):
    answer = api.get("/status", headers={"Accept": "text/html"})
    text = answer.body.decode()
    assert re.search(r"<h1>Postern</h1>.*<td>(idle|busy)</td>", text, re.S)
    assert "<script" not in text and "http" not in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_paths_that_only_begin_like_them_are_nobodys(api):
    for path in "/statuses", "/status/", "/healthz/x", "/metricsx":
        assert api.get(path, check=False).status == 404


def test_one_scrape_answers_for_all_processes(api, postern):
    text = api.get("/metrics").body.decode()
    assert re.search(r'^postern_workers\{state="idle"\} [34]$', text, re.M)
    age = float(re.search(r"^postern_listener_age_seconds (\S+)$", text, re.M).group(1))
    assert 0 <= age < 2.5


def metric(text, name):
    return int(re.search(rf"^postern_{name} (\d+)$", text, re.M)[1])


def test_what_processes_ask_the_database_for_themselves_is_counted_too(instance):
    api = instance({"pool.workers": 3}).api()
    # each worker looks at its start whether the schema fits, the keeper what is due
    text = until(lambda: t if metric(t := api.get("/metrics").body.decode(), "database_connects_total") >= 4 else None,
                 5, "the connections of all")
    assert metric(text, "database_faults_total") == 0
    assert metric(text, "database_wait_microseconds_total") > 0


def test_they_answer_while_every_worker_is_busy(instance):
    postern = instance({"pool.workers": 2, "lanes.auth": 2, "pool.gather_bytes": 0})
    api = postern.api()
    for path in "/healthz", "/status", "/metrics":
        api.get(path)
    with busy(postern):
        until(lambda: {w["state"] for w in api.get("/status").json["workers"]} == {"busy"}, 5)
        for path in "/healthz", "/status", "/metrics":
            assert api.get(path).status == 200
        page = api.get("/status", headers={"Accept": "text/html"})
        assert page.body.count(b"<td>busy</td>") == 2
