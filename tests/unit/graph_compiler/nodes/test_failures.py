"""`file.read`, `file.write`, `file.list`."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run


def value(path: str, content: bytes, media_type: str) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    return {"$file": f"files:{path}", "size": len(content), "media_type": media_type, "sha256": digest}


@pytest.mark.parametrize(
    ("config", "content"),
    [
        ({"content": "héllo"}, "héllo".encode()),
        ({"content": {"a": 1}}, b'{"a": 1}'),
        ({"content": "x", "as": "json"}, b'"x"'),
        ({"content": "AAH/", "as": "base64"}, b"\x00\x01\xff"),
        ({"from": "old.txt"}, b"old"),
        ({"from": {"$file": "files:old.txt"}}, b"old"),
    ],
)
def test_written_file_is_read_back(config: dict[str, Any], content: bytes) -> None:
    runtime = MemoryRuntime(files={"files:old.txt": b"old"})
    file = run("file.write", {"path": "a/b.json", **config}, {}, runtime)["file"]
    assert file == value("a/b.json", content, "application/json")
    assert runtime.files["files:a/b.json"] == content


@pytest.mark.parametrize(
    ("as_", "found"), [("text", '{"a": [1]}'), ("json", {"a": [1]}), ("base64", "eyJhIjogWzFdfQ==")]
)
def test_content_is_read_as_asked(as_: str, found: Any) -> None:
    runtime = MemoryRuntime(files={"files:a.json": b'{"a": [1]}'})
    assert run("file.read", {"file": "a.json", "as": as_}, {}, runtime) == {"content": found, "size": 10}


@pytest.mark.parametrize(
    ("type", "config", "kind"),
    [
        ("file.read", {"file": "none"}, "file_missing"),
        ("file.read", {"file": "bad", "as": "json"}, "file_bad_content"),
        ("file.read", {"file": "nan", "as": "json"}, "file_bad_content"),
        ("file.read", {"file": "bad"}, "file_bad_content"),
        ("file.read", {"file": "nan", "max_bytes": 2}, "file_too_large"),
        ("file.read", {"file": "{{ params.number }}"}, "bad_config"),
        ("file.write", {"path": "a", "content": "=", "as": "base64"}, "file_bad_content"),
        ("file.write", {"path": "a", "from": "none"}, "file_missing"),
        ("file.write", {"path": "../a", "content": ""}, "file_bad_path"),
        ("file.read", {"file": "a", "connection": "none"}, "secret_missing"),
    ],
)
def test_failure_has_its_kind_and_nothing_is_written(type: str, config: dict[str, Any], kind: str) -> None:
    files = {"files:bad": b"\xff{", "files:nan": b"NaN"}
    runtime = MemoryRuntime(files=dict(files), params={"number": 3})
    with pytest.raises(NodeError) as raised:
        run(type, config, {}, runtime)
    assert raised.value.kind == kind
    assert runtime.files == files


def test_files_are_listed_by_name_and_pattern() -> None:
    runtime = MemoryRuntime(files={f"files:{path}": b"" for path in ("b/2.csv", "b/1.csv", "b/1.txt", "c.csv")})
    names = [file["$file"] for file in run("file.list", {"folder": "b", "pattern": "*.csv"}, {}, runtime)["files"]]
    assert names == ["files:b/1.csv", "files:b/2.csv"]
    assert len(run("file.list", {}, {}, runtime)["files"]) == 4
    with pytest.raises(NodeError, match="file_too_many"):
        run("file.list", {"limit": 3}, {}, runtime)
