"""What all models of the document share: they are frozen, strict and closed, and names follow three patterns."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

GRAPH_NAME = r"^[a-z][a-z0-9-]{0,62}$"
ID = r"^[a-z][a-z0-9_]{0,62}$"
TRIGGER_ID = r"^[a-z][a-z0-9_-]{0,62}$"

Identifier = Annotated[str, StringConstraints(pattern=ID)]
TriggerId = Annotated[str, StringConstraints(pattern=TRIGGER_ID)]


class Model(BaseModel):
    """Frozen, strict, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
