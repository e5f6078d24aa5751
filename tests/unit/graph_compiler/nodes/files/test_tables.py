"""`csv.read`, `csv.write`, `parquet.read`, `parquet.write`."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8)
CELLS = {"name": TEXT, "count": st.none() | st.integers(-(2**63), 2**63 - 1), "ok": st.none() | st.booleans()}


def read_csv(content: bytes, **config: Any) -> list[Any]:
    runtime = MemoryRuntime(files={"files:t.csv": content})
    rows: list[Any] = run("csv.read", {"file": "t.csv", **config}, {}, runtime)["rows"]
    return rows


@pytest.mark.parametrize(
    ("content", "format", "rows"),
    [
        (b"a,b\r\n1,x\r\n", {}, [{"a": "1", "b": "x"}]),
        (b"\xef\xbb\xbfa;b\n1;\"x\n;\"\n\n", {"delimiter": ";"}, [{"a": "1", "b": "x\n;"}]),
        (b"1,,yes\n2,3.5,no\n", {"columns": ["a", "b", "c"], "types": {"a": "integer", "b": "number", "c": "boolean"}},
         [{"a": 1, "b": None, "c": True}, {"a": 2, "b": 3.5, "c": False}]),
        ("a\n\xe9\n".encode("latin-1"), {"encoding": "latin-1"}, [{"a": "é"}]),
        (b'a\n"[1, 2]"\n', {"types": {"a": "json"}}, [{"a": [1, 2]}]),
        (b"", {}, []),
    ],
)  # fmt: skip
def test_csv_is_read(content: bytes, format: dict[str, Any], rows: list[Any]) -> None:
    assert read_csv(content, format=format) == rows


@pytest.mark.parametrize(
    ("content", "config", "expected"),
    [
        (b"a,b\n1\n", {}, ("table_bad_content", "row 1 has 1 cells, and there are 2 columns")),
        (b"a,a\n1,2\n", {}, ("table_bad_content", "two columns have one name")),
        (b"a\nx\n", {"format": {"types": {"a": "integer"}}}, ("table_bad_content", "row 1, column 'a': 'x' is not")),
        (b"a\n\xff\n", {}, ("table_bad_content", "utf-8")),
        (b'a\n"x" y\n', {}, ("table_bad_content", "line")),
        (b"a\n1\n2\n", {"max_rows": 1}, ("table_too_large", "the table has more than 1 rows")),
        (b"a\nnan\n", {"format": {"types": {"a": "number"}}}, ("bad_value", "nan is not a JSON number")),
    ],
)
def test_what_is_no_such_csv_fails(content: bytes, config: dict[str, Any], expected: tuple[str, str]) -> None:
    with pytest.raises(NodeError) as raised:
        read_csv(content, **config)
    assert raised.value.kind == expected[0]
    assert expected[1] in raised.value.message


def test_csv_is_written_with_all_columns() -> None:
    runtime = MemoryRuntime()
    rows = [{"a": 1, "b": "x,\n"}, {"c": [1], "a": None, "b": True}]
    answer = run("csv.write", {"path": "t.csv"}, {"rows": rows}, runtime)
    assert (answer["row_count"], answer["file"]["media_type"]) == (2, "text/csv")
    assert runtime.files["files:t.csv"] == b'a,b,c\r\n1,"x,\n",\r\n,true,[1]\r\n'


@given(st.lists(st.fixed_dictionaries(CELLS), max_size=20))
def test_what_parquet_is_given_it_gives_back(rows: list[dict[str, Any]]) -> None:
    runtime = MemoryRuntime()
    types = {"name": "text", "count": "integer", "ok": "boolean"}
    written = run("parquet.write", {"path": "t.parquet", "types": types}, {"rows": rows}, runtime)
    assert written["row_count"] == len(rows)
    assert run("parquet.read", {"file": written["file"]}, {}, runtime) == {"rows": rows}


def test_tables_are_converted_both_ways() -> None:
    content = b"n,price\r\n" + b"".join(b"%d,%d.5\r\n" % (n, n) for n in range(5000))
    runtime = MemoryRuntime(files={"files:in.csv": content})
    types = {"n": "integer", "price": "number"}
    config = {"path": "t.parquet", "from": "in.csv", "format": {"types": types}}
    parquet = run("parquet.write", config, {}, runtime)
    assert (parquet["row_count"], parquet["file"]["media_type"]) == (5000, "application/vnd.apache.parquet")
    assert run("csv.write", {"path": "out.csv", "from": parquet["file"]}, {}, runtime)["row_count"] == 5000
    assert runtime.files["files:out.csv"] == content
    read = run("parquet.read", {"file": "t.parquet", "columns": ["price"], "max_rows": 5000}, {}, runtime)
    assert read["rows"][-1] == {"price": 4999.5}


@pytest.mark.parametrize(
    ("type", "config", "inputs", "kind"),
    [
        ("parquet.read", {"file": "x"}, {}, "table_bad_content"),
        ("parquet.write", {"path": "p"}, {"rows": [{"a": 1}, {"a": "x"}]}, "bad_value"),
        ("parquet.write", {"path": "p"}, {"rows": [1]}, "bad_value"),
        ("csv.write", {"path": "p"}, {"rows": [{"a": 1}, None]}, "bad_value"),
        ("csv.write", {"path": "p", "from": "x"}, {}, "table_bad_content"),
    ],
)
def test_wrong_table_fails_and_no_file_comes_to_be(type: str, config: Any, inputs: Any, kind: str) -> None:
    runtime = MemoryRuntime(files={"files:x": b"no parquet"})
    with pytest.raises(NodeError) as raised:
        run(type, config, inputs, runtime)
    assert raised.value.kind == kind
    assert list(runtime.files) == ["files:x"]


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NodeError, match=r"table_unavailable: .*install headrace\[parquet\]"):
        run("parquet.write", {"path": "p"}, {"rows": []})
