"""What the exit codes of `headrace` mean; documented in docs/reference/cli.md."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """One meaning per number; 2 is also what the option parser uses for a wrong command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    HELD = 5
    CANCELED = 6
    UNFINISHED = 7
    BROKEN = 8
    INTERRUPTED = 130
