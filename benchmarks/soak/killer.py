"""Kills a process of an installation now and then, any of them, and counts."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections import Counter
from pathlib import Path

import psutil

VICTIMS = ("worker", "worker", "worker", "workers", "daemon", "api", "postgres")


class Killer:
    """`counts` is by what was killed; a `worker` is one of the pool's, `workers` the pool."""

    def __init__(self, home: Path, seed: int) -> None:
        self._home = home
        self._dice = random.Random(seed)
        self.counts: Counter[str] = Counter()

    def kill_until(self, over: threading.Event, pause: float) -> None:
        while not over.wait(pause * self._dice.uniform(0.5, 1.5)):
            victim = self._dice.choice(VICTIMS)
            with contextlib.suppress(psutil.Error, OSError, KeyError, json.JSONDecodeError, IndexError):
                self._kill(victim)
                self.counts[victim] += 1

    def _kill(self, victim: str) -> None:
        pids = json.loads((self._home / "up.json").read_text())["pids"]
        if victim == "worker":
            self._dice.choice(psutil.Process(pids["workers"]).children()).kill()
        else:
            psutil.Process(pids[victim]).kill()
