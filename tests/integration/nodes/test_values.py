"""What becomes of values that JSON does not have, by where they come from: docs/reference/values.md, row by row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from definitions.services.services import Services
from graph_compiler.values.errors import NodeError
from tests.integration.nodes.nodes import run_node

PYTHON = [
    ("b'\\x00\\xff'", b"\x00\xff"),
    ("(1, (2,))", [1, [2]]),
    ("True", True),
    ("2**64 - 1", 2**64 - 1),
    ("{'$bytes': 'AP8='}", b"\x00\xff"),
    ("float('nan')", "result: nan is not a JSON number"),
    ("[float('-inf')]", "result[0]: -inf is not a JSON number"),
    ("2**64", "output result: an integer of 65 bits; 64 are the limit"),
    ("datetime.date(2026, 1, 31)", "result: datetime.date is not a JSON value"),
    ("datetime.datetime(2026, 1, 31)", "result: datetime.datetime is not a JSON value"),
    ("decimal.Decimal('1.10')", "result: decimal.Decimal is not a JSON value"),
    ("{'a': {1}}", "result.a: set is not a JSON value"),
    ("{1: 2}", "result: the key 1 is not text"),
    ("bytearray(b'x')", "result: bytearray is not a JSON value"),
    ("'\\ud800'", "output result: text with a lone surrogate cannot be written as UTF-8"),
    ("(i for i in 'ab')", "result: generator is not a JSON value"),
]
SQL = [
    ("x'00ff'", b"\x00\xff"),
    ("1.5", 1.5),
    ("9223372036854775807", 2**63 - 1),
    ("'2026-01-31'", "2026-01-31"),
    ("9e999", "the column 'v' has inf, which is not a JSON number"),
]
HTTP = [
    ("application/json", b"[1.0, 1e2]", [1.0, 100.0]),
    ("application/json", b'{"$bytes": "AP8="}', b"\x00\xff"),
    ("application/json", b"", None),
    ("text/plain; charset=latin-1", b"\xfc", "ü"),
    ("text/csv", b"a,b", "a,b"),
    ("application/xml", b"<a/>", "<a/>"),
    ("", b"hi", "hi"),
    ("application/octet-stream", b"\x00\xff", b"\x00\xff"),
    ("image/png", b"\x89PNG", b"\x89PNG"),
    ("application/json", b"NaN", "NaN is not a JSON number"),
    ("application/json", b"1e999", "output body: inf is not a JSON number"),
    ("application/json", b"[18446744073709551616]", "output body[0]: an integer of 65 bits; 64 are the limit"),
    ("application/json", b'"\\ud800"', "output body: text with a lone surrogate cannot be written as UTF-8"),
    ("application/json", b'{"$bytes": "?"}', "output body: an object of the one key $bytes holds base64"),
]


class Typed(BaseHTTPRequestHandler):
    """Answers `HTTP[n]` at `/n`, and gives back at PUT what it was sent."""

    def do_GET(self) -> None:
        kind, body, _ = HTTP[int(self.path.removeprefix("/"))]
        self._answer(kind, body)

    def do_PUT(self) -> None:
        self._answer("application/octet-stream", self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        if kind:
            self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Typed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def result(services: Services, type: str, port: str, config: dict[str, Any], **given: Any) -> Any:
    """The port's value, or the message of the refusal."""
    try:
        return run_node(services, type, config, **given)[port]
    except NodeError as error:
        return error.message if error.kind in ("bad_value", "http_bad_answer") else error


@pytest.mark.parametrize(("expression", "expected"), PYTHON)
def test_result_of_python_becomes_a_json_value_or_an_error(services: Services, expression: str, expected: Any) -> None:
    code = f"import datetime, decimal\ndef main(): return {expression}"
    assert result(services, "python", "result", {"code": code}) == expected


@pytest.mark.parametrize("given", [b"\x00\xff", {"a": [b"x", {"b": b""}]}])
def test_python_gets_bytes_as_they_are(services: Services, given: Any) -> None:
    code = "def main(x): return [x, repr(x)]"
    assert result(services, "python", "result", {"code": code}, inputs={"x": given}) == [given, repr(given)]


@pytest.mark.parametrize(("expression", "expected"), SQL)
def test_cell_of_sqlite_becomes_a_json_value_or_an_error(services: Services, expression: str, expected: Any) -> None:
    config = {"connection": "db", "statement": f"SELECT {expression} AS v"}
    found = result(services, "sql.query", "rows", config, secrets={"db": "sqlite://"})
    assert (found[0]["v"] if isinstance(found, list) else found) == expected


def test_bytes_are_bound_alone(services: Services) -> None:
    config = {"connection": "db", "statement": "SELECT hex(:x) AS v", "params": {"x": "{{ inputs.x }}"}}
    given: dict[str, Any] = {"secrets": {"db": "sqlite://"}}
    assert result(services, "sql.query", "rows", config, inputs={"x": b"\x00\xff"}, **given) == [{"v": "00FF"}]
    said = "the parameter 'x' has bytes within an object or list; bind them alone"
    assert result(services, "sql.query", "rows", config, inputs={"x": {"a": b"\x00"}}, **given) == said


@pytest.mark.parametrize("number", range(len(HTTP)), ids=lambda number: HTTP[number][1][:12].decode("latin-1"))
def test_body_of_an_answer(services: Services, url: str, number: int) -> None:
    found, expected = result(services, "http.request", "body", {"url": f"{url}/{number}"}), HTTP[number][2]
    if isinstance(expected, str) and number > HTTP.index(("image/png", b"\x89PNG", b"\x89PNG")):
        assert expected in found
    else:
        assert found == expected


def test_bytes_are_sent_as_they_are(services: Services, url: str) -> None:
    config = {"url": url, "method": "PUT", "body": "{{ inputs.x }}"}
    assert result(services, "http.request", "body", config, inputs={"x": b"\x00\xff"}) == b"\x00\xff"
    json = {"url": url, "method": "PUT", "json": {"a": "{{ inputs.x }}"}}
    assert result(services, "http.request", "body", json, inputs={"x": b"\x00\xff"}) == b'{"a":{"$bytes":"AP8="}}'


def test_what_a_table_file_keeps_of_bytes_objects_and_nothing(services: Services) -> None:
    rows = [{"n": 1, "b": b"\x00\xff", "o": {"a": b"x"}}, {"n": None, "b": None, "o": None}]
    run_node(services, "parquet.write", {"path": "t.parquet"}, {"rows": rows})
    back = run_node(services, "parquet.read", {"file": "t.parquet"})["rows"]
    assert back == rows
    run_node(services, "csv.write", {"path": "t.csv", "from": "t.parquet"})
    cells = run_node(services, "csv.read", {"file": "t.csv", "format": {"types": {"n": "integer"}}})["rows"]
    assert cells[0] == {"n": 1, "b": "AP8=", "o": '{"a": {"$bytes": "eA=="}}'}
    assert cells[1] == {"n": None, "b": "", "o": ""}


@pytest.mark.parametrize(
    ("cell", "kind", "expected"),
    [
        ("nan", "number", "row 1, column 'v': nan is not a JSON number"),
        ("1e999", "number", "row 1, column 'v': inf is not a JSON number"),
        ("18446744073709551616", "integer", "row 1, column 'v': an integer of 65 bits; 64 are the limit"),
        ("1.10", "text", [{"v": "1.10"}]),
    ],
)
def test_number_of_a_csv_file(services: Services, cell: str, kind: str, expected: Any) -> None:
    run_node(services, "file.write", {"path": "n.csv", "content": f"v\n{cell}\n"})
    config = {"file": "n.csv", "format": {"types": {"v": kind}}}
    assert result(services, "csv.read", "rows", config) == expected


def test_dates_and_decimals_of_parquet_are_text(services: Services) -> None:
    import datetime
    import decimal

    import pyarrow
    from pyarrow import parquet

    row = {
        "day": datetime.date(2026, 1, 31), "at": datetime.datetime(2026, 1, 31, 12), "price": decimal.Decimal("1.10"),
        "took": datetime.timedelta(seconds=90), "many": [1, 2], "raw": b"\x00",
    }  # fmt: skip
    with services.create_file("files:d.parquet") as sink:
        target = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.Table.from_pylist([row]), target)
        sink.write(target.getvalue().to_pybytes())
    assert run_node(services, "parquet.read", {"file": "d.parquet"})["rows"] == [
        {
            "day": "2026-01-31",
            "at": "2026-01-31T12:00:00",
            "price": "1.10",
            "took": 90.0,
            "many": [1, 2],
            "raw": b"\x00",
        }
    ]
