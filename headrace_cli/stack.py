"""What `headrace up` consists of: the programs, their environment and how each is known to work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace_cli import endpoint, gate, probes, up_record
from headrace_cli.child import Program
from platform_core import lifeline

if TYPE_CHECKING:
    from platform_core.postgres import EmbeddedPostgres
    from platform_core.settings import Settings

SERVICES = ("code-server", "workers", "daemon", "api", "ui")


@dataclass(frozen=True)
class Pipes:
    """What the children inherit: read ends of the lifeline and the gates, and the listening socket of the APIs."""

    lifeline_fd: int
    database_gate_fd: int
    schema_gate_fd: int
    listen_fd: int


def environment(settings: Settings, up_id: str) -> dict[str, str]:
    """The environment of every child: this process's, the settings that were decided, and the marker of this `up`."""
    assert settings.database_url is not None
    assert settings.ui_url is not None
    assert settings.public_url is not None
    return {
        **os.environ,
        "HEADRACE_HOME": str(settings.home),
        "HEADRACE_DATABASE_URL": settings.database_url,
        "HEADRACE_HOST": settings.host,
        "HEADRACE_PORT": str(settings.port),
        "HEADRACE_UI_PORT": str(settings.ui_port),
        "HEADRACE_PUBLIC_URL": settings.public_url,
        "HEADRACE_UI_URL": settings.ui_url,
        "DAGSTER_HOME": str(settings.home / "dagster"),
        "PYTHONUNBUFFERED": "1",
        up_record.MARKER: up_id,
    }


def postgres(server: EmbeddedPostgres, up_id: str) -> Program:
    """The embedded database. It needs nothing of our environment but the locale and the marker."""
    from platform_core.postgres import STOP_SIGNAL

    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH") if name in os.environ}
    return Program(
        name="postgres",
        command=server.command(),
        environment={**kept, up_record.MARKER: up_id},
        probe=lambda _: server.is_ready(),
        stop_signal=STOP_SIGNAL,
        options=server.options(),
        foundation=True,
    )


def preparation(base: Mapping[str, str], pipes: Pipes, *, migrate: bool) -> Program:
    """The task that brings the database to this code's schema and creates the first administrator."""
    command = ["prepare"] if migrate else ["prepare", "--check-only"]
    return _headrace("prepare", command, base, pipes, gate_fd=pipes.database_gate_fd)


def services(settings: Settings, base: Mapping[str, str], pipes: Pipes) -> list[Program]:
    """All long-running programs but the database, in the order of `SERVICES`."""
    api_url = endpoint.local_url(settings.host, settings.port)
    ui_url = endpoint.local_url("127.0.0.1", settings.ui_port)
    ready: dict[str, Callable[[float], bool]] = {
        "code-server": probes.code_location_loaded(ui_url),
        "workers": probes.code_location_loaded(ui_url),
        "daemon": probes.daemons_beat(ui_url),
        "api": probes.all_answer(f"{api_url}/readyz", f"{api_url}/stream/readyz"),
        "ui": probes.all_answer(f"{ui_url}/server_info"),
    }
    return [_headrace(name, [name], base, pipes, probe=ready[name], gate_fd=pipes.schema_gate_fd) for name in SERVICES]


def _headrace(
    name: str,
    command: list[str],
    base: Mapping[str, str],
    pipes: Pipes,
    *,
    gate_fd: int,
    probe: Callable[[float], bool] | None = None,
) -> Program:
    variables = {**base, lifeline.VARIABLE: str(pipes.lifeline_fd), gate.VARIABLE: str(gate_fd)}
    inherited = [pipes.lifeline_fd, gate_fd]
    if name == "api":
        variables[endpoint.VARIABLE] = str(pipes.listen_fd)
        inherited.append(pipes.listen_fd)
    return Program(
        name=name,
        command=[sys.executable, "-P", "-m", "headrace_cli", *command],
        environment=variables,
        probe=probe,
        pass_fds=tuple(inherited),
    )
