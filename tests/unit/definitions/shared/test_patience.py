"""Reads that outlive a restart of the database."""

from __future__ import annotations

import pytest

from definitions.shared.patience import patient_read
from platform_core.errors import RunNotFound, Unavailable


class Shaky:
    """A read that fails some times before it succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "read"


def test_read_is_repeated_until_the_database_is_back() -> None:
    read = Shaky(Unavailable("away"), Unavailable("away"))
    assert (patient_read(read), read.calls) == ("read", 3)


def test_patience_has_an_end() -> None:
    with pytest.raises(Unavailable, match="away"):
        patient_read(Shaky(*[Unavailable("away")] * 9), patience=0.0)


def test_other_errors_are_told_at_once() -> None:
    read = Shaky(RunNotFound("no such run"))
    with pytest.raises(RunNotFound):
        patient_read(read)
    assert read.calls == 1
