"""For whom Dagster's UI acts at this moment, so that what it stores says so."""

from __future__ import annotations

from contextvars import ContextVar

CALLER: ContextVar[str | None] = ContextVar("caller", default=None)
"""The user's name; None in every process but the UI's."""
