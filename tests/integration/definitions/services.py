"""The processes of a site, started as `headrace up` starts them: with a lifeline, so that none outlives the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from typing import Self

import psutil

from definitions import addresses
from platform_core import lifeline
from platform_core.settings import Settings
from tests.waiting import wait_until

_PROGRAM = """
import os
from definitions import {module} as service
from platform_core import lifeline
from platform_core.logs import configure_logs
from platform_core.settings import Settings
lifeline.hold_lifeline(os.environ[lifeline.VARIABLE])
settings = Settings()
configure_logs(settings)
raise SystemExit(service.main(settings))
"""


class Service:
    """One process that executes `definitions.<module>.main` with this process's environment."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        reader, self._lifeline = os.pipe()
        command = [sys.executable, "-c", _PROGRAM.format(module=module)]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, lifeline.VARIABLE: str(reader)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(reader,),
            start_new_session=True,
        )
        os.close(reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self.stop()
        os.close(self._lifeline)
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """What the process has written so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(30)

    def kill(self) -> None:
        """SIGKILL to this one process."""
        self._process.kill()
        self._process.wait(30)

    def pause(self) -> None:
        """SIGSTOP; `kill` still works."""
        self._process.send_signal(signal.SIGSTOP)

    def children(self) -> list[int]:
        """Process ids of the living children."""
        children = psutil.Process(self.pid).children()
        return [child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE]


def idle_workers(settings: Settings) -> set[int]:
    """Process ids of the workers that listen for requests to cancel, which a worker does once it is ready."""
    return {int(path.stem) for path in addresses.run_folder(settings.home).glob("*.ctl")}


def wait_for_workers(settings: Settings, count: int = 1) -> None:
    wait_until(lambda: len(idle_workers(settings)) >= count, f"{count} run workers are ready", 60)
