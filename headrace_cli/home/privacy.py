"""A home that is its user's only: what `up` makes is closed to other users, and what was open is closed at start."""

from __future__ import annotations

import os
from pathlib import Path

UMASK = 0o077
_OTHERS = 0o077
_PASSING = 0o001
"""Embedded PostgreSQL under root is another user, who passes through the home to a folder of its own."""


def close_to_others(home: Path) -> list[str]:
    """Take other users' rights off the home and everything right below it, which closes what is deeper as well.

    From here on, also in every process that is started, new files and folders are closed to others. Returns the
    names of what was open, the home's as `.`.
    """
    os.umask(UMASK)
    opened = [] if _closed(home, _OTHERS & ~_PASSING) else ["."]
    with os.scandir(home) as entries:
        own = [Path(entry.path) for entry in entries if not entry.is_symlink() and entry.stat().st_uid == os.geteuid()]
    return opened + sorted(place.name for place in own if not _closed(place, _OTHERS))


def _closed(place: Path, rights: int) -> bool:
    """Whether the rights were taken off already; they are now."""
    mode = place.stat().st_mode & 0o7777
    if mode & rights:
        place.chmod(mode & ~rights)
    return not mode & rights
