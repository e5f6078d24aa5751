"""`make soak SECONDS=…`: work with a known result, while processes are killed; exit code 1 if the audit complains."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.soak.auditor import ends, violations
from benchmarks.soak.counting import Counting, counting
from benchmarks.soak.generator import Generator, Log
from benchmarks.soak.killer import Killer
from benchmarks.soak.kinds import KINDS
from benchmarks.systems import family, stack

SENDERS = 3
PAUSE = 0.25
"""Seconds between two requests of a sender."""
KILL_PAUSE = 6.0
PATIENCE = 300.0
"""Seconds without the end of any run after which they are said to hang."""
_OPEN = ("QUEUED", "STARTING", "RUNNING", "WAITING", "CANCELING")


def main() -> int:
    """Load, kill, wait, audit; prints a table of figures, or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0, help="how long work is sent (1800)")
    parser.add_argument("--seed", type=int, default=1, help="of the dice (1)")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args()
    with (
        _home() as home,
        counting() as counted,
        stack.running(home) as running,
    ):
        figures, found = _soak(running, home, counted, options.seconds, options.seed)
        if found:
            _keep_logs(home)
    print(json.dumps({**figures, "violations": found}) if options.json else _table(figures, found))
    return 1 if found else 0


@contextmanager
def _home() -> Iterator[Path]:
    """A home that is removed afterwards; of a soak that breaks off the logs stay."""
    with tempfile.TemporaryDirectory(prefix="headrace-soak-") as folder:
        try:
            yield Path(folder)
        except BaseException:
            _keep_logs(Path(folder))
            raise


def _keep_logs(home: Path) -> None:
    kept = tempfile.mkdtemp(prefix="headrace-soak-logs-")
    shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
    print(f"the logs of all services are in {kept}", file=sys.stderr)


def _soak(
    running: stack.Stack, home: Path, counted: Counting, seconds: float, seed: int
) -> tuple[dict[str, Any], list[str]]:
    webhooks = _apply_all(running, counted.url)
    log, killer, over = Log(), Killer(home, seed), threading.Event()
    memory = [family.megabytes(running.pid)]
    with ThreadPoolExecutor(SENDERS + 1) as pool:
        senders = [
            pool.submit(Generator(running.http, webhooks, log, seed * 100 + each).send_until, over, PAUSE)
            for each in range(SENDERS)
        ]
        with _progress(log, killer, seconds, over):
            killing = pool.submit(killer.kill_until, over, KILL_PAUSE)
            for each in (*senders, killing):
                each.result()
    waited = _wait_for_all(running.http)
    memory.append(family.megabytes(running.pid))
    found = list(violations(running.http, log, counted))
    figures = {
        "seconds": seconds,
        "sent": len(log.sent),
        "by kind": dict(Counter(one.kind.name for one in log.sent)),
        "by way": dict(Counter(one.way for one in log.sent)),
        "killed": dict(killer.counts),
        "ends": dict(ends(running.http, log)),
        "effects": counted.counts.total(),
        "seconds until all had ended": round(waited, 1),
        "memory before and after (MB)": [round(each) for each in memory],
    }
    return figures, found


def _apply_all(running: stack.Stack, url: str) -> dict[str, str]:
    """Store all graphs; the address of each one's webhook."""
    trigger = {
        "id": "in",
        "type": "webhook",
        "verify": {"scheme": "none"},
        "delivery_id": "{{ headers['x-key'] }}",
        "params": {"key": "{{ body.key }}", "n": "{{ body.n }}"},
    }
    for kind in KINDS:
        running.apply({**kind.document(url), "triggers": [trigger]})
    found = {}
    for kind in KINDS:
        [stored] = running.http.get(f"/api/v1/graphs/soak-{kind.name}/triggers").json()["items"]
        found[kind.name] = str(stored["url"])
    return found


@contextmanager
def _progress(log: Log, killer: Killer, seconds: float, over: threading.Event) -> Iterator[None]:
    """Ends the load when its time is over, and says now and then how far it is."""

    def run() -> None:
        begin = time.monotonic()
        while (left := begin + seconds - time.monotonic()) > 0:
            print(f"{left:6.0f} s left, {len(log.sent)} sent, {killer.counts.total()} killed", file=sys.stderr)
            time.sleep(min(30.0, left))
        over.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _wait_for_all(http: httpx.Client) -> float:
    """Seconds until every run had ended. Raises AssertionError if for a long time none does."""
    begin = last = time.monotonic()
    left = -1
    while True:
        try:
            pages = [http.get("/api/v1/runs", params={"status": status, "limit": 100}).json() for status in _OPEN]
            count = sum(len(page["items"]) for page in pages)
        except (httpx.TransportError, KeyError):
            count = left
        if count == 0:
            return time.monotonic() - begin
        if count != left:
            left, last = count, time.monotonic()
        assert time.monotonic() - last < PATIENCE, f"{left} runs do not end: {pages}"
        time.sleep(0.5)


def _table(figures: dict[str, Any], found: list[str]) -> str:
    lines = [f"| {name} | {value} |" for name, value in figures.items()]
    said = found[:50] or ["none"]
    return "\n".join(["| what | figure |", "|---|---|", *lines, "", f"violations: {len(found)}", *said])


if __name__ == "__main__":
    sys.exit(main())
