"""The moment before which a user's tokens, sessions and tickets were given out that no longer hold."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.engine import Connection

from platform_core.database.tables import sessions, tickets, users


def end_credentials(connection: Connection, user_id: str) -> None:
    """End what the user has proved who they are with until now, and the streams that rest on it.

    API keys stay: they are credentials of their own with names to be deleted by.
    """
    # The clock by which tokens are dated, which need not be that of the database.
    connection.execute(users.update().where(users.c.id == user_id).values(tokens_valid_from=datetime.now(UTC)))
    for table in (tickets, sessions):
        connection.execute(table.delete().where(table.c.user_id == user_id))
