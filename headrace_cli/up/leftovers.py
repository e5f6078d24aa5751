"""Finds and ends processes that a `headrace up` left behind, by the id all its processes carry in their environment."""

from __future__ import annotations

import os

import psutil

from headrace_cli.home.up_record import MARKER


def processes_of(up_id: str) -> list[psutil.Process]:
    """All processes but this one that belong to the `up` of that id."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == up_id:
                found.append(process)
        except psutil.Error:
            continue
    return found


def end_leftovers(up_id: str, *, grace: float = 5.0) -> int:
    """Let the processes of that `up` end by themselves for `grace` seconds, then kill them; how many were killed."""
    _, alive = psutil.wait_procs(processes_of(up_id), timeout=grace)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=5.0)
    return len(alive)
