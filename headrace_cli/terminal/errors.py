"""The one error of the command line: what went wrong, what to do next, and the exit code."""

from __future__ import annotations

from headrace_cli.terminal.exit_codes import ExitCode


class CommandError(Exception):
    """A command cannot go on. `hint` says what to do next; `exit_code` is what the process ends with."""

    def __init__(self, message: str, *, hint: str, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
