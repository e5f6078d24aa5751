"""The text of a statement that is executed for every run or call."""

from __future__ import annotations

LONGEST = 4096
"""Characters up to which psycopg keeps what it has made of a statement's placeholders (`MAX_CACHED_STATEMENT_LENGTH`);
a longer one is taken apart at each execution, which costs more than to execute it."""


def hot_statement(text: str) -> str:
    """The statement with each run of white space as one blank; it may hold no comment and no text with white space.

    Raises ValueError if it is too long to be kept.
    """
    short = " ".join(text.split())
    if len(short) > LONGEST:
        raise ValueError(f"A statement of {len(short)} characters is taken apart at each execution.")
    return short
