"""Sends work to an installation and writes down what it sent and what was answered: the audit knows nothing else."""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from benchmarks.soak.kinds import Kind, drawn

Way = Literal["launch", "batch", "webhook"]
PATIENCE = 120.0
"""Seconds for which something is sent again until it is accepted."""
_CANCELED = 0.08
_REPEATED = 0.2


@dataclass
class Sent:
    """A piece of work. `run_id` is what was answered; `is_cancel_sent`: a cancel was accepted, or may have been."""

    key: str
    kind: Kind
    n: int
    way: Way
    run_id: str = ""
    is_cancel_sent: bool = False


@dataclass
class Log:
    """All that was sent, and answers that contradicted an earlier one."""

    sent: list[Sent] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Generator:
    """One sender. Each request is sent again until it is answered well, as senders with a key may."""

    def __init__(self, http: httpx.Client, webhooks: dict[str, str], log: Log, seed: int) -> None:
        self._http = http
        self._webhooks = webhooks
        self._log = log
        self._dice = random.Random(seed)

    def send_until(self, over: threading.Event, pause: float) -> None:
        while not over.wait(pause * self._dice.uniform(0.5, 1.5)):
            way: Way = self._dice.choices(("launch", "webhook", "batch"), (5, 4, 1))[0]
            for one in self._batch() if way == "batch" else [self._one(way)]:
                if self._dice.random() < _CANCELED:
                    self._cancel(one)

    def _new(self, kind: Kind, way: Way) -> Sent:
        one = Sent(uuid.uuid4().hex, kind, self._dice.randrange(1, 100), way)
        with self._log.lock:
            self._log.sent.append(one)
        return one

    def _one(self, way: Way) -> Sent:
        one = self._new(drawn(self._dice), way)
        again = 2 if self._dice.random() < _REPEATED else 1
        for _ in range(again):
            run_id = self._webhook(one) if way == "webhook" else self._launch(one)
            if one.run_id not in ("", run_id):
                self._log.contradictions.append(f"{one.key} was answered with runs {one.run_id} and {run_id}")
            one.run_id = run_id
        return one

    def _launch(self, one: Sent) -> str:
        body = {"params": {"key": one.key, "n": one.n}}
        headers = {"Idempotency-Key": one.key}
        return str(self._accepted(f"/api/v1/graphs/soak-{one.kind.name}/runs", body, headers)["run_id"])

    def _webhook(self, one: Sent) -> str:
        headers = {"X-Key": one.key}
        return str(self._accepted(self._webhooks[one.kind.name], {"key": one.key, "n": one.n}, headers)["run_id"])

    def _batch(self) -> list[Sent]:
        kind = drawn(self._dice)
        work = [self._new(kind, "batch") for _ in range(self._dice.randrange(2, 20))]
        body = {"runs": [{"params": {"key": one.key, "n": one.n}} for one in work]}
        headers = {"Idempotency-Key": work[0].key}
        answer = self._accepted(f"/api/v1/graphs/soak-{kind.name}/runs:batch", body, headers)
        for one, item in zip(work, answer["runs"], strict=True):
            one.run_id = item["run_id"]
        return work

    def _cancel(self, one: Sent) -> None:
        time.sleep(self._dice.uniform(0.0, 0.5))
        one.is_cancel_sent = True
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if self._http.post(f"/api/v1/runs/{one.run_id}/cancel").status_code in (200, 202, 409):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)

    def _accepted(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        deadline, said = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            try:
                answer = self._http.post(path, json=body, headers=headers)
                if answer.is_success:
                    return answer.json()
                said = f"{answer.status_code} {answer.text[:200]}"
                assert answer.status_code in (429, 502, 503), said
            except httpx.TransportError as error:
                said = repr(error)
            time.sleep(0.2)
        raise AssertionError(f"{path} was not accepted in {PATIENCE:g} s: {said}")
