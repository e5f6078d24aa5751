"""Where the process begins: a command, and what its errors look like.

The pod of a run goes around the command line, which takes longer to load than to tell it what to do.
"""

from __future__ import annotations

import os
import sys

from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note


def main() -> None:
    """Run what the arguments say; every deliberate error ends in a sentence on stderr and an exit code."""
    try:
        _run(sys.argv[1:])
    except CommandError as error:
        _fail(error.message, error.hint, error.exit_code)
    except BrokenPipeError:
        # The reader of our output is gone (`headrace runs | head`): nobody is left to read it.
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    except Exception as error:
        from platform_core.errors import HeadraceError

        if not isinstance(error, HeadraceError):
            raise
        _fail(error.detail, f"docs/reference/errors.md says what `{error.code}` means.", ExitCode.BROKEN)


def _run(arguments: list[str]) -> None:
    match arguments:
        case ["run-job", run_id, *rest] if not run_id.startswith("-") and rest[::2] in ([], ["--worker"]):
            from headrace_cli.serve.run_job import execute

            sys.exit(execute(run_id, int(rest[1]) if rest else 0))
        case _:
            from headrace_cli.commands import completion
            from headrace_cli.main import app

            if completion.VARIABLE in os.environ:
                completion.prepare()
            app(prog_name="headrace", complete_var=completion.VARIABLE)


def _fail(message: str, hint: str, exit_code: ExitCode) -> None:
    note(f"error: {message}")
    note(f"hint: {hint}")
    sys.exit(exit_code)
