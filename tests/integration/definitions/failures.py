"""Nodes that fail, one for each node type and way to fail: what the run must say of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

CLOSED = 9
"""A port nobody listens on; `{web}` is a server that answers as the path says."""

RAISE = "def main(): raise ValueError('no such luck')"
EXIT = "import os\ndef main(): os._exit(3)"
FORK = "import os, time\ndef main():\n    while True: os.fork()\n"
WRITE = "def main():\n    while True: print('x' * 1000)\n"
ALLOCATE = "def main():\n    kept = []\n    while True: kept.append(bytes(10_000_000))\n"
STUBBORN = "import signal, time\ndef main():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    time.sleep(600)\n"
LARGE = "def main(): return 'x' * 7_900_000"
ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n{limit}) SELECT {what} FROM n"


class Failing(NamedTuple):
    """A node and how it must fail; `inputs` come from a transform before it."""

    type: str
    case: str
    config: Mapping[str, Any]
    kind: str
    said: str
    inputs: Mapping[str, Any] = {}
    keys: Mapping[str, Any] = {}
    attempts: int = 1


def _python(case: str, code: str, kind: str, said: str, **keys: Any) -> Failing:
    return Failing("python", case, {"code": code}, kind, said, keys=keys)


def _shell(case: str, script: str, kind: str, said: str, **keys: Any) -> Failing:
    return Failing("shell", case, {"script": script}, kind, said, keys=keys)


def _sql(case: str, connection: str, statement: str, kind: str, said: str, **config: Any) -> Failing:
    return Failing("sql.query", case, {"connection": connection, "statement": statement, **config}, kind, said)


def _mail(case: str, server: str, kind: str, said: str, **config: Any) -> Failing:
    given = {"server": server, "from": "a@x.test", "to": ["b@x.test"], "subject": "s", "text": "t", **config}
    return Failing("email.send", case, given, kind, said)


def _publish(case: str, broker: str, kind: str, said: str, **config: Any) -> Failing:
    return Failing("publish", case, {"broker": broker, "topic": "t", "body": "b", **config}, kind, said)


def _http(case: str, path: str, kind: str, said: str, **config: Any) -> Failing:
    return Failing("http.request", case, {"url": f"{{web}}/{path}", **config}, kind, said)


SECRETS = {
    "lite": "sqlite:///data/failures.db",
    "no_url": "s3cr3t-but-no-url",
    "closed_sql": f"postgresql://ann:s3cr3t@127.0.0.1:{CLOSED}/shop",
    "closed_mail": f"smtp://ann:s3cr3t@127.0.0.1:{CLOSED}",
    "closed_broker": f"redis://ann:s3cr3t@127.0.0.1:{CLOSED}",
}
NUMBER = "{{ 5 + 0 }}"

FAILING = [
    Failing("aggregate", "wrong port type", {"totals": {"n": {"op": "count"}}}, "bad_value",
            "input items: expected array, got string", {"items": "x"}),
    Failing("approval", "wrong config", {"message": NUMBER}, "bad_config", "config.message"),
    Failing("csv.read", "wrong config", {"file": NUMBER}, "bad_config", "config.file"),
    Failing("csv.read", "missing file", {"file": "none.csv"}, "file_missing", "there is no files:none.csv"),
    Failing("csv.write", "wrong rows", {"path": "x.csv"}, "bad_value", "rows[0] is not an object", {"rows": [1]}),
    Failing("csv.write", "wrong port type", {"path": "x.csv"}, "bad_value", "input rows: expected array", {"rows": 1}),
    Failing("delay", "wrong config", {"duration": "{{ 'soon' }}"}, "bad_config", "config.duration"),
    Failing("delay", "time-out", {"duration": "10m"}, "timeout", "0.5 s", keys={"timeout": "500ms"}),
    _mail("wrong config", "lite", "bad_config", "config.to", to=NUMBER),
    _mail("missing secret", "none", "secret_missing", "there is no secret 'none'"),
    _mail("wrong secret", "no_url", "email_bad_url", "is not a mail server's address"),
    _mail("unreachable", "closed_mail", "email_unreachable", "cannot be reached"),
    Failing("fail", "as it should", {"message": "{{ 1 + 1 }} of them"}, "failed", "2 of them"),
    Failing("file.list", "wrong place", {"folder": "../others"}, "file_bad_path", "'../others' is not a path"),
    Failing("file.read", "wrong config", {"file": NUMBER}, "bad_config", "config.file"),
    Failing("file.read", "missing file", {"file": "none"}, "file_missing", "there is no files:none"),
    Failing("file.read", "missing secret", {"file": "s3://b/x", "connection": "none"}, "secret_missing", "'none'"),
    Failing("file.read", "wrong secret", {"file": "s3://b/x", "connection": "no_url"}, "file_refused", "not a JSON"),
    Failing("file.read", "too large", {"file": "{web}/large", "max_bytes": 10}, "file_too_large", "more than 10 bytes"),
    Failing("file.write", "wrong content", {"path": "x", "content": "?", "as": "base64"}, "file_bad_content", "base64"),
    Failing("file.write", "wrong place", {"path": "/etc/passwd", "content": "x"}, "file_bad_path", "/etc/passwd"),
    Failing("filter", "wrong port type", {"where": "@"}, "bad_value", "input items: expected array", {"items": "x"}),
    Failing("graph", "wrong parameter", {"graph": "divide", "params": {"by": "{{ 'x' }}"}}, "bad_params",
            "/params/by: 'x' is not"),
    _http("wrong config", "ok", "bad_config", "config.method", method="{{ 'FETCH' }}"),
    _http("missing secret", "ok", "secret_missing", "'none'", auth={"type": "bearer", "secret": "none"}),
    _http("missing secret in a template", "ok", "secret_missing", "'none'", headers={"a": "{{ secrets.none }}"}),
    _http("error status", "500", "http_status", "/500 answered 500: fine"),
    _http("too large", "large", "http_too_large", "larger than 8388608 bytes"),
    _http("time-out", "slow", "http_timeout", "did not answer within 0.5 s", timeout="500ms"),
    _http("not JSON", "broken", "http_bad_answer", "is not JSON"),
    Failing("http.request", "unreachable", {"url": f"http://127.0.0.1:{CLOSED}/"}, "http_unreachable", "cannot be"),
    Failing("log", "undefined name", {"message": "{{ trigger.nobody }}"}, "template_error", "'nobody'"),
    Failing("parquet.read", "no table", {"file": "{web}/ok"}, "table_bad_content", "Parquet"),
    Failing("parquet.write", "wrong cell", {"path": "x.parquet", "types": {"a": "integer"}}, "bad_value", "rows[0]",
            {"rows": [{"a": "x"}]}),
    _publish("missing secret", "none", "secret_missing", "'none'"),
    _publish("wrong secret", "no_url", "publish_bad_url", "is not a broker's address"),
    _publish("unreachable", "closed_broker", "publish_unreachable", "cannot be reached", timeout="2s"),
    _publish("too large", "closed_broker", "publish_too_large", "1048576 are the limit", body="{{ 'x' * 1100000 }}"),
    _python("raises", RAISE, "code_error", "ValueError: no such luck"),
    Failing("python", "raises twice", {"code": RAISE}, "code_error", "ValueError",
            keys={"retry": {"max_attempts": 2, "delay": 0}}, attempts=2),
    _python("exits", EXIT, "code_exit", "exited with status 3"),
    _python("forks without end", FORK, "code_error", "BlockingIOError", timeout="20s"),
    _python("writes without end", WRITE, "code_timeout", "did not end within 2 s", timeout="2s"),
    _python("allocates without end", ALLOCATE, "code_memory", "all the memory that it may have"),
    _python("ignores SIGTERM", STUBBORN, "code_timeout", "did not end within 1 s", timeout="1s"),
    _python("too large", "def main(): return 'x' * 9_000_000", "code_output", "8388608 are allowed"),
    _python("no value", "def main(): return {'a': [{1}]}", "bad_value", "result.a[0]: set is not a JSON value"),
    Failing("python", "wrong port type", {"code": "def main(x: int): return x"}, "bad_value",
            "input x: expected integer, got string", {"x": "one"}),
    Failing("python", "wrong config", {"code": "def main(**all): return 1", "args": NUMBER}, "bad_config",
            "config.args"),
    Failing("query", "wrong value", {"expression": "sum(@)"}, "query_error", "sum", {"value": "x"}),
    _shell("fails", "echo 'no such luck' >&2; exit 4", "shell_status", "exited with 4: no such luck"),
    _shell("writes without end", "yes", "code_timeout", "did not end within 2 s", timeout="2s"),
    _shell("ignores SIGTERM", "trap '' TERM; sleep 600; sleep 600", "code_timeout", "within 1 s", timeout="1s"),
    Failing("shell", "wrong config", {"script": "true", "env": NUMBER}, "bad_config", "config.env"),
    Failing("shell", "missing secret", {"script": "true", "env": {"A": "{{ secrets.none }}"}}, "secret_missing",
            "none"),
    _sql("wrong config", "lite", "SELECT 1", "bad_config", "config.params", params=NUMBER),
    _sql("missing secret", "none", "SELECT 1", "secret_missing", "'none'"),
    _sql("wrong secret", "no_url", "SELECT 1", "sql_bad_url", "not a database address"),
    _sql("unreachable", "closed_sql", "SELECT 1", "sql_unreachable", "cannot be reached"),
    _sql("wrong statement", "lite", "SELECT FROM nowhere", "sql_error", "syntax error"),
    _sql("too many rows", "lite", ROWS.format(limit=" LIMIT 20", what="i"), "sql_too_large", "more than 10",
            max_rows=10),
    _sql("time-out", "lite", ROWS.format(limit="", what="count(*)"), "sql_timeout", "within 1 s", timeout="1s"),
    Failing("switch", "undefined name", {"cases": [{"port": "a", "when": "{{ trigger.nobody }}"}]}, "template_error",
            "'nobody'", {"value": 1}),
    Failing("template", "undefined name", {"text": "{{ trigger.nobody }}!"}, "template_error", "'nobody'"),
    Failing("transform", "undefined name", {"value": "{{ trigger.nobody }}"}, "template_error", "'nobody'"),
    Failing("transform", "without end", {"value": "{{ range(100000000) | list }}"}, "template_error", "Range too big"),
    Failing("wait", "wrong time", {"until": "{{ 'soon' }}"}, "bad_value", "'soon' is no time"),
]  # fmt: skip
