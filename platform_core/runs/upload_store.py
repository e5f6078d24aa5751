"""Files that callers send for a run: in the owner's folder of files, in a folder of the run that goes with it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upath import UPath

from platform_core.errors import Unavailable
from platform_core.settings import Settings


def folder_of(run_id: str) -> str:
    """Where the files of a run are, below the owner's folder; no other run has files there."""
    return f"uploads/{run_id}"


def keep_file(settings: Settings, owner: str, path: str, content: bytes) -> None:
    """Write a file below the owner's folder, whole or not at all; `path` leads nowhere else, as the caller has checked.

    Raises `Unavailable`.
    """
    with _failures_told("take the file; nothing was started"):
        place = _place(settings, owner, path)
        if isinstance(place, Path):
            _keep_locally(place, content)
        else:
            place.write_bytes(content)


def remove_uploads(settings: Settings, owner: str, run_id: str) -> None:
    """Remove the files that were sent for a run; a run without any is fine. Raises `Unavailable`."""
    with _failures_told("remove files"):
        place = _place(settings, owner, folder_of(run_id))
        with suppress(FileNotFoundError):  # not asked for before: `exists` is false for a store that is away, too
            if isinstance(place, Path):
                shutil.rmtree(place)
            else:
                place.fs.rm(place.path, recursive=True)


@contextmanager
def _failures_told(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Clients of stores have exceptions of their own, and no common base.
        raise Unavailable(f"The store of files does not {what}.") from error


def _place(settings: Settings, owner: str, path: str) -> Path | UPath:
    root = settings.files_url or str(settings.home / "files")
    if "://" in root:
        return UPath(root, use_listings_cache=False) / owner / path
    return Path(root) / owner / path


def _keep_locally(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = place.with_name(f".headrace-{secrets.token_hex(8)}")
    try:
        part.write_bytes(content)
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
