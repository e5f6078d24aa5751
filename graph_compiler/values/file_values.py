"""Files between nodes: a value that refers to one, `{"$file", "size", "media_type", "sha256"}`, never its bytes."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from graph_compiler.values.errors import NodeError
from graph_compiler.values.pointers import pointer
from graph_compiler.values.texts import quoted

MARK = "$file"
SCHEME = "files:"
"""Of a reference into the owner's own files; other references are http, https, s3 or gs URLs."""
OTHER_SCHEMES = ("http", "https", "s3", "gs")
OCTETS = "application/octet-stream"
LONGEST_NAME = 200
"""Bytes of one part of a path."""
HIDDEN = ".headrace-"
"""Begins the names of files that are being written."""
_LONGEST_ENDING = 50
_ENDING = re.compile(r"(\.tar)?\.[^.]+\Z")


def file_value(reference: str, *, size: int, media_type: str, sha256: str | None) -> dict[str, Any]:
    """The JSON value that stands for a file; `size` is in bytes."""
    return {MARK: reference, "size": size, "media_type": media_type, "sha256": sha256}


def file_values_in(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Everything in the value that has the mark of a file, each with its JSON pointer below `place`."""
    if isinstance(value, dict):
        if MARK in value:
            yield place, value
            return
        for name, part in value.items():
            yield from file_values_in(part, f"{place}{pointer([name])}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from file_values_in(part, f"{place}/{index}")


def is_file_value(value: Any) -> bool:
    """Whether the value is one that `file_value` makes, of a reference that files can have."""
    if not (isinstance(value, dict) and isinstance(value.get(MARK), str)):
        return False
    size, kind, digest = value.get("size"), value.get("media_type"), value.get("sha256")
    fits = isinstance(size, int | None) and isinstance(kind, str | None) and isinstance(digest, str | None)
    try:
        return fits and reference_of(value) == value[MARK]
    except NodeError:
        return False


def reference_of(file: str | dict[str, Any]) -> str:
    """The canonical reference of a file value, a path or a URL. Raises `NodeError` file_bad_path."""
    text = file if isinstance(file, str) else file[MARK]
    scheme, separator, _ = text.partition("://")
    if separator:
        if scheme not in OTHER_SCHEMES:
            raise _bad(f"files of {scheme}:// cannot be used here")
        return str(text)
    return SCHEME + checked_path(text.removeprefix(SCHEME))


def checked_path(path: str) -> str:
    """A path below a folder, as it is, if it leads nowhere else. Raises `NodeError` file_bad_path."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        raise _bad(f"{quoted(path, 200)} is not a path below your files, such as reports/today.csv")
    if any(_is_odd(character) for character in path):
        raise _bad(f"{quoted(path, 200)} has a character that paths may not have")
    if len(_bytes(path)) > 1000 or any(len(_bytes(part)) > LONGEST_NAME for part in parts):
        raise _bad(f"a path may have 1000 bytes, and {LONGEST_NAME} in one part")
    return path


def name_for(filename: str) -> str:
    """The name under which a file that somebody sends is kept: its own, with what paths may not have replaced.

    Odd spaces become spaces and other odd characters `_`, one by one; one that is too long keeps its ending.
    """
    last = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(_replaced(character) if _is_odd(character) else character for character in last)
    if name in ("", ".", ".."):
        return name.replace(".", "_") or "file"
    if name.startswith(HIDDEN):
        name = f"_{name[1:]}"
    return name if len(_bytes(name)) <= LONGEST_NAME else _shorter(name)


def _is_odd(character: str) -> bool:
    return character in "\\:" or not character.isprintable()


def _replaced(character: str) -> str:
    return " " if unicodedata.category(character) == "Zs" else "_"


def _shorter(name: str) -> str:
    ending = _ENDING.search(name)
    kept = ending[0] if ending is not None and len(_bytes(ending[0])) <= _LONGEST_ENDING else ""
    stem = _bytes(name.removesuffix(kept))[: LONGEST_NAME - len(_bytes(kept))].decode("utf-8", "ignore")
    return stem + kept


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def name_of(reference: str) -> str:
    """The last part of a reference."""
    return reference.partition("?")[0].rstrip("/").rpartition("/")[2].removeprefix(SCHEME) or "file"


def media_type_of(reference: str) -> str:
    """What a name's ending says, else application/octet-stream."""
    return _TYPES.guess_type(name_of(reference))[0] or OCTETS


_TYPES = mimetypes.MimeTypes()  # Python's own table: the machine's would make runs differ
_TYPES.add_type("application/vnd.apache.parquet", ".parquet")
_TYPES.add_type("application/x-ndjson", ".jsonl")


def _bad(message: str) -> NodeError:
    return NodeError("file_bad_path", message, retryable=False)


def _validated(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get(MARK), str)):
        return value
    raise PydanticCustomError("bad_value", "expected a file value, a path or a URL")


FileReference = Annotated[
    Any,
    AfterValidator(_validated),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {MARK: {"type": "string"}}, "required": [MARK]},
            ]
        }
    ),
]
"""A pydantic field type: a file value, a path in the owner's files, or a URL."""
