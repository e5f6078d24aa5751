"""What a process that executes graphs needs beside Dagster: settings, keys, node types, the code interpreter.

Dagster loads jobs by name and passes them nothing, so this is the one place in which a process keeps such things; it is
built when first asked for, from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.sandbox.machine import examine
from definitions.services.http_client import HttpClient
from definitions.services.spilled_values import SpilledValues
from definitions.shared.addresses import code_server, run_folder
from definitions.shared.extensions import installed_node_types
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.database.engine import Engine, build_engine
from platform_core.folders import socket_folder
from platform_core.loop import Loops
from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.identity.keys import KeyRing
    from platform_core.operation.daemon_metrics import DaemonMetrics
    from platform_core.secret_sources.outside import OutsideSecrets


class ProcessContext:
    """The process's lasting things, each made when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def prepare(self) -> None:
        """Make what is slow to make and holds neither connection nor process; before a fork, which then shares it."""
        _ = self.keys, self.http, self.node_types, examine()

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
    def outside_secrets(self) -> OutsideSecrets:
        from platform_core.secret_sources.outside import OutsideSecrets  # few runs read a secret from there

        return OutsideSecrets.of(self.settings)

    @cached_property
    def interpreter(self) -> CodeInterpreter:
        home, server = self.settings.home, code_server(self.settings)
        # The code server has no login: anybody who reaches it is taken for us.
        ports = [] if server.port is None else [server.port]
        hidden = [home, run_folder(home), socket_folder(home, "socket"), *self._other_folders()]
        return CodeInterpreter(hidden=hidden, readable=list(map(Path, self.settings.code_folders)), ports=ports)

    def _other_folders(self) -> Iterator[Path]:
        """What else code is not to see: secrets, files and values elsewhere, and what of this user it would run as."""
        if self.settings.secrets_folder.is_dir():
            yield self.settings.secrets_folder
        for url in (self.settings.files_url, self.settings.values_url):
            if url is not None and "://" not in url:
                yield Path(url)
        if os.geteuid() != 0:
            yield from (path for path in (Path.home(), Path("/run/user", str(os.geteuid()))) if path != Path("/"))

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
