"""HOME/up.json: what the other commands need to know of a running `headrace up`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER = "HEADRACE_UP_ID"
"""Environment variable that all processes of one `headrace up` carry."""


@dataclass(frozen=True)
class UpRecord:
    """A running `up`: its id, its process, its addresses and its children's processes by name."""

    up_id: str
    pid: int
    url: str
    ui_url: str
    database_url: str
    pids: Mapping[str, int]
    tls_cert: str | None = None
    """The file of the certificate that the APIs speak TLS by."""


def write_record(home: Path, record: UpRecord) -> None:
    """Replace the home's record; readable by its owner only."""
    temporary = home / "up.json.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(record), file, indent=2)
    temporary.replace(home / "up.json")


def read_record(home: Path) -> UpRecord | None:
    """The home's record; None if there is none or it is not readable as one."""
    try:
        return UpRecord(**json.loads((home / "up.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def read_running(home: Path) -> UpRecord | None:
    """The home's record if the process of its `up` is there."""
    record = read_record(home)
    return record if record is not None and Path(f"/proc/{record.pid}").exists() else None


def remove_record(home: Path) -> None:
    """Forget the record, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        (home / "up.json").unlink()
