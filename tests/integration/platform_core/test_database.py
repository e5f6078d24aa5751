"""What a database that is away, and one that refuses, are called."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.engine import DatabaseError, build_engine, is_away, may_pass, reading, transaction
from platform_core.errors import Unavailable


def refusal(engine: Engine, state: str) -> Exception:
    with pytest.raises(sa.exc.DBAPIError) as raised, engine.begin() as connection:
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'x'; END $$")
    return raised.value


@pytest.mark.parametrize(
    ("state", "passes"),
    [("53100", True), ("57014", True), ("40P01", True), ("55P03", True), ("54000", False), ("22012", False)],
)
def test_refusal_on_a_live_connection_is_no_loss(engine: Engine, state: str, passes: bool) -> None:
    error = refusal(engine, state)
    assert (is_away(error), may_pass(error)) == (False, passes)


def test_lost_and_unreachable_databases_are_away(engine: Engine) -> None:
    with pytest.raises(DatabaseError) as lost, engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DatabaseError) as unreachable:
        build_engine("postgresql://nobody@127.0.0.1:9/none").connect()
    for error in (lost.value, unreachable.value):
        assert (is_away(error), may_pass(error)) == (True, True)


def test_full_disk_is_not_called_a_database_that_cannot_be_reached(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="cannot do this now: its disk is full"), transaction(engine) as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$")


def test_refusal_that_will_not_pass_is_no_reason_to_try_again(engine: Engine) -> None:
    with pytest.raises(sa.exc.OperationalError), reading(engine) as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '54000'; END $$")
