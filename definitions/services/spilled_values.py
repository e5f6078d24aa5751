"""Large values outside of the database: one file each under HEADRACE_VALUES_URL, a folder or an object store."""

from __future__ import annotations

import contextlib
import uuid

from upath import UPath

from platform_core.errors import Unavailable


class SpilledValues:
    """Writes and reads files by their location, which is relative to the root: the root may move."""

    def __init__(self, root: str) -> None:
        self._root = UPath(root)

    def write(self, run_id: str, text: str) -> str:
        """Keep the text; its location. It is whole before anybody knows the location."""
        location = f"{run_id}/{uuid.uuid4().hex}.json"
        path = self._root / location
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return location

    def read(self, location: str) -> str:
        """The text at a location. Raises FileNotFoundError."""
        return (self._root / location).read_bytes().decode()

    def discard(self, location: str) -> None:
        """Remove what is at a location, which nobody knows any more; it is left for `delete` if that fails."""
        with contextlib.suppress(OSError):
            (self._root / location).unlink(missing_ok=True)

    def delete(self, run_id: str) -> None:
        """Remove all that a run has kept; a run without anything is fine. Raises `Unavailable`."""
        folder = self._root / run_id
        try:
            folder.fs.rm(folder.path, recursive=True)
        except FileNotFoundError:
            return  # not asked for before: `exists` is false for a store that is away, too
        except Exception as error:
            # Clients of stores have exceptions of their own, and no common base.
            raise Unavailable("The store of values does not remove values.") from error
