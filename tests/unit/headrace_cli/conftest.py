"""Fixtures of the command line's tests."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from definitions.sandbox.process import adopt_orphans

PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def _subreaper() -> Iterator[None]:
    """This process adopts orphans, as `headrace up` does, for the time of a test."""
    adopt_orphans()
    yield
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)
