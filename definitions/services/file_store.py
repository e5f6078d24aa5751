"""Users' files: a folder for each owner, other stores by credentials of their own, and the web through our client.

The process's own cloud credentials serve only the installation's store (`HEADRACE_FILES_URL`), below its prefix.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from upath import UPath

from definitions.services.file_writing import HashedFile, local_file, remote_file, telling
from definitions.services.http_client import HttpClient
from definitions.services.store_options import FRESH, store_options
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import SCHEME, checked_path, file_value, media_type_of

Place = Any
"""A `pathlib.Path` or a `UPath`, which have the same methods and no common type."""


class FileStore:
    """The files that one owner may use. `root` is a folder or a URL, `owner` a name that is one part of a path."""

    def __init__(self, root: str, owner: str, *, http: HttpClient, max_bytes: int, allow_private: bool = False) -> None:
        self._root = root
        self._owner = owner
        self._http = http
        self._max_bytes = max_bytes
        self._allow_private = allow_private

    @contextlib.contextmanager
    def open(self, reference: str, *, connection: str | None = None, timeout: float = 60.0) -> Iterator[BinaryIO]:
        """The file of a canonical reference, for reading; a web address is fetched within `timeout` seconds."""
        if reference.startswith(("http://", "https://")):
            with self._fetched(reference, timeout) as file:
                yield file
            return
        with telling(reference):
            file = self._place(reference, connection).open("rb")
        with file:
            yield file

    @contextlib.contextmanager
    def create(
        self, reference: str, *, media_type: str | None = None, connection: str | None = None
    ) -> Iterator[HashedFile]:
        """A file to write; its value is there after the block, and nothing of it if the block raised."""
        if reference.startswith(("http://", "https://")):
            raise NodeError("file_refused", "a web address cannot be written to; use http.request", retryable=False)
        place = self._place(reference, connection)
        kind = media_type or media_type_of(reference)
        writing = local_file(place) if isinstance(place, Path) else remote_file(place)
        with telling(reference), writing as file:
            hashed = HashedFile(file, self._max_bytes)
            yield hashed
            hashed.finish(reference, kind)

    def list(self, folder: str, *, limit: int, connection: str | None = None) -> list[dict[str, Any]]:
        """Values of all files below a folder of a reference's form, by name; one that is not there is empty."""
        prefix = folder if "://" in folder else SCHEME
        inside = "" if "://" in folder else folder.removeprefix(SCHEME)
        with telling(folder):
            top = self._top(connection, prefix)
            start = top / inside if inside else top
            found = [place for place in start.rglob("*") if place.is_file()] if start.exists() else []
            names = sorted(
                (name, place)
                for place in found
                if not (name := place.relative_to(start).as_posix()).rpartition("/")[2].startswith(".headrace-")
            )
            if len(names) > limit:
                raise NodeError("file_too_many", f"more than {limit} files are here", retryable=False)
            lead = folder.rstrip("/") + "/" if prefix != SCHEME else SCHEME + (f"{inside}/" if inside else "")
            return [
                file_value(lead + name, size=place.stat().st_size, media_type=media_type_of(name), sha256=None)
                for name, place in names
            ]

    def _place(self, reference: str, connection: str | None) -> Place:
        if not reference.startswith(SCHEME):
            return self._top(connection, reference)
        top = self._top(connection, SCHEME)
        place = top / checked_path(reference.removeprefix(SCHEME))
        if isinstance(place, Path) and not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(top)):
            raise NodeError("file_bad_path", "a link leads out of your files", retryable=False)
        return place

    def _top(self, connection: str | None, reference: str) -> Place:
        if reference.startswith(SCHEME):
            if "://" not in self._root:
                return Path(self._root) / self._owner
            return UPath(self._root, **FRESH) / self._owner
        return UPath(reference, **store_options(reference, connection, allow_private=self._allow_private))

    @contextlib.contextmanager
    def _fetched(self, url: str, timeout: float) -> Iterator[BinaryIO]:
        with tempfile.TemporaryFile() as file:
            size = 0

            def take(chunk: bytes) -> None:
                nonlocal size
                size += len(chunk)
                if size > self._max_bytes:
                    raise NodeError("file_too_large", f"more than {self._max_bytes} bytes", retryable=False)
                file.write(chunk)

            answer = self._http.request("GET", url, timeout=timeout, sink=take)
            if answer.status >= 400:
                raise NodeError("file_missing", f"the server answered {answer.status}")
            file.seek(0)
            yield file
