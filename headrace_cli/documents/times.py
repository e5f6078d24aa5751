"""Times on the command line."""

from __future__ import annotations

from datetime import datetime

from headrace_cli.terminal.errors import CommandError


def moment(text: str, option: str) -> str:
    """An ISO date or time as the server reads it, local unless it names a zone. Raises `CommandError`."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        hint = f"As in {option} 2026-11-28, {option} 2026-11-28T09:00 or {option} 2026-11-28T09:00:00Z."
        raise CommandError(f"{option} {text} is not a time: {error}.", hint=hint) from error
