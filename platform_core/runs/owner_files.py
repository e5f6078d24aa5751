"""Reading the files of an owner, from a folder or an object store, as they are now."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from upath import UPath

from platform_core.errors import FileMissing, Unavailable
from platform_core.settings import Settings

PORTION = 256 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True)
class StoredFile:
    """An open file; `etag` changes with its content. A file that is replaced meanwhile is read as it was."""

    file: BinaryIO
    size: int
    etag: str

    def portions(self, start: int, length: int) -> Iterator[bytes]:
        """Its bytes from `start` on, `length` of them, after which it is closed.

        Raises OSError if the file has become shorter meanwhile.
        """
        with closing(self.file) as file:
            file.seek(start)
            while length > 0:
                portion = file.read(min(PORTION, length))
                if not portion:
                    raise OSError("the file has become shorter while it was read")
                length -= len(portion)
                yield portion


def root_of(settings: Settings, owner: str) -> Path | UPath:
    """The folder that has the files of the owner of that name, and nobody else's."""
    root = settings.files_url or str(settings.home / "files")
    if "://" in root:
        return UPath(root, use_listings_cache=False) / owner
    return Path(root) / owner


def find_file(settings: Settings, owner: str, path: str) -> StoredFile:
    """The owner's file.

    Raises `FileMissing`, also for a folder and for a path or a link that leads out of the owner's files, and
    `Unavailable`.
    """
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise FileMissing(f"There is no file {path}.")
    top = root_of(settings, owner)
    try:
        return _local(top / path, top) if isinstance(top, Path) else _remote(top / path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ValueError):
        raise FileMissing(f"There is no file {path}.") from None
    except Exception as error:
        # Clients of stores have exceptions of their own, and no common base.
        raise Unavailable("The store of files does not answer.") from error


def _local(place: Path, top: Path) -> StoredFile:
    real = Path(os.path.realpath(place))
    if not real.is_relative_to(os.path.realpath(top)):
        raise FileNotFoundError
    # Without waiting for a writer, should it be a pipe; a link cannot have been put there since it was resolved.
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise FileNotFoundError
    return StoredFile(os.fdopen(descriptor, "rb"), found.st_size, _tag(found.st_ino, found.st_size, found.st_mtime_ns))


def _remote(place: UPath) -> StoredFile:
    found: dict[str, Any] = place.fs.info(place.path)
    if found.get("type") != "file":
        raise FileNotFoundError
    moment = next((found[key] for key in ("ETag", "etag", "LastModified", "updated", "mtime") if key in found), None)
    return StoredFile(place.open("rb"), int(found["size"]), _tag(found["size"], moment))


def _tag(*parts: object) -> str:
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'
