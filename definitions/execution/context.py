"""What a process that executes graphs needs beside Dagster: settings, keys, node types, the code interpreter.

Dagster loads jobs, resources and executors by name and passes them nothing, so this is the one place in which a
process keeps such things; it is built when first asked for, from the environment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.services.http_client import HttpClient
from definitions.services.spilled_values import SpilledValues
from definitions.shared.addresses import code_server, run_folder
from definitions.shared.extensions import installed_node_types
from definitions.shared.masking import Masking
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.database.engine import Engine, build_engine
from platform_core.folders import socket_folder
from platform_core.loop import Loops
from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.identity.keys import KeyRing
    from platform_core.operation.daemon_metrics import DaemonMetrics


@dataclass
class Cancellation:
    """Whether the run of this process is to end; subscribers are called at once, late ones too."""

    requested: threading.Event = field(default_factory=threading.Event)
    because: BaseException | None = None
    """What the run ends with instead of being canceled."""
    loss: BaseException | None = None
    """What a run ends with when a signal tells its process to end; None cancels it."""
    was_requested: bool = False
    """Whether it was requested before `rearm`."""
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def request(self, because: BaseException | None = None) -> None:
        """End the run as canceled, or as failed `because` of something."""
        self.because = self.because or because
        self.requested.set()
        for listener in list(self._listeners):
            listener()

    def interrupt(self) -> None:
        """End the run, since a signal tells its process to end."""
        self.request(self.loss)

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)
        if self.requested.is_set():
            listener()

    def rearm(self) -> None:
        """Let what runs last in a canceled run go on, until asked again."""
        self.was_requested = self.was_requested or self.requested.is_set()
        self.requested.clear()

    def reset(self) -> None:
        """Forget the run before; only between runs."""
        self._listeners.clear()
        self.requested.clear()
        self.because = None
        self.was_requested = False


class ProcessContext:
    """The process's lasting things, each made when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cancellation = Cancellation()
        self.masking = Masking()
        """Of the run that is executed: what it has read of secrets."""
        self.outcome: Mapping[str, Any] = {}
        """How the run's ordinary nodes ended, `{status, error}`: seen by those that run last."""

    def prepare(self) -> None:
        """Make what is slow to make and holds neither connection nor process; before a fork, which then shares it."""
        _ = self.keys, self.http, self.node_types

    @cached_property
    def engine(self) -> Engine:
        if self.settings.database_url is None:
            raise ValueError("HEADRACE_DATABASE_URL is not set; `headrace up` sets it for its processes.")
        return build_engine(self.settings.database_url, pool_size=2)

    @cached_property
    def measures(self) -> DaemonMetrics:
        from platform_core.operation.daemon_metrics import DaemonMetrics  # only the daemon counts

        return DaemonMetrics()

    @cached_property
    def loops(self) -> Loops:
        """Of the daemon."""
        return Loops(lambda name: self.measures.loop_failures.labels(name).inc())

    @cached_property
    def keys(self) -> KeyRing:
        from platform_core.identity.keys import KeyRing  # cryptography takes long to import, and few runs read a secret

        return KeyRing.load_or_create(self.settings)

    @cached_property
    def interpreter(self) -> CodeInterpreter:
        home, server = self.settings.home, code_server(self.settings)
        # The UI and the code server have no login: anybody who reaches them is taken for us.
        ports = [self.settings.ui_port] + ([] if server.port is None else [server.port])
        return CodeInterpreter(hidden=[home, run_folder(home), socket_folder(home, "socket")], ports=ports)

    @cached_property
    def spilled_values(self) -> SpilledValues:
        return SpilledValues(self.settings.values_url or str(self.settings.home / "values"))

    @cached_property
    def http(self) -> HttpClient:
        return HttpClient(allow_private=self.settings.http_allow_private)

    @cached_property
    def node_types(self) -> NodeTypes:
        return installed_node_types(containers=self.settings.has_containers)


@lru_cache(maxsize=1)
def process_context() -> ProcessContext:
    """The context of this process, from its environment."""
    return ProcessContext(Settings())
