"""How a service without an address of its own reports to its supervisor that it works: by a file of the home."""

from __future__ import annotations

from pathlib import Path

from definitions.shared.addresses import run_folder


def report(home: Path, service: str) -> None:
    """From now on the service works."""
    _file(home, service).touch(mode=0o600)


def reported_at(home: Path, service: str) -> float:
    """When the service last reported, in seconds since the epoch; 0 if it never has."""
    try:
        return _file(home, service).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _file(home: Path, service: str) -> Path:
    return run_folder(home) / f"{service}.ready"
