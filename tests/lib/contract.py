"""Hold an answer against /openapi.json: what is not written there must not be answered.

The document is read as a stranger's client would read it, with a JSON Schema validator that is not
ours. `Contract.check` raises AssertionError with the request, the pointer and the reason.
"""

import datetime
import re
import urllib.parse

from jsonschema import Draft202012Validator, FormatChecker, RefResolver

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

formats = FormatChecker(formats=())


@formats.checks("uuid")
def is_uuid(value):
    """Version 7, lower case: the contract's form, narrower than the format's."""
    return not isinstance(value, str) or UUID.fullmatch(value) is not None


@formats.checks("date-time", raises=ValueError)
def is_time(value):
    """UTC with microseconds, and a day that exists."""
    if isinstance(value, str):
        if not TIME.fullmatch(value):
            return False
        datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")
    return True


def media_type(value):
    """A Content-Type without its parameters."""
    return (value or "").split(";")[0].strip().lower()


class Contract:
    """The document of one server, and what has been seen against it."""

    def __init__(self, document):
        self.document = document
        self.resolver = RefResolver.from_schema(document)
        self.base = self._base()
        self.validators = {}
        self.templates = [(self._pattern(path), path) for path in document["paths"]]
        self.seen = set()

    def _base(self):
        url = (self.document.get("servers") or [{"url": ""}])[0]["url"]
        return re.sub(r"^https?://[^/]*", "", url).rstrip("/")

    @staticmethod
    def _pattern(path):
        parts = re.split(r"\{[^}]*\}", path)
        return re.compile("[^/]+".join(map(re.escape, parts)))

    def resolve(self, node):
        """What a node says, through its references."""
        while isinstance(node, dict) and "$ref" in node and len(node) == 1:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def template(self, target):
        """The documented path of a request target; None when there is none. Literal beats variable."""
        path = urllib.parse.unquote(target.split("?")[0])
        if not path.startswith(self.base):
            return None
        path = path[len(self.base) :]
        found = [p for pattern, p in self.templates if pattern.fullmatch(path)]
        return min(found, key=lambda p: p.count("{"), default=None)

    def methods(self, template):
        """What Allow must say of a path."""
        known = {m.upper() for m in self.document["paths"][template] if m in METHODS}
        return known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())

    def validate(self, schema, value, where):
        key = id(schema)
        if key not in self.validators:
            self.validators[key] = Draft202012Validator(
                schema, resolver=self.resolver, format_checker=formats
            )
        faults = [
            f"{where}/{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}"
            for e in self.validators[key].iter_errors(value)
        ]
        assert not faults, "\n".join(faults)

    def check(self, method, target, answer):
        """Raise AssertionError unless the answer is one that the document has."""
        where = f"{method} {target} -> {answer.status}"
        self._check_always(where, answer)
        template = self.template(target)
        if method == "OPTIONS" and answer.status == 204:
            assert template is not None, f"{where}: OPTIONS of an unknown path"
            return
        if template is None or answer.status == 405:
            self._check_unrouted(where, template, answer)
            return
        operation = self.document["paths"][template].get("get" if method == "HEAD" else method.lower())
        if operation is None:
            assert answer.status >= 400, f"{where}: a method that {template} does not have"
            self._check_problem(where, answer, method == "HEAD")
            return
        response = self.resolve(operation["responses"].get(str(answer.status)))
        assert response is not None, f"{where}: {template} has no such status: {answer.body[:300]!r}"
        self.seen.add((template, method, answer.status))
        self._check_headers(where, response, answer)
        self._check_body(where, method, response, answer)
        if answer.status >= 400:
            self._check_problem(where, answer, method == "HEAD")
            self._check_code(where, response, answer, method == "HEAD")

    def _check_always(self, where, answer):
        """What holds of every answer that comes from the program."""
        headers = answer.headers
        assert headers.get("X-Content-Type-Options") == "nosniff", f"{where}: no nosniff"
        assert headers.get("X-Request-Id"), f"{where}: no X-Request-Id"
        for name in ("Content-Type", "X-Request-Id", "Cache-Control", "ETag", "Location"):
            assert len(headers.get_all(name) or []) <= 1, f"{where}: {name} twice"
        if answer.status >= 400:
            assert headers.get("Cache-Control") == "no-store", f"{where}: an error that may be kept"
        if answer.status in (204, 304):
            assert answer.body == b"", f"{where}: a body"
        if answer.status == 401:
            assert headers.get("WWW-Authenticate", "").startswith("Bearer"), f"{where}: no challenge"
        if answer.status in (429, 503):
            assert headers.get("Retry-After", "").isdigit(), f"{where}: no Retry-After"

    def _check_unrouted(self, where, template, answer):
        assert answer.status in (400, 404, 405, 431, 501, 503, 504), f"{where}: not documented"
        if answer.status == 405:
            allowed = set(re.split(r",\s*", answer.headers.get("Allow", "")))
            assert template and allowed == self.methods(template), f"{where}: Allow is {allowed}"
        self._check_problem(where, answer, answer.method == "HEAD")

    def _check_problem(self, where, answer, head):
        kind = media_type(answer.headers.get("Content-Type"))
        assert kind == "application/problem+json", f"{where}: an error of type {kind!r}"
        if head:
            return
        problem = self.document["components"]["schemas"]["Problem"]
        self.validate(problem, answer.json, where)
        assert answer.json["status"] == answer.status, f"{where}: another status in the body"
        assert answer.json["type"].endswith("/problems/" + answer.json["code"]), where

    def _check_code(self, where, response, answer, head):
        """The answer's code is one of those listed for its status."""
        listed = response.get("x-codes")
        if not head:
            assert listed, f"{where}: the response lists no codes"
            assert answer.json["code"] in listed, f"{where}: {answer.json['code']} is not of {listed}"

    def _check_headers(self, where, response, answer):
        for name, node in (response.get("headers") or {}).items():
            node = self.resolve(node)
            value = answer.headers.get(name)
            assert value is not None or not node.get("required"), f"{where}: no header {name}"

    def _check_body(self, where, method, response, answer):
        content = {media_type(k): v for k, v in (response.get("content") or {}).items()}
        if method == "HEAD" or answer.status in (204, 304):
            assert answer.body == b"", f"{where}: a body"
            return
        if not content:
            assert answer.body == b"", f"{where}: an undocumented body"
            return
        kind = media_type(answer.headers.get("Content-Type"))
        assert kind in content, f"{where}: type {kind!r}, documented {sorted(content)}"
        assert int(answer.headers.get("Content-Length", len(answer.body))) == len(answer.body), where
        schema = content[kind].get("schema")
        if kind.endswith("json"):
            assert schema is not None, f"{where}: JSON without a schema"
            assert answer.json is not None, f"{where}: not JSON: {answer.body[:200]!r}"
            self.validate(schema, answer.json, where)


METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def open_objects(document):
    """Pointers of schemas of objects that do not say what else they may have: none may be left."""
    found = []

    def walk(node, pointer):
        if isinstance(node, dict):
            if "properties" in node and not (
                "additionalProperties" in node or "unevaluatedProperties" in node
            ):
                found.append(pointer)
            for key, value in node.items():
                walk(value, f"{pointer}/{key}")
        elif isinstance(node, list):
            for i, value in enumerate(node):
                walk(value, f"{pointer}/{i}")

    walk(document.get("components", {}), "/components")
    walk(document.get("paths", {}), "/paths")
    return found
