"""`csv.read`, `csv.write`, `parquet.read`, `parquet.write`."""

from __future__ import annotations

import csv
import io
import sys
from typing import Any

import hypothesis
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.binary import dumps, loads
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
INTEGERS = st.integers(-(2**63), 2**64 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT | st.binary(max_size=8),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(TEXT, items, max_size=3),
    max_leaves=5,
)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "integer": st.none() | INTEGERS,
    "number": st.none() | FLOATS,
    "boolean": st.none() | st.booleans(),
    "bytes": st.none() | st.binary(min_size=1, max_size=8),
    "json": st.none() | st.lists(JSON, max_size=3) | st.dictionaries(TEXT, JSON, max_size=3),
}
"""Values of a column by its type; a CSV file has no other empty cell than that of null."""
ROWS = st.fixed_dictionaries(CELLS)


def json_of(rows: list[Any]) -> list[str]:
    """The rows so that 1, 1.0 and true differ, and that objects with `$bytes` are the bytes they stand for."""
    return [dumps(loads(dumps(row)), sort_keys=True) for row in rows]


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
        (b"a\r1\r2\r\r", {}, [{"a": "1"}, {"a": "2"}]),
        (b"a,b\n9007199254740993,aGk=\n,\n", {"types": {"a": "number", "b": "bytes"}},
         [{"a": 9007199254740993, "b": b"hi"}, {"a": None, "b": None}]),
        (b"", {"types": {"a": "integer"}}, []),
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
        (b"a\n\xff\n", {}, ("table_bad_content", "line 2: byte 2 (0xff) is not utf-8")),
        (b"a\nx\n" * 40_000 + b"\xc3", {}, ("table_bad_content", "line 80001: byte 160000 (0xc3) is not utf-8")),
        ("a\n".encode("utf-16"), {}, ("table_bad_content", "mark of UTF-16 begins what should be utf-8")),
        (b"\xef\xbb\xbfa\n", {"format": {"encoding": "latin-1"}}, ("table_bad_content", "order mark of UTF-8")),
        (b"a\0\n\0", {"format": {"encoding": "utf-16"}}, ("table_bad_content", "no byte order mark of UTF-16")),
        (b"a\0\n\0", {}, ("table_bad_content", "line 1: the character NUL")),
        (b"a,b\n1,2\n", {"format": {"types": {"bb": "integer"}}},
         ("table_bad_content", "format.types names 'bb', and the table has no such column; its columns are 'a', 'b'")),
        (b"a\n1_0\n", {"format": {"types": {"a": "integer"}}}, ("table_bad_content", "'1_0' is not of type")),
        (b"a\n\xd9\xa1\n", {"format": {"types": {"a": "number"}}}, ("table_bad_content", "is not of type number")),
        (b"a\n18446744073709551616\n", {"format": {"types": {"a": "integer"}}},
         ("bad_value", "row 1, column 'a': an integer of 65 bits")),
        (b"a\n[NaN]\n", {"format": {"types": {"a": "json"}}}, ("bad_value", "row 1, column 'a'[0]: nan is not")),
        (b'a\n"x" y\n', {}, ("table_bad_content", "line")),
        (b"a\n1\n2\n", {"max_rows": 1}, ("table_too_large", "the table has more than 1 rows")),
        (b"a\nnan\n", {"format": {"types": {"a": "number"}}}, ("bad_value", "nan is not a JSON number")),
    ],
)  # fmt: skip
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


@given(st.lists(ROWS, max_size=20), st.sampled_from(",;\t|é "))
def test_what_csv_is_given_it_gives_back(rows: list[dict[str, Any]], delimiter: str) -> None:
    runtime = MemoryRuntime()
    written = run("csv.write", {"path": "t.csv", "delimiter": delimiter}, {"rows": rows}, runtime)
    assert written["row_count"] == len(rows)
    format = {"delimiter": delimiter, "types": {name: name for name in CELLS if rows}}
    read = run("csv.read", {"file": written["file"], "format": format}, {}, runtime)["rows"]
    assert json_of(read) == json_of(rows)


@given(st.lists(st.fixed_dictionaries({"a": TEXT, "b": TEXT}), max_size=8), st.sampled_from(["\r\n", "\r", "\n"]))
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_csv_is_read_in_every_encoding_and_with_every_line_end(codec: str, rows: list[Any], end: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *([row["a"], row["b"]] for row in rows)])
    encoding = codec.removesuffix("-sig")
    assert read_csv(text.getvalue().encode(codec), format={"encoding": encoding}) == rows


@given(st.lists(ROWS, max_size=20), st.booleans())
def test_what_parquet_is_given_it_gives_back(rows: list[dict[str, Any]], is_typed: bool) -> None:
    hypothesis.assume(not _is_mixed(rows))
    runtime = MemoryRuntime()
    config = {"path": "t.parquet", "types": {name: name for name in CELLS} if is_typed else {}}
    written = run("parquet.write", config, {"rows": rows}, runtime)
    assert written["row_count"] == len(rows)
    read = run("parquet.read", {"file": written["file"]}, {}, runtime)["rows"]
    assert json_of(read) == json_of(rows)


def _is_mixed(rows: list[dict[str, Any]]) -> bool:
    """Integers that no one type of 64 bits holds."""
    found = [row["integer"] for row in rows if row["integer"] is not None]
    return bool(found) and min(found) < 0 and max(found) >= 2**63


@given(st.lists(JSON.filter(lambda value: value is not None), min_size=1, max_size=5))
def test_column_of_any_values_is_kept_whole_or_refused(values: list[Any]) -> None:
    runtime = MemoryRuntime()
    rows = [{"a": value} for value in values]
    refused: NodeError | None = None
    try:
        run("parquet.write", {"path": "t.parquet"}, {"rows": rows}, runtime)
    except NodeError as error:
        refused = error
    if refused is not None:
        assert (refused.kind, refused.message[:5]) == ("bad_value", "rows[")
        return
    read = run("parquet.read", {"file": "t.parquet"}, {}, runtime)["rows"]
    assert [row["a"] for row in read] == [loads(dumps(value)) for value in values]


def test_long_cell_is_read_as_it_was_written() -> None:
    runtime = MemoryRuntime()
    rows = [{"a": "x\r\n" * 100_000, "b": "é"}]
    run("csv.write", {"path": "t.csv"}, {"rows": rows}, runtime)
    assert run("csv.read", {"file": "t.csv"}, {}, runtime) == {"rows": rows}


def test_column_and_type_that_come_late_are_kept() -> None:
    runtime = MemoryRuntime()
    rows = [*({"id": n, "hours": 1} for n in range(2000)), {"id": 2000, "hours": 1.5, "note": "after 18:00"}]
    file = run("parquet.write", {"path": "t.parquet"}, {"rows": rows}, runtime)["file"]
    read = run("parquet.read", {"file": file}, {}, runtime)["rows"]
    assert (read[0], read[-1]) == ({"id": 0, "hours": 1.0, "note": None}, rows[-1])


@pytest.mark.parametrize(
    ("type", "config", "rows", "message"),
    [
        ("csv.write", {"columns": ["name", "totl"]}, [{"name": "wheel", "total": 5}],
         "rows[0] has the column 'total', which `columns` does not name"),
        ("csv.write", {"columns": ["name", "totl"]}, [{"name": "wheel"}],
         "columns names 'totl', and the table has no such column; its columns are 'name'"),
        ("csv.write", {}, [{}], "rows[0] has no columns, and a table needs one"),
        ("csv.write", {}, [{"a": "x"}, {"a": "\0"}], "rows[1], column 'a': text with the character NUL"),
        ("csv.write", {}, [{"\ufeffa": 1}], "begins with a byte order mark, which readers drop"),
        ("parquet.write", {}, [{}], "rows[0] has no columns, and a table needs one"),
        ("parquet.write", {"types": {"b": "text"}}, [{"a": 1}],
         "`types` names 'b', a column that no row has; the rows have a"),
        ("parquet.write", {"types": {"a": "integer"}}, [{"a": 2}, {"a": 2.5}],
         "rows[1], column 'a': 2.5 is not of type integer"),
        ("parquet.write", {"types": {"a": "integer"}}, [{"a": True}], "rows[0], column 'a': true is not of type"),
        ("parquet.write", {"types": {"a": "number"}}, [{"a": 2**53 + 1}], "would be rounded among numbers of 64 bits"),
        ("parquet.write", {}, [{"a": 0.5}, {"a": 2**53 + 1}], "rows[1], column 'a': 9007199254740993 would be rounded"),
        ("parquet.write", {}, [{"a": -1}, {"a": 2**63}], "rows[1], column 'a': 9223372036854775808 is not from"),
        ("parquet.write", {"types": {"a": "text"}}, [{"a": 1}], "rows[0], column 'a': 1 is not of type text"),
        ("parquet.write", {"types": {"a": "bytes"}}, [{"a": "x"}], "rows[0], column 'a': \"x\" is not of type bytes"),
        ("parquet.write", {}, [{"a": 1}, {"a": None}, {"a": "x"}], "rows[2], column 'a': text, and rows[0] has"),
    ],
)  # fmt: skip
def test_what_a_table_would_lose_is_refused_with_its_place(
    type: str, config: dict[str, Any], rows: list[Any], message: str
) -> None:
    runtime = MemoryRuntime()
    with pytest.raises(NodeError) as raised:
        run(type, {"path": "t", **config}, {"rows": rows}, runtime)
    assert raised.value.kind == "bad_value"
    assert message in raised.value.message
    assert runtime.files == {}


def test_whole_numbers_are_integers_in_whichever_way_they_are_written() -> None:
    runtime = MemoryRuntime()
    run(
        "parquet.write",
        {"path": "t", "types": {"a": "integer", "b": "number"}},
        {"rows": [{"a": 2.0, "b": 2}]},
        runtime,
    )
    (row,) = run("parquet.read", {"file": "t"}, {}, runtime)["rows"]
    assert dumps(row) == '{"a": 2, "b": 2.0}'


@pytest.mark.parametrize(
    ("arrays", "columns", "expected"),
    [
        ({"a": [1], "a.b": [2]}, ["a"], {"a": 1}),
        ({"a": [1], "b": [2]}, ["b", "a"], {"b": 2, "a": 1}),
        ({"a": [[{"k": 1}]]}, None, {"a": [{"k": 1}]}),
    ],
)
def test_only_the_columns_that_are_named_are_read(arrays: Any, columns: Any, expected: Any) -> None:
    content = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays), content)
    runtime = MemoryRuntime(files={"files:t": content.getvalue()})
    config = {"file": "t"} if columns is None else {"file": "t", "columns": columns}
    (row,) = run("parquet.read", config, {}, runtime)["rows"]
    assert list(row.items()) == list(expected.items())


def test_parquet_file_with_two_columns_of_one_name_is_refused() -> None:
    content = io.BytesIO()
    parquet.write_table(pyarrow.table([[1], [2]], names=["a", "a"]), content)
    with pytest.raises(NodeError, match="table_bad_content: two columns have one name, 'a'"):
        run("parquet.read", {"file": "t"}, {}, MemoryRuntime(files={"files:t": content.getvalue()}))


@pytest.mark.parametrize(
    ("type", "config", "path"),
    [
        ("csv.read", {"file": "t", "format": {"columns": ["a"], "types": {"b": "text"}}}, "/format/types/b"),
        ("csv.read", {"file": "t", "format": {"columns": ["a", "a"]}}, "/format/columns"),
        ("csv.write", {"path": "t", "columns": ["a", "a"]}, "/columns"),
        ("parquet.write", {"path": "t", "format": {"delimiter": ";"}}, "/format"),
        ("parquet.write",
         {"path": "t", "from": "c", "types": {"a": "text"}, "format": {"types": {"a": "integer"}}}, "/types/a"),
    ],
)  # fmt: skip
def test_names_that_cannot_meet_a_column_are_issues(type: str, config: dict[str, Any], path: str) -> None:
    node_type = builtin_node_types()[type]
    (defect,) = node_type.defects(node_type.read_config(config, rendered=False))
    assert (defect.code, defect.path) == ("bad_value", path)


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
