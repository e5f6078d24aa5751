"""The processes of a site, started as `headrace up` starts them: with a lifeline, so that none outlives the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Self

import psutil

from definitions.shared import addresses
from platform_core.operation import lifeline
from platform_core.settings import Settings
from tests.waiting import wait_until

_PROGRAM = """
import os
from definitions import {module} as service
from platform_core.operation import lifeline
from platform_core.operation.logs import configure_logs
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
        reader, writer = os.pipe()
        self._lifeline: int | None = writer
        home = Path(os.environ["HEADRACE_HOME"])
        self._log = home / f"{module}-{uuid.uuid4().hex}.log"
        command = [sys.executable, "-c", _PROGRAM.format(module=module)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, lifeline.VARIABLE: str(reader)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(reader,),
                start_new_session=True,
            )
        os.close(reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process if it lives, and by its lifeline what it has started."""
        if self._process.poll() is None:
            self.kill()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """What the process has written so far."""
        return self._log.read_text(errors="replace")

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

    def wait_for_workers(self) -> None:
        """Return when this worker pool has a worker that is ready."""
        folder = addresses.run_folder(Settings().home)
        wait_until(
            lambda: any((folder / f"{pid}.ctl").exists() for pid in self.children()), "a run worker is ready", 60
        )

    def children(self) -> list[int]:
        """Process ids of the living children."""
        return [child.pid for child in psutil.Process(self.pid).children() if _lives(child)]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False  # it ended, and was waited for, since it was listed
