"""Files that callers send with a launch: kept in the owner's folder of files, named by their content."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from upath import UPath

from platform_core.errors import Unavailable
from platform_core.settings import Settings


def keep_file(settings: Settings, owner: str, path: str, content: bytes) -> None:
    """Write a file below the owner's folder, whole or not at all; one of the same path and size stays as it is.

    `path` leads nowhere else, which the caller has checked, and names the content. Raises `Unavailable`.
    """
    root = settings.files_url or str(settings.home / "files")
    try:
        if "://" in root:
            _keep_object(UPath(root, use_listings_cache=False) / owner / path, content)
        else:
            _keep_locally(Path(root) / owner / path, content)
    except Exception as error:
        # Clients of stores have exceptions of their own, and no common base.
        raise Unavailable("The store of files does not take the file; nothing was started.") from error


def _keep_object(place: UPath, content: bytes) -> None:
    if not place.exists() or place.stat().st_size != len(content):
        place.write_bytes(content)


def _keep_locally(place: Path, content: bytes) -> None:
    if place.exists() and place.stat().st_size == len(content):
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = place.with_name(f".headrace-{secrets.token_hex(8)}")
    try:
        part.write_bytes(content)
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
