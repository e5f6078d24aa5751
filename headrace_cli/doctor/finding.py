"""One thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How it is: fine, worth knowing, or in the way of running safely."""

    OK = "ok"
    NOTE = "note"
    MEND = "mend"


@dataclass(frozen=True)
class Finding:
    """`said` is what was found, `advice` what to do next, if anything is to be done."""

    name: str
    grade: Grade
    said: str
    advice: str | None = None
