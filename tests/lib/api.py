"""An HTTP client for tests: one kept connection, nothing clever, every answer held to the contract."""

import http.client
import json as json_text
import secrets
import select
import socket
import urllib.parse

UNSET = object()


class Answer:
    """What came back: status, headers (http.client.HTTPMessage: any case, get_all), body, json."""

    def __init__(self, method, status, headers, body):
        self.method = method
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        """The body as JSON; None when it is none."""
        if not hasattr(self, "_json"):
            try:
                self._json = json_text.loads(self.body)
            except ValueError:
                self._json = None
        return self._json

    @property
    def code(self):
        """Code of a problem; None of another answer."""
        return self.json.get("code") if self.status >= 400 and isinstance(self.json, dict) else None

    def __repr__(self):
        return f"<{self.method} {self.status} {self.body[:200]!r}>"


class Api:
    """A client of one server. `as_("editor")` is another client, logged in as a new user of that role."""

    def __init__(self, server, contract=None, token=None, headers=None, timeout=30):
        self.server = server
        self.contract = contract
        self.token = token
        self.headers = dict(headers or {})
        self.timeout = timeout
        self.user = None
        url = urllib.parse.urlsplit(server.url)
        self.host, self.port, self.base = url.hostname, url.port, url.path.rstrip("/")
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _connect(self):
        """The kept connection, or a new one when the server has closed it while it was idle."""
        if self.connection is not None and self.connection.sock is not None:
            if not select.select([self.connection.sock], [], [], 0)[0]:
                return self.connection
            self.connection.close()
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.connection

    def request(self, method, path, json=UNSET, body=None, headers=None, token=UNSET, check=True):
        """
        Send one request and check its answer against /openapi.json.

        path     below the base path, query included, sent as it is
        json     a value that is sent as application/json
        body     bytes; Content-Type is up to headers
        headers  more headers; None as a value leaves a default one out
        token    another bearer token; None for no token
        check    False where the web server itself may answer
        """
        fields = dict(self.headers)
        token = self.token if token is UNSET else token
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        if json is not UNSET:
            body = json_text.dumps(json).encode()
            fields["Content-Type"] = "application/json"
        fields.update(headers or {})
        connection = self._connect()
        target = self.base + path
        try:
            connection.request(
                method, target, body, {k: v for k, v in fields.items() if v is not None}
            )
            response = connection.getresponse()
            answer = Answer(method, response.status, response.msg, response.read())
        except BaseException:
            self.close()
            raise
        if check and self.contract is not None:
            self.contract.check(method, target, answer)
        return answer

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def head(self, path, **more):
        return self.request("HEAD", path, **more)

    def post(self, path, json=UNSET, **more):
        return self.request("POST", path, json=json, **more)

    def put(self, path, json=UNSET, **more):
        return self.request("PUT", path, json=json, **more)

    def patch(self, path, json=UNSET, **more):
        return self.request("PATCH", path, json=json, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def options(self, path, **more):
        return self.request("OPTIONS", path, **more)

    def raw(self, head, body=b"", method="GET", timeout=None):
        """
        Send bytes as they are and read one answer: for what an HTTP library would refuse to send.

        head    request line and header lines, bytes, without the empty line
        method  as the answer is to be read (HEAD has no body)
        """
        with socket.create_connection((self.host, self.port), timeout or self.timeout) as sock:
            sock.sendall(head + b"\r\n\r\n" + body)
            response = http.client.HTTPResponse(sock, method=method)
            response.begin()
            return Answer(method, response.status, response.msg, response.read())

    def target(self, target, method="GET", headers=()):
        """One request with a request target of any bytes, below the base path."""
        lines = [f"{method} {self.base}".encode() + target + b" HTTP/1.1", b"Host: localhost"]
        lines += [b"Connection: close", *headers]
        return self.raw(b"\r\n".join(lines), method=method)

    def copy(self, token=None, headers=None):
        """Another client of the same server."""
        return Api(self.server, self.contract, token, headers or self.headers, self.timeout)

    def as_(self, role, password=None):
        """A client logged in as a new user of a role; `user` has id, email and password."""
        email = f"{role}-{secrets.token_hex(6)}@example.org"
        password = password or secrets.token_urlsafe(16)
        self.server.user_add(email, role, password)
        return self.login(email, password)

    def as_admin(self):
        """A client logged in as the administrator that scripts/up made."""
        return self.login(self.server.admin_email, self.server.admin_password)

    def login(self, email, password):
        answer = self.post("/v1/auth/login", {"email": email, "password": password}, token=None)
        assert answer.status == 200, answer
        client = self.copy(answer.json["access_token"])
        client.user = {**answer.json["user"], "password": password}
        client.refresh_token = answer.json.get("refresh_token")
        return client
