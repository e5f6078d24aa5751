"""What `headrace up` consists of: the programs, their environment and how each is known to work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from definitions.shared import addresses
from headrace_cli.home import up_record
from headrace_cli.up import endpoint, probes, template
from headrace_cli.up.child import Fork, Program
from platform_core.operation import lifeline
from platform_core.operation.dagster_ui import HEALTH, dagster_ui

if TYPE_CHECKING:
    from platform_core.database.postgres import EmbeddedPostgres
    from platform_core.settings import Settings

SERVICES = ("workers", "daemon", "api")
"""What is ready when `up` is."""
DAGSTERS_UI = ("code-server", "ui")
"""What starts when somebody opens Dagster's UI."""

_HEADRACE = [sys.executable, "-P", "-m", "headrace_cli"]


@dataclass(frozen=True)
class Inheritance:
    """What the children inherit: the read end of the lifeline, and listening sockets.

    Those are of the APIs, of Dagster's UI, and of the port that the APIs have for the UI alone, if there is one.
    """

    lifeline_fd: int
    listen_fd: int
    ui_fd: int
    ui_port_fd: int | None

    def of(self, service: str) -> tuple[int, ...]:
        """The descriptors that a service keeps."""
        ui_port = () if self.ui_port_fd is None else (self.ui_port_fd,)
        everything = (self.listen_fd, self.ui_fd, *ui_port)
        listening = {"api": (self.listen_fd, *ui_port), "ui": (self.ui_fd,), "template": everything}
        return (self.lifeline_fd, *listening.get(service, ()))


def environment(settings: Settings, up_id: str) -> dict[str, str]:
    """The environment of every child: this process's, the settings that were decided, and the marker of this `up`."""
    assert settings.database_url is not None
    assert settings.public_url is not None
    private = str(_is_private(settings)).lower()
    certificate = {"HEADRACE_TLS_CERT": settings.tls_cert, "HEADRACE_TLS_KEY": settings.tls_key}
    return {
        "HEADRACE_HTTP_ALLOW_PRIVATE": private,
        "HEADRACE_SERVICES_ALLOW_PRIVATE": private,
        # The UI of a home is at its socket, whatever else there is.
        **{name: value for name, value in os.environ.items() if name != "HEADRACE_UI_URL"},
        **{name: str(path.absolute()) for name, path in certificate.items() if path is not None},
        "HEADRACE_HOME": str(settings.home),
        "HEADRACE_DATABASE_URL": settings.database_url,
        "HEADRACE_HOST": settings.host,
        "HEADRACE_PORT": str(settings.port),
        "HEADRACE_PUBLIC_URL": settings.public_url,
        "DAGSTER_HOME": str(settings.home / "dagster"),
        "PYTHONUNBUFFERED": "1",
        up_record.MARKER: up_id,
    }


def _is_private(settings: Settings) -> bool:
    """Whether only people on this machine, who may reach what it reaches anyway, can save graphs."""
    if "HEADRACE_PUBLIC_URL" in os.environ:  # something passes others' requests on to us
        return False
    try:
        return ip_address(settings.host).is_loopback
    except ValueError:
        return settings.host == "localhost"


def postgres(server: EmbeddedPostgres, up_id: str) -> Program:
    """The embedded database. It needs nothing of our environment but the locale and the marker."""
    from platform_core.database.postgres import STOP_SIGNAL

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


def template_process(base: Mapping[str, str], inheritance: Inheritance, served: template.Template) -> Program:
    """The process that the others are forked from; what ends with it is only their quick start."""
    return Program(
        name="template",
        command=[*_HEADRACE, "template"],
        environment={**_variables(base, inheritance), template.VARIABLE: str(served.fd)},
        probe=lambda _: served.is_ready(),
        pass_fds=(*inheritance.of("template"), served.fd),
        optional=True,
    )


def fork_from(served: template.Template) -> Fork:
    """Starts our own programs from the template, as long as there is one; no others."""

    def fork(program: Program, output: int) -> int | None:
        if list(program.command[: len(_HEADRACE)]) != _HEADRACE:
            return None
        arguments = program.command[len(_HEADRACE) :]
        return served.fork(template.Request(arguments, program.environment, program.pass_fds), output)

    return fork


def preparation(base: Mapping[str, str], inheritance: Inheritance, *, migrate: bool) -> Program:
    """The task that brings the database to this code's schema and creates the first administrator."""
    return _headrace("prepare", ["prepare"] if migrate else ["prepare", "--check-only"], base, inheritance)


def services(settings: Settings, base: Mapping[str, str], inheritance: Inheritance) -> list[Program]:
    """All long-running programs but the database and Dagster's UI, in the order of `SERVICES`."""
    api_url = endpoint.api_url(settings)
    ready: dict[str, Callable[[float], bool]] = {
        "workers": probes.has_reported(settings.home, "workers"),
        "daemon": probes.has_reported(settings.home, "daemon"),
        "api": probes.all_answer(f"{api_url}/readyz", f"{api_url}/stream/readyz"),
    }
    return [_headrace(name, [name], base, inheritance, probe=ready[name]) for name in SERVICES]


def dagsters_ui(settings: Settings, base: Mapping[str, str], inheritance: Inheritance) -> list[Program]:
    """Dagster's UI and the code server that it reads the graphs from, in the order of `DAGSTERS_UI`."""
    ui = dagster_ui(settings)
    assert ui.socket is not None
    ready: dict[str, Callable[[float], bool]] = {
        "code-server": lambda _: addresses.is_code_server_there(settings),
        "ui": probes.answers_locally(ui.socket, HEALTH),
    }
    return [_headrace(name, [name], base, inheritance, probe=ready[name]) for name in DAGSTERS_UI]


def _headrace(
    name: str,
    command: list[str],
    base: Mapping[str, str],
    inheritance: Inheritance,
    *,
    probe: Callable[[float], bool] | None = None,
) -> Program:
    return Program(
        name=name,
        command=[*_HEADRACE, *command],
        environment=_variables(base, inheritance),
        probe=probe,
        pass_fds=inheritance.of(name),
    )


def _variables(base: Mapping[str, str], inheritance: Inheritance) -> dict[str, str]:
    descriptors = {
        lifeline.VARIABLE: inheritance.lifeline_fd,
        endpoint.VARIABLE: inheritance.listen_fd,
        endpoint.UI_VARIABLE: inheritance.ui_fd,
        endpoint.UI_PORT_VARIABLE: inheritance.ui_port_fd,
    }
    return {**base, **{name: str(descriptor) for name, descriptor in descriptors.items() if descriptor is not None}}
