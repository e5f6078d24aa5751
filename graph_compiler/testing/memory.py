"""A fake of what a node meets at run time, for tests here and in other packages."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graph_compiler.nodes.asking import Answer
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.runtime import Level, OnLine, OnPublish
from graph_compiler.testing.services import MemoryServices
from graph_compiler.values.errors import NodeError


@dataclass
class MemoryRuntime(MemoryServices):
    """A `NodeRuntime` that reaches nothing: code runs in this process, time does not pass, HTTP answers are given."""

    params: Mapping[str, Any] = field(default_factory=dict)
    trigger: Mapping[str, Any] = field(default_factory=lambda: {"kind": "manual", "id": None})
    run: Mapping[str, Any] = field(
        default_factory=lambda: {"id": "run-1", "graph": "test", "version": 1, "owner": "alice"}
    )
    secrets: Mapping[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    remembered: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Results of nodes with `cache`; they do not expire."""
    answered: dict[str, Answer] = field(default_factory=dict)
    """What steps that wait are answered, by key."""
    addresses: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise NodeError("secret_missing", f"there is no secret {name}", retryable=False)
        return self.secrets[name]

    def run_code(
        self,
        code: str,
        arguments: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None,
        on_line: OnLine,
        on_publish: OnPublish | None = None,
        network: Network | None = None,
    ) -> Any:
        asked = {"arguments": dict(arguments), "timeout": timeout}
        self._record("run_code", {**asked, "env": dict(env)} if env else asked)
        scope: dict[str, Any] = {"print": lambda *words: on_line("stdout", " ".join(map(str, words)))}
        try:
            exec(compile(code, "<code>", "exec"), scope)  # noqa: S102  the fake's purpose; tests' own code only
            return scope["main"](**arguments)
        except Exception as error:
            raise NodeError("code_error", f"{type(error).__name__}: {error}") from error

    def recall(self, key: str) -> Mapping[str, Any] | None:
        return self.remembered.get(key)

    def remember(self, key: str, outputs: Mapping[str, Any], ttl: float) -> None:
        self.remembered[key] = outputs

    def masked(self, value: Any) -> Any:
        return value

    def wait(self, seconds: float) -> None:
        self._record("wait", seconds)
        self.time += seconds

    def new_address(self) -> str:
        self.addresses += 1
        return f"http://headrace.test/api/v1/waits/{self.addresses}"

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        return {key: self.answered[key] for key in keys if key in self.answered}

    def close(self, key: str) -> Answer | None:
        return self.answered.get(key)

    def cancel(self) -> None:
        self._record("cancel", None)

    def rearm(self) -> None:
        self._record("rearm", None)

    def emit(
        self,
        type: str,
        message: str,
        *,
        level: Level = "info",
        node: str | None = None,
        item: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        event = {"type": type, "message": message, "level": level, "node": node, "item": item, "data": data}
        with self._lock:
            self.events.append(event)

    def _record(self, method: str, asked: Any) -> None:
        with self._lock:
            self.calls.append((method, asked))
