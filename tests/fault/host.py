"""Another host: a posternd with a board of its own on somebody else's database.

    with Host(postern, pool_workers=2) as host:
        assert host.trips(user.token) == 1
"""

import json
import re
import time
import uuid

import fcgi
from bench import until
from server import Server


def worker_dsn(postern, **more):
    query = "&".join(f"{name}={value}" for name, value in {"host": postern.postgres.sockets, **more}.items())
    return f"postgresql://postern_worker@/postern?{query}"


class Host(Server):
    """A posternd of its own on somebody else's database, without a web server."""

    def __init__(self, postern, **sets):
        super().__init__({"database.dsn": worker_dsn(postern), "pool.workers": 1, "log.level": "debug",
                          **{name.replace("_", ".", 1): value for name, value in sets.items()}})

    def call(self, token, uri="/v1/me", method="GET", body=b"", **variables):
        request_id = uuid.uuid4().hex
        answer = fcgi.ask(self.socket, fcgi.request(
            method, uri, body, HTTP_AUTHORIZATION=f"Bearer {token}", HTTP_X_REQUEST_ID=request_id, **variables))
        return answer, request_id

    def trips(self, token, uri="/v1/products"):
        """Round trips to the database that a request cost, without those of the page itself."""
        _, request_id = self.call(token, uri)
        line = until(lambda: next((x for x in self.log("request") if x["request_id"] == request_id), None), 5)
        return line["trips"] - 1

    def trusts(self, token):
        """Wait until what is kept of this token is trusted."""
        until(lambda: self.trips(token) == 0, 10, "trust in what is kept")

    def refused_after(self, token, seconds):
        """Call until the token is refused; how long that took, and then it stays refused."""
        start = time.monotonic()
        while self.call(token)[0].status == 200:
            assert time.monotonic() - start < seconds, "it is still taken"
            time.sleep(0.005)
        took = time.monotonic() - start
        for _ in range(5):
            answer, _ = self.call(token)
            assert (answer.status, json.loads(answer.body)["code"]) == (401, "session_revoked")
        return took

    def metric(self, name):
        """A number of /metrics, without the prefix of its name."""
        text = fcgi.ask(self.socket, fcgi.request("GET", "/metrics")).body.decode()
        return float(re.search(rf"^postern_{name} (\S+)$", text, re.M)[1])
