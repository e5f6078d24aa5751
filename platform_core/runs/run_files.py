"""The files that a run names: in its params, its outputs, and what its nodes gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import run_events
from platform_core.runs.run_store import Run

MARK = "$file"
OWN = "files:"
"""Begins a reference into the files of the run's owner; others are addresses elsewhere."""


@dataclass(frozen=True)
class RunFile:
    """A file value of a run; `found_in` is a JSON pointer such as `/outputs/report` or `/nodes/score/result`."""

    reference: str
    found_in: str
    size: int | None
    media_type: str | None
    sha256: str | None

    @property
    def path(self) -> str | None:
        """Its path among the owner's files; None for one that is elsewhere."""
        return self.reference.removeprefix(OWN) if self.reference.startswith(OWN) else None


def files_of_run(connection: Connection, run: Run) -> list[RunFile]:
    """The files, each reference once: of outputs, then of params, then of what nodes gave in their order."""
    found = [*_files(run.outputs, "/outputs"), *_files(run.params, "/params")]
    query = (
        sa.select(run_events.c.node, run_events.c.data)
        .where(run_events.c.run_id == run.run_id, run_events.c.type == "node.output")
        .where(sa.func.strpos(sa.type_coerce(run_events.c.data, sa.Text), f'"{MARK}"') > 0)
        .order_by(run_events.c.seq)
    )
    for node, data in connection.execute(query):
        found += _files(data.get("value"), f"/nodes/{_token(node)}/{_token(str(data.get('port')))}")
    unique: dict[str, RunFile] = {}
    for file in found:
        unique.setdefault(file.reference, file)
    return list(unique.values())


def files_in_outputs(outputs: Any) -> list[RunFile]:
    """The files in a run's outputs, with their places in them."""
    return list(_files(outputs, ""))


def _files(value: Any, place: str) -> Iterator[RunFile]:
    if isinstance(value, dict):
        reference = value.get(MARK)
        if isinstance(reference, str):
            size = value.get("size")
            known = size if isinstance(size, int) and not isinstance(size, bool) else None
            yield RunFile(reference, place, known, *(_text(value.get(key)) for key in ("media_type", "sha256")))
            return
        for key, each in value.items():
            yield from _files(each, f"{place}/{_token(key)}")
    elif isinstance(value, list):
        for row, each in enumerate(value):
            yield from _files(each, f"{place}/{row}")


def _text(value: Any) -> str | None:
    """Params are as the caller wrote them, so a file value in them may hold anything."""
    return value if isinstance(value, str) else None


def _token(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")
