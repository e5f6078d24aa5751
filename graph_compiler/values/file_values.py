"""Files between nodes: a value that refers to one, `{"$file", "size", "media_type", "sha256"}`, never its bytes."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from graph_compiler.values.errors import NodeError

MARK = "$file"
SCHEME = "files:"
"""Of a reference into the owner's own files; other references are http, https, s3 or gs URLs."""
OTHER_SCHEMES = ("http", "https", "s3", "gs")
OCTETS = "application/octet-stream"


def file_value(reference: str, *, size: int, media_type: str, sha256: str | None) -> dict[str, Any]:
    """The JSON value that stands for a file; `size` is in bytes."""
    return {MARK: reference, "size": size, "media_type": media_type, "sha256": sha256}


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
        raise _bad(f"{path[:200]!r} is not a path below your files, such as reports/today.csv")
    if any(character in "\\:" or not character.isprintable() for character in path):
        raise _bad(f"{path[:200]!r} has a character that paths may not have")
    if len(path.encode("utf-8", "replace")) > 1000 or any(len(part.encode("utf-8", "replace")) > 200 for part in parts):
        raise _bad("a path may have 1000 bytes, and 200 in one part")
    return path


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
