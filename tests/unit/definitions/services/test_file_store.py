"""Users' files in a folder: each owner's own, complete or not there, and leading nowhere else."""

from __future__ import annotations

import contextlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from definitions.services.file_store import FileStore
from definitions.services.http_client import HttpClient
from graph_compiler.values.errors import NodeError


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path), "ann", http=HttpClient(), max_bytes=1000)


def write(store: FileStore, reference: str, content: bytes) -> dict[str, Any]:
    with store.create(reference) as sink:
        sink.write(content)
    return sink.value


def test_written_file_is_in_the_owners_folder_and_read_back(store: FileStore, tmp_path: Path) -> None:
    value = write(store, "files:a/b.csv", b"x,y")
    digest = sha256(b"x,y").hexdigest()
    assert value == {"$file": "files:a/b.csv", "size": 3, "media_type": "text/csv", "sha256": digest}
    assert (tmp_path / "ann" / "a" / "b.csv").read_bytes() == b"x,y"
    with store.open("files:a/b.csv") as file:
        assert file.read() == b"x,y"


def test_other_owner_sees_nothing_of_it(store: FileStore, tmp_path: Path) -> None:
    write(store, "files:a.csv", b"x")
    other = FileStore(str(tmp_path), "bob", http=HttpClient(), max_bytes=1000)
    assert other.list("", limit=10) == []
    with pytest.raises(NodeError, match="file_missing"), other.open("files:a.csv"):
        pass


def test_file_that_is_not_finished_never_comes_to_be(store: FileStore, tmp_path: Path) -> None:
    write(store, "files:a.csv", b"old")
    with contextlib.suppress(RuntimeError), store.create("files:a.csv") as sink:
        sink.write(b"new")
        assert [file["$file"] for file in store.list("", limit=10)] == ["files:a.csv"]
        raise RuntimeError
    assert [path.name for path in (tmp_path / "ann").iterdir()] == ["a.csv"]
    with store.open("files:a.csv") as file:
        assert file.read() == b"old"


def test_file_beyond_the_limit_is_refused(store: FileStore) -> None:
    with pytest.raises(NodeError, match="file_too_large"):
        write(store, "files:a", b"x" * 1001)
    assert store.list("", limit=10) == []


@pytest.mark.parametrize("reference", ["files:../bob/x", "files:/etc/passwd", "files:a/../../x", "files:"])
def test_path_out_of_the_folder_is_refused(store: FileStore, reference: str) -> None:
    with pytest.raises(NodeError, match="file_bad_path"), store.open(reference):
        pass
    with pytest.raises(NodeError, match="file_bad_path"), store.create(reference):
        pass


def test_link_out_of_the_folder_is_refused(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "secret").write_text("s3cr3t")
    (tmp_path / "ann" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "ann" / "folder").symlink_to(tmp_path)
    for reference in ("files:link", "files:folder/secret"):
        with pytest.raises(NodeError, match="file_bad_path"), store.open(reference):
            pass


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("files:none", "file_missing"),
        ("files:folder", "file_refused"),
        ("files:folder/a/b", "file_refused"),
        ("http://127.0.0.1:9/x", "http_refused_target"),
        ("s3://bucket/x", "file_refused"),
    ],
)
def test_failure_has_its_kind_and_names_no_folder_of_ours(
    store: FileStore, tmp_path: Path, reference: str, kind: str
) -> None:
    write(store, "files:folder/a", b"")
    connection = "no json" if reference.startswith("s3") else None
    with pytest.raises(NodeError) as raised, store.open(reference, connection=connection):
        pass
    assert raised.value.kind == kind
    assert str(tmp_path) not in raised.value.message


def test_files_are_listed_below_a_folder(store: FileStore) -> None:
    for name in ("b/2", "b/c/1", "a"):
        write(store, f"files:{name}", b"x")
    assert [file["$file"] for file in store.list("", limit=3)] == ["files:a", "files:b/2", "files:b/c/1"]
    assert [file["$file"] for file in store.list("files:b", limit=3)] == ["files:b/2", "files:b/c/1"]
    assert store.list("files:none", limit=3) == []
    with pytest.raises(NodeError, match="file_too_many"):
        store.list("", limit=2)
