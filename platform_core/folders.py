"""Folders of a home that hold unix sockets, whose addresses must be short."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

# `sun_path` holds 108 bytes; this leaves room for the name of a socket and PostgreSQL's ".s.PGSQL.5432.lock".
_LONGEST = 80


def socket_folder(home: Path, name: str) -> Path:
    """HOME/name, or a folder of the system's temporary one when that path is too long for a socket. Not created."""
    folder = home / name
    if len(os.fsencode(folder)) <= _LONGEST:
        return folder
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"headrace-{digest}-{name}"
