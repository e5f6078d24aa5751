"""What a PostgreSQL server says of itself."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.engine import reading

_STATE = sa.text("SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())")


@dataclass(frozen=True)
class Server:
    """Its version as text, and its clock as Unix time in seconds."""

    version: str
    time: float


def look_at(engine: Engine) -> Server:
    """Raises `Unavailable` if it cannot be reached."""
    with reading(engine) as connection:
        version, time = connection.execute(_STATE).one()
    return Server(str(version), float(time))
