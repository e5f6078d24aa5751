"""Writing files: hashed and measured on the way, complete or not there, and errors of stores in our words."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from upath import UPath

from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import file_value


class HashedFile:
    """A file that is being written: counts and hashes what goes through, and refuses more than `max_bytes`."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._size = 0
        self._value: dict[str, Any] | None = None

    def write(self, data: bytes, /) -> int:
        """Append the bytes; their number."""
        self._size += len(data)
        if self._size > self._max_bytes:
            raise NodeError("file_too_large", f"a file may have {self._max_bytes} bytes", retryable=False)
        self._hash.update(data)
        self._file.write(data)
        return len(data)

    def finish(self, reference: str, media_type: str) -> None:
        """Nothing more will be written."""
        self._value = file_value(reference, size=self._size, media_type=media_type, sha256=self._hash.hexdigest())

    @property
    def value(self) -> dict[str, Any]:
        """The file value. Raises RuntimeError before the file is complete."""
        if self._value is None:
            raise RuntimeError("the file is not complete")
        return self._value


@contextlib.contextmanager
def local_file(place: Path) -> Iterator[BinaryIO]:
    """A file that takes its place at once when the block ends well."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = place.with_name(f".headrace-{secrets.token_hex(8)}")
    try:
        with part.open("xb") as file:
            yield file
        os.replace(part, place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def remote_file(place: UPath) -> Iterator[BinaryIO]:
    """An object, which stores of objects show only when it is complete."""
    file: Any = place.open("wb")
    try:
        yield file
    except BaseException:
        discard = getattr(file, "discard", None)
        with contextlib.suppress(Exception):
            if discard is not None:
                discard()
                file.closed = True  # fsspec: to close it, also when it is collected, would complete the upload
        raise
    file.close()


@contextlib.contextmanager
def telling(reference: str) -> Iterator[None]:
    """Errors of stores as `NodeError`s that show the reference and nothing of credentials or of our folders."""
    shown = reference.partition("?")[0][:200]
    try:
        yield
    except NodeError:
        raise
    except FileNotFoundError:
        raise NodeError("file_missing", f"there is no {shown}", retryable=False) from None
    except (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise NodeError("file_refused", f"{shown}: {type(error).__name__}", retryable=False) from None
    except ImportError as error:
        said = f"{shown}: this installation has no client for it ({error.name or 'an extra'} is missing)"
        raise NodeError("file_unavailable", said, retryable=False) from None
    except (OSError, ValueError) as error:
        raise NodeError("file_unavailable", f"{shown}: {type(error).__name__}") from None
    except Exception as error:
        # Clients of stores have exceptions of their own (botocore's, gcsfs'), and no common base.
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise NodeError("file_unavailable", f"{shown}: {type(error).__name__}") from None


_CLIENTS = frozenset({"aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "s3fs"})
