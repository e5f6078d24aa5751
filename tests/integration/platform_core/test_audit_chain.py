"""The audit log in the database: it is only added to, one chain, and what retention leaves can still be verified."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.audit import chain
from platform_core.audit.audit_store import record, record_secret_read
from platform_core.audit.chain import Link, Verdict
from platform_core.audit.entry import SYSTEM, Action, ActorKind, Author, Target, TargetKind
from platform_core.identity.user_store import User


def append(engine: Engine, *names: str) -> None:
    with engine.begin() as connection:
        for name in names:
            target = Target(TargetKind.SECRET, name=name)
            record(connection, SYSTEM, Action.SECRET_SET, target, after={"wörter": [1, 2.5, None, "\0"]})


def seal(engine: Engine) -> int:
    with engine.begin() as connection:
        return chain.seal(connection)


def verify(engine: Engine, known: Link | None = None) -> Verdict:
    with engine.begin() as connection:
        return chain.verify(connection, known)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE headrace.audit SET actor_name = 'eve'",
        "UPDATE headrace.audit SET hash = NULL, place = NULL",
        "UPDATE headrace.audit SET hash = 'x', place = 7, actor_name = 'eve'",
        "UPDATE headrace.audit SET place = 7",
        "DELETE FROM headrace.audit",
        "TRUNCATE headrace.audit",
    ],
)
def test_the_database_refuses_to_change_rows(engine: Engine, statement: str, sealed: bool) -> None:
    append(engine, "oak")
    if sealed:
        seal(engine)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_a_row_goes_with_the_change_that_is_rolled_back(engine: Engine) -> None:
    with engine.connect() as connection:
        record(connection, SYSTEM, Action.SECRET_SET, Target(TargetKind.SECRET, name="oak"))
    assert (seal(engine), verify(engine).rows) == (0, 0)


def test_those_who_append_and_seal_at_the_same_time_make_one_chain(engine: Engine) -> None:
    def append_and_seal(number: int) -> None:
        append(engine, f"a{number}", f"b{number}")
        seal(engine)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append_and_seal, range(40)))
    seal(engine)
    found = verify(engine)
    assert (found.rows, found.head.place, found.unsealed, found.broken_at) == (80, 80, 0, None)


def test_a_row_that_commits_late_is_chained_after_those_that_did_not_wait(engine: Engine) -> None:
    with engine.connect() as slow:
        record(slow, SYSTEM, Action.SECRET_SET, Target(TargetKind.SECRET, name="slow"))
        append(engine, "quick")
        assert seal(engine) == 1
        slow.commit()
    assert seal(engine) == 1
    with engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT target_name FROM headrace.audit ORDER BY place")).all()
    assert names == ["quick", "slow"]
    assert verify(engine).broken_at is None


@pytest.mark.parametrize(
    ("attack", "place"),
    [
        ("UPDATE headrace.audit SET after = '{}' WHERE place = 3", 3),
        ("UPDATE headrace.audit SET at = at - interval '1 microsecond' WHERE place = 2", 2),
        ("DELETE FROM headrace.audit WHERE place = 1", 1),
        ("DELETE FROM headrace.audit WHERE place IN (3, 4)", 3),
        ("UPDATE headrace.audit SET place = 6 - place WHERE place IN (2, 4)", 2),
    ],
)
def test_who_gets_around_the_guard_is_found_at_the_place(engine: Engine, attack: str, place: int) -> None:
    append(engine, *"abcde")
    seal(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        if "6 - place" in attack:
            connection.execute(sa.text("DROP INDEX headrace.audit_place_key"))
        connection.execute(sa.text(attack))
    found = verify(engine)
    assert (found.broken_at, found.rows) == (place, place - 1)


def test_rows_that_are_cut_off_at_the_end_are_missed_by_who_noted_the_head(engine: Engine) -> None:
    append(engine, *"abc")
    seal(engine)
    head = verify(engine).head
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("DELETE FROM headrace.audit WHERE place = 3"))
    assert (verify(engine).broken_at, verify(engine, head).holds_known) == (None, False)


def _age(engine: Engine, places: int) -> None:
    """Let rows be of a year and a half ago, and the chain right nevertheless."""
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        change = "UPDATE headrace.audit SET at = at - interval '500 days', place = NULL, hash = NULL WHERE id <= :id"
        connection.execute(sa.text(change), {"id": places})


def test_retention_removes_the_oldest_and_says_so_and_the_rest_can_be_verified(engine: Engine) -> None:
    append(engine, *"abcde")
    _age(engine, 3)
    seal(engine)
    before = verify(engine)
    with engine.begin() as connection:
        assert chain.forget(connection, 400) == 3
        assert chain.forget(connection, 400) == 0
    seal(engine)
    after = verify(engine)
    assert (after.anchor.place, after.rows, after.head.place, after.broken_at) == (3, 3, 6, None)
    assert verify(engine, before.head).holds_known is True
    assert verify(engine, after.anchor).holds_known is True
    assert verify(engine, Link(1, bytes(32))).holds_known is None
    with engine.connect() as connection:
        told = connection.execute(sa.text("SELECT action, after FROM headrace.audit ORDER BY place DESC")).first()
    assert told is not None
    assert told.action == "audit.forgotten"
    assert after.anchor.hash.hex() in told.after
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM headrace.audit"))


def test_portions_make_no_difference(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH", 2)
    append(engine, *"abcde")
    _age(engine, 5)
    assert seal(engine) == 5
    with engine.begin() as connection:
        assert [chain.forget(connection, 400) for _ in range(4)] == [2, 2, 1, 0]
    seal(engine)
    found = verify(engine)
    assert (found.anchor.place, found.rows, found.head.place, found.broken_at) == (5, 3, 8, None)


def test_a_young_row_keeps_those_after_it(engine: Engine) -> None:
    append(engine, "young")
    seal(engine)
    append(engine, "old")
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("UPDATE headrace.audit SET at = at - interval '500 days' WHERE hash IS NULL"))
    seal(engine)
    with engine.begin() as connection:
        assert chain.forget(connection, 400) == 0


def test_a_run_that_reads_a_secret_again_is_told_of_once(engine: Engine, ada: User) -> None:
    one, other = (Author(ActorKind.RUN, run_id, "mill") for run_id in ("run-1", "run-2"))
    for author in (one, one, other):
        with engine.begin() as connection:
            record_secret_read(connection, author, "oak", ada.id, "stored")
    assert seal(engine) == 2
