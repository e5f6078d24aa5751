"""The results: benchmarks/results.json with every sample, docs/benchmarks.md with the table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures.figure import Figure
from benchmarks.systems import n8n

ROOT = Path(__file__).parents[2]
JSON = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"


def write(setting: dict[str, Any], figures: Sequence[Figure]) -> str:
    """Write both files; returns the page."""
    results = [figure.as_dict() for figure in figures]
    JSON.write_text(json.dumps({"setting": setting, "figures": results}, indent=1) + "\n")
    page = _page(setting, results)
    PAGE.write_text(page)
    return page


def rows(figures: Sequence[Figure]) -> list[str]:
    """The table's rows."""
    return [_row(figure.as_dict()) for figure in figures]


def setting(repetitions: int) -> dict[str, Any]:
    """Where and on what it is measured; taken before, because measuring changes the load."""
    commit = subprocess.check_output(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT, text=True).strip()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit + (" with uncommitted changes" if changed else ""),
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.platform()}",
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "dagster": version("dagster"),
        "n8n": n8n.version(),
        "repetitions": repetitions,
    }


def _page(setting: dict[str, Any], results: Sequence[dict[str, Any]]) -> str:
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench` (`benchmarks/`); every sample is in `benchmarks/results.json`.",
            "Headrace runs as `headrace up` starts it, plain Dagster as `dagster dev` does: default launcher, queue",
            "and multiprocess executor, SQLite; n8n as `n8n start` does. All were measured in one go, one by one.",
            "Ratios travel better between machines than seconds.",
            "",
            f"- Date: {setting['date']}, commit {setting['commit']}",
            f"- Machine: {setting['machine']}, load average {setting['load_before']:.1f} before",
            f"- Python {setting['python']}, Dagster {setting['dagster']}, n8n {setting['n8n'] or 'not there'}",
            "",
            "| what | samples | p50 | p99 | plain Dagster p50 (samples) | n8n p50 (samples) | to reach |",
            "|---|---|---|---|---|---|---|",
            *map(_row, results),
            "",
        ]
    )


def _row(result: dict[str, Any]) -> str:
    unit = result["unit"]
    cells = [
        result["name"],
        str(result["n"]),
        f"{_number(result['p50'])} {unit}",
        f"{_number(result['p99'])} {unit}",
        _beside(result, "plain"),
        _beside(result, "n8n"),
        result["goal"],
    ]
    return f"| {' | '.join(cells)} |"


def _beside(result: dict[str, Any], system: str) -> str:
    value = result[f"{system}_p50"]
    return "" if value is None else f"{_number(value)} {result['unit']} ({result[f'{system}_n']})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
