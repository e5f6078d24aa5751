"""What nodes may use in a test: users' code in its sandbox, and nothing of the world."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.services.shell_service import run_command
from definitions.shared.masking import Masking
from graph_compiler.nodes.asking import Answer
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.runtime import Command, CommandAnswer, HttpCall, Level, OnLine, OnPublish
from graph_compiler.values.errors import NodeError, Stopped
from graph_engine.given.clock import Clock
from graph_engine.journal import records
from graph_engine.journal.journal import Journal
from headrace_cli.graph_tests.stand_ins import NO_STAND_IN


def _refused(what: str) -> NoReturn:
    message = f"in a test no node {what}; give this one a stand-in"
    raise NodeError(NO_STAND_IN, message, retryable=False)


class World:
    """The part of a runtime that reaches the world: it refuses."""

    def secret(self, name: str) -> str:
        _refused(f"reads a secret ({name})")

    def http(self, call: HttpCall) -> NoReturn:
        _refused(f"sends a request ({call.method} {call.url})")

    def open_file(self, reference: str, **asked: Any) -> NoReturn:
        _refused(f"reads a file ({reference})")

    def create_file(self, reference: str, **asked: Any) -> NoReturn:
        _refused(f"writes a file ({reference})")

    def list_files(self, folder: str, **asked: Any) -> NoReturn:
        _refused("lists files")

    def sql(self, url: str, statement: Any, **asked: Any) -> NoReturn:
        _refused("asks a database")

    def send_email(self, url: str, email: Any, **asked: Any) -> NoReturn:
        _refused("sends mail")

    def publish(self, url: str, message: Any, **asked: Any) -> NoReturn:
        _refused("publishes a message")

    def run_container(self, task: Any, **asked: Any) -> NoReturn:
        _refused("runs a container")


class IsolatedRuntime(World):
    """The runtime of one run of a test."""

    def __init__(
        self, graph: str, params: Mapping[str, Any], interpreter: CodeInterpreter, journal: Journal, clock: Clock
    ) -> None:
        self.params = params
        self.trigger: Mapping[str, Any] = {"kind": "manual", "id": None}
        self.run: Mapping[str, Any] = {"id": "test", "graph": graph, "version": 1, "owner": "test"}
        self._interpreter = interpreter
        self._journal = journal
        self._clock = clock
        self._remembered: dict[str, Mapping[str, Any]] = {}
        self._canceled = threading.Event()

    def masked(self, value: Any) -> Any:
        return value

    def recall(self, key: str) -> Mapping[str, Any] | None:
        return self._remembered.get(key)

    def remember(self, key: str, outputs: Mapping[str, Any], ttl: float) -> None:
        self._remembered[key] = outputs

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
        self._refuse_when_canceled()
        return self._interpreter.run(
            code,
            arguments,
            env=env,
            timeout=timeout,
            on_line=on_line,
            on_publish=on_publish,
            network=network or Network.ALL,
        )

    def run_command(self, command: Command, *, timeout: float | None, on_line: OnLine) -> CommandAnswer:
        self._refuse_when_canceled()
        network = command.network or Network.ALL
        return run_command(
            self._interpreter, command, timeout=timeout, on_line=on_line, masking=Masking(), network=network
        )

    def new_address(self) -> str:
        return "http://localhost/api/v1/waits/test"

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        return {}

    def close(self, key: str) -> Answer | None:
        """Nobody answers in a test without a stand-in."""
        return None

    def clock(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        if self._canceled.wait(seconds):
            raise Stopped("the run was stopped while this was waiting")

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
        self._journal.append(records.Emitted(self._clock.now(), type, message, level, node, item, data or {}))

    def cancel(self) -> None:
        self._canceled.set()
        self._interpreter.cancel_all()

    def rearm(self) -> None:
        self._canceled.clear()

    def _refuse_when_canceled(self) -> None:
        if self._canceled.is_set():
            raise Stopped("the run was stopped before this began")
