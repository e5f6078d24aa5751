"""The names of all secrets of an owner, wherever they are kept."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.identity.secret_store import list_secrets
from platform_core.secret_sources.source import SourceName

Named = tuple[str, SourceName]


def list_names(
    connection: Connection, owner_id: str, outside: Mapping[str, SourceName], *, limit: int, cursor: str | None = None
) -> Page[Named]:
    """Names with the source that gives each: the database, or for what it does not have that of `outside`.

    Raises `BadCursor`.
    """
    after = "" if cursor is None else decode_cursor(cursor, str)[0]
    stored = list_secrets(connection, owner_id, limit=limit, cursor=cursor)
    found = {name: source for name, source in outside.items() if name > after}
    found |= dict.fromkeys(stored.items, SourceName.STORED)
    # Cut before the end of what was read of the database, so no stored name is taken for one of outside.
    names = sorted(found)[:limit]
    has_more = len(found) > limit or stored.next_cursor is not None
    return Page([(name, found[name]) for name in names], encode_cursor(names[-1]) if has_more else None)
