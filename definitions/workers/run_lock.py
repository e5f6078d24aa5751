"""Which process executes a run: a POSIX record lock on a file, held by the run worker and let go by its death.

Record locks (fcntl(2)) belong to one process, so no child of a worker can hold them for it, and anyone may look
without taking them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import Self

# struct flock on 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


class RunTaken(Exception):
    """Another run worker executes the run."""


class RunLock:
    """Held by the worker while it executes the run: `with RunLock(folder, run_id):`; raises `RunTaken`."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._path = _path(folder, run_id)

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise RunTaken(self._path.name) from None
        return self

    def __exit__(self, *exc: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def worker_of(folder: Path, run_id: str) -> int | None:
    """The pid of the worker that executes the run now, or None."""
    try:
        descriptor = os.open(_path(folder, run_id), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
        return None if kind == fcntl.F_UNLCK else pid
    finally:
        os.close(descriptor)


def remove_stale(folder: Path) -> None:
    """Remove the files of workers that died; those that are held stay."""
    for path in folder.glob("*.run"):
        if worker_of(folder, path.stem) is None:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.run"
