"""Tickets hold once, for a minute, for their run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from platform_core.database.tables import tickets
from platform_core.errors import Unauthorized
from platform_core.identity.auth import Principal
from platform_core.identity.ticket_store import issue_ticket, redeem_ticket
from platform_core.identity.user_store import User, change_user


def test_a_ticket_reads_runs_as_its_user_once(connection: Connection, ada: User) -> None:
    ticket = issue_ticket(connection, ada.id, "run-1")
    assert redeem_ticket(connection, ticket, "run-1") == Principal(ada.id, "ada", "editor", frozenset({"runs:read"}))
    with pytest.raises(Unauthorized):
        redeem_ticket(connection, ticket, "run-1")


def test_a_ticket_is_for_one_run_unless_it_is_for_any(connection: Connection, ada: User) -> None:
    with pytest.raises(Unauthorized):
        redeem_ticket(connection, issue_ticket(connection, ada.id, "run-1"), "run-2")
    assert redeem_ticket(connection, issue_ticket(connection, ada.id, None), "run-2").user_id == ada.id


def test_an_old_ticket_is_refused_and_swept(connection: Connection, ada: User) -> None:
    ticket = issue_ticket(connection, ada.id, "run-1")
    connection.execute(tickets.update().values(expires_at=sa.func.now() - sa.text("interval '1 second'")))
    with pytest.raises(Unauthorized):
        redeem_ticket(connection, ticket, "run-1")
    issue_ticket(connection, ada.id, "run-1")
    connection.execute(tickets.update().values(expires_at=sa.func.now() - sa.text("interval '1 second'")))
    issue_ticket(connection, ada.id, "run-2")
    assert list(connection.execute(sa.select(tickets.c.run_id)).scalars()) == ["run-2"]


def test_a_disabled_users_ticket_is_refused(connection: Connection, ada: User) -> None:
    ticket = issue_ticket(connection, ada.id, "run-1")
    change_user(connection, "ada", disabled=True)
    with pytest.raises(Unauthorized):
        redeem_ticket(connection, ticket, "run-1")


def test_of_many_who_come_with_a_ticket_one_enters(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        ticket = issue_ticket(connection, ada.id, "run-1")

    def enters(_: int) -> bool:
        with engine.begin() as connection:
            try:
                redeem_ticket(connection, ticket, "run-1")
            except Unauthorized:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(enters, range(8))) == 1
