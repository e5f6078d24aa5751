"""What `headrace up` does: one run of the whole stack, from its first process to its last."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from definitions.sandbox.machine import shortcomings
from definitions.sandbox.process import protect_process
from headrace_cli.home import admin, up_record
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

if TYPE_CHECKING:
    from platform_core.database.postgres import EmbeddedPostgres
    from platform_core.settings import Settings

_READY_TIMEOUT = 120.0
_PRINT_SECONDS = 1.0


def run(home: Path | None, port: int | None, ui_port: int | None, *, verbose: bool) -> ExitCode:
    """Start everything and watch it until a signal ends it. Raises `CommandError` if it cannot start."""
    settings = read_settings(home=home, port=port, ui_port=ui_port)
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
        self._ui_socket = cleanup.enter_context(endpoint.listen(settings.ui_host, settings.ui_port, "--ui-port"))
        ports = self._socket.getsockname()[1], self._ui_socket.getsockname()[1]
        self._settings = _decide(settings, *ports, self._server)
        self._template = Template()
        cleanup.callback(self._template.retire)
        lifeline_fd, held = os.pipe()
        cleanup.callback(os.close, lifeline_fd)
        cleanup.callback(os.close, held)
        self._inheritance = stack.Inheritance(lifeline_fd, self._socket.fileno(), self._ui_socket.fileno())
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
        say(f"ui     {settings.ui_url} (starts when it is first opened)")
        if admin.credentials_path(settings.home).exists():
            say(f"admin  credentials in {admin.credentials_path(settings.home)}")
        if weak := shortcomings():
            say(f"sandbox {weak}")
        say(f"ready {endpoint.local_url(settings.host, settings.port)}")

    def _record(self) -> None:
        settings = self._settings
        assert settings.database_url is not None
        assert settings.ui_url is not None
        url = endpoint.local_url(settings.host, settings.port)
        pids = dict(self._supervisor.pids)
        record = up_record.UpRecord(self._up_id, os.getpid(), url, settings.ui_url, settings.database_url, pids)
        up_record.write_record(settings.home, record)

    def _show(self, name: str, line: str) -> None:
        # Until all are ready they complain of one another; a start that fails prints what it failed of.
        if self._verbose or (self._is_ready and is_alarm(line)):
            self._say_of(name, line)

    def _say_of(self, name: str, text: str) -> None:
        self._console.put(f"{name:<11} | {text}")


def _decide(settings: Settings, port: int, ui_port: int, server: EmbeddedPostgres | None) -> Settings:
    """The settings with every free choice made: ports, database, addresses."""
    decided = {
        "port": port,
        "ui_port": ui_port,
        "database_url": settings.database_url if server is None else server.url,
        "public_url": settings.public_url or endpoint.local_url(settings.host, port),
        "ui_url": settings.ui_url or endpoint.local_url(settings.ui_host, ui_port),
    }
    return settings.model_copy(update=decided)


def _end_earlier(home: Path) -> None:
    """End what an `up` that was killed in this home may have left, so that it cannot disturb this one."""
    earlier = up_record.read_record(home)
    if earlier is not None:
        leftovers.end_leftovers(earlier.up_id, grace=10.0)
        up_record.remove_record(home)
