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
    opened = open_to_others(home)
    for name in opened:
        place = home / name
        place.chmod(place.stat().st_mode & 0o7777 & ~_rights(place, home))
    return opened


def open_to_others(home: Path) -> list[str]:
    """The names of what other users have rights to: the home as `.`, and what is right below it and ours."""
    with os.scandir(home) as entries:
        own = [Path(entry.path) for entry in entries if not entry.is_symlink() and entry.stat().st_uid == os.geteuid()]
    found = [place for place in (home, *sorted(own)) if place.stat().st_mode & _rights(place, home)]
    return [str(place.relative_to(home)) for place in found]


def _rights(place: Path, home: Path) -> int:
    """What of others' rights a place is not to give."""
    return _OTHERS & ~_PASSING if place == home else _OTHERS
