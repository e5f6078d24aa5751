"""For whom Dagster's UI acts at this moment, so that what it stores says so."""

from __future__ import annotations

from contextvars import ContextVar

from platform_core.audit.entry import Author

CALLER: ContextVar[Author | None] = ContextVar("caller", default=None)
"""The user; None in every process but the UI's."""
