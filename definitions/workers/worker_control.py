"""How a run worker is told to cancel its run: a datagram to the worker's own socket, which names the run it means."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

_LONGEST = 256


def request_cancel(folder: Path, pid: int, run_id: str) -> bool:
    """Ask the worker with this pid to cancel the run; False if there is no such worker any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        try:
            connection.sendto(run_id.encode(), str(_path(folder, pid)))
        except OSError:
            return False
    return True


def remove_stale(folder: Path) -> None:
    """Remove the sockets of workers that are gone."""
    for path in folder.glob("*.ctl"):
        if not Path(f"/proc/{path.stem}").exists():
            path.unlink(missing_ok=True)


class CancelReceiver:
    """A thread that calls `on_cancel(run_id)` for each request to this worker."""

    def __init__(self, folder: Path, pid: int, on_cancel: Callable[[str], None]) -> None:
        self._path = _path(folder, pid)
        self._on_cancel = on_cancel
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        threading.Thread(target=self._receive, name="cancel-receiver", daemon=True).start()

    def close(self) -> None:
        self._path.unlink(missing_ok=True)

    def _receive(self) -> None:
        while True:
            self._on_cancel(self._socket.recv(_LONGEST).decode(errors="replace"))


def _path(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.ctl"
