"""What `headrace up` does: one run of the whole stack, from its first process to its last."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from definitions.sandbox.machine import shortcomings
from definitions.sandbox.process import protect_process
from headrace_cli.home import admin, signin_link, up_record
from headrace_cli.home.configuration import read_settings
from headrace_cli.home.hold import hold
from headrace_cli.home.privacy import close_to_others
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import say
from headrace_cli.up import endpoint, leftovers, stack
from headrace_cli.up.child_log import is_alarm
from headrace_cli.up.console import Console
from headrace_cli.up.supervisor import StartFailed, StopRequested, Supervisor
from headrace_cli.up.template import Template
from platform_core.operation.dagster_ui import dagster_ui

if TYPE_CHECKING:
    from platform_core.database.postgres import EmbeddedPostgres
    from platform_core.settings import Settings

_READY_TIMEOUT = 120.0
_PRINT_SECONDS = 1.0


def run(chosen: Mapping[str, Any], *, verbose: bool) -> ExitCode:
    """Start everything and watch it until a signal ends it. Raises `CommandError` if it cannot start.

    `chosen` are the settings of the command line; what is None is left to the environment.
    """
    settings = read_settings(**chosen)
    _demand_tls(settings)
    protect_process()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if opened := close_to_others(settings.home):
        say(f"home   closed to other users of this machine: {', '.join(opened)}")
    with hold(settings.home):
        _end_earlier(settings.home)
        with ExitStack() as cleanup:
            return _Stack(settings, cleanup, verbose=verbose).run()


class _Stack:
    """One run of `up` from its first process to its last."""

    def __init__(self, settings: Settings, cleanup: ExitStack, *, verbose: bool) -> None:
        from platform_core.database.postgres import EmbeddedPostgres

        self._verbose = verbose
        self._is_ready = False
        self._console = Console(say)
        cleanup.callback(self._console.drain, _PRINT_SECONDS)
        self._up_id = uuid.uuid4().hex
        self._server = EmbeddedPostgres(settings.home) if settings.database_url is None else None
        self._socket = cleanup.enter_context(endpoint.listen(settings.host, settings.port, "--port"))
        ui_port = None
        if settings.ui_port is not None:
            ui_port = cleanup.enter_context(endpoint.listen(settings.ui_host, settings.ui_port, "--ui-port"))
        self._settings = _decide(settings, self._socket, ui_port, self._server)
        place = dagster_ui(self._settings).socket
        assert place is not None
        self._ui_socket = cleanup.enter_context(endpoint.listen_locally(Path(place)))
        self._template = Template()
        cleanup.callback(self._template.retire)
        lifeline_fd, held = os.pipe()
        cleanup.callback(os.close, lifeline_fd)
        cleanup.callback(os.close, held)
        descriptors = self._socket.fileno(), self._ui_socket.fileno(), None if ui_port is None else ui_port.fileno()
        self._inheritance = stack.Inheritance(lifeline_fd, *descriptors)
        cleanup.callback(up_record.remove_record, settings.home)
        cleanup.callback(leftovers.end_leftovers, self._up_id, grace=2.0)
        self._supervisor = cleanup.enter_context(
            Supervisor(settings.home / "logs", say=self._say_of, show=self._show, fork=stack.fork_from(self._template))
        )
        self._supervisor.on_change = self._record

    def run(self) -> ExitCode:
        """Start, report, watch; the exit code after a signal. Raises `CommandError` if it cannot start."""
        try:
            self._start()
            self._announce()
            self._supervisor.watch()
        except StopRequested as request:
            self._say_of("up", f"{request}: stopping")
        except StartFailed as failure:
            tail = "\n".join(f"  {line}" for line in failure.tail)
            raise CommandError(
                f"{failure}. The end of its log:\n{tail}",
                hint=f"The whole log is {failure.log}.",
                exit_code=ExitCode.BROKEN,
            ) from failure
        return ExitCode.OK

    def _start(self) -> None:
        from definitions.instance import instance_files

        base = stack.environment(self._settings, self._up_id)
        instance_files.write(self._settings)
        self._start_template(base)
        if self._server is not None:
            if self._server.prepare():
                self._say_of("postgres", "asks for a password from now on, which only our services know")
            self._supervisor.start(stack.postgres(self._server, self._up_id))
            self._supervisor.wait_ready(["postgres"], _READY_TIMEOUT)
            self._server.ensure_database()
        self._supervisor.wait_ready(["template"], _READY_TIMEOUT)
        self._supervisor.start(stack.preparation(base, self._inheritance, migrate=self._server is not None))
        self._supervisor.wait_ready(["prepare"], _READY_TIMEOUT)
        for program in stack.services(self._settings, base, self._inheritance):
            self._supervisor.start(program)
        self._supervisor.wait_ready(stack.SERVICES, _READY_TIMEOUT)
        self._supervisor.start_when_asked(self._ui_socket, stack.dagsters_ui(self._settings, base, self._inheritance))
        self._is_ready = True

    def _start_template(self, base: Mapping[str, str]) -> None:
        """It loads code while the database is being prepared, which takes both about as long."""
        from definitions.sandbox.process import adopt_orphans

        adopt_orphans()
        self._supervisor.start(stack.template_process(base, self._inheritance, self._template))
        self._template.give()

    def _announce(self) -> None:
        settings, say = self._settings, self._console.put
        say(f"home   {settings.home} (logs in logs/)")
        say(f"api    {settings.public_url} (documentation at /docs)")
        say(f"ui     {endpoint.ui_url(settings)} (Dagster's, for administrators; starts when it is first opened)")
        if admin.credentials_path(settings.home).exists():
            say(f"admin  credentials in {admin.credentials_path(settings.home)}")
        assert settings.public_url is not None
        if token := signin_link.take(settings.home):
            link = signin_link.link_of(settings.public_url, token)
            say(f"open   {link} (signs a browser in, once and within 5 minutes; `headrace open` makes another)")
        if weak := shortcomings():
            say(f"sandbox {weak}")
        say(f"ready {endpoint.api_url(settings)}")

    def _record(self) -> None:
        settings = self._settings
        assert settings.database_url is not None
        record = up_record.UpRecord(
            self._up_id,
            os.getpid(),
            endpoint.api_url(settings),
            endpoint.ui_url(settings),
            settings.database_url,
            dict(self._supervisor.pids),
            None if settings.tls_cert is None else str(settings.tls_cert.absolute()),
        )
        up_record.write_record(settings.home, record)

    def _show(self, name: str, line: str) -> None:
        # Until all are ready they complain of one another; a start that fails prints what it failed of.
        if self._verbose or (self._is_ready and is_alarm(line)):
            self._say_of(name, line)

    def _say_of(self, name: str, text: str) -> None:
        self._console.put(f"{name:<11} | {text}")


def _decide(
    settings: Settings, apis: socket.socket, ui: socket.socket | None, server: EmbeddedPostgres | None
) -> Settings:
    """The settings with every free choice made: ports, database, addresses. Dagster's UI is ours, on a socket."""
    settings = settings.model_copy(update={"port": apis.getsockname()[1]})
    decided = {
        "ui_port": None if ui is None else ui.getsockname()[1],
        "database_url": settings.database_url if server is None else server.url,
        "public_url": settings.public_url or endpoint.api_url(settings),
        "ui_url": None,
    }
    return settings.model_copy(update=decided)


def _demand_tls(settings: Settings) -> None:
    """Raises `CommandError` for a certificate that the API could not serve by; here, where somebody looks."""
    if settings.tls_cert is None and settings.tls_key is None:
        return
    from platform_core.errors import BadConfiguration
    from platform_core.web.tls import tls_of

    try:
        tls_of(settings)
    except BadConfiguration as error:
        raise CommandError(error.detail, hint="Give both --tls-cert and --tls-key, as PEM files.") from error


def _end_earlier(home: Path) -> None:
    """End what an `up` that was killed in this home may have left, so that it cannot disturb this one."""
    earlier = up_record.read_record(home)
    if earlier is not None:
        leftovers.end_leftovers(earlier.up_id, grace=10.0)
        up_record.remove_record(home)
