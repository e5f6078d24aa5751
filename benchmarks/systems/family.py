"""What a process family uses: memory as proportional set size, which counts shared pages once, and processor time."""

from __future__ import annotations

from pathlib import Path

import psutil


def megabytes(pid: int) -> float:
    """PSS of a process and everything below it, in MB (10^6 bytes)."""
    root = psutil.Process(pid)
    return sum(_kilobytes(process.pid) for process in (root, *root.children(recursive=True))) * 1024 / 1e6


def processor_seconds(pid: int) -> float:
    """Processor time that a process and everything below it, ended ones included, have used."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:4]) for process in (root, *root.children(recursive=True)))


def _kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
