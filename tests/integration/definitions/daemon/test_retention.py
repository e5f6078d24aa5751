"""Ended runs are removed when their graph's retention has passed, and with them all that they kept."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from dagster import DagsterInstance

from definitions.daemon.abandoned_uploads import remove_abandoned
from definitions.daemon.retention import Retention, RunsKept
from definitions.execution.context import process_context
from platform_core.audit.audit_store import record
from platform_core.audit.chain import seal
from platform_core.audit.entry import SYSTEM, Action, Target, TargetKind
from platform_core.errors import RunNotFound
from platform_core.runs.upload_store import folder_of, keep_file
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Document, Site

HOUR = {"retention": "1h"}
_OLDER = "UPDATE headrace.runs SET ended_at = ended_at - :age WHERE run_id = :run"


def kept(name: str, **settings: object) -> Document:
    text = transform("a", "x" * 100_000)
    return {**document(name, text, transform("b", "{{ inputs.x | length }}"), edges=("a.value -> b.x",)), **settings}


def sweep(site: Site) -> int:
    return Retention(site.settings, site.engine, site.instance, process_context().spilled_values).sweep(
        threading.Event()
    )


def grow_old(site: Site, run_id: str, age: timedelta) -> None:
    with site.engine.begin() as connection:
        connection.execute(sa.text(_OLDER), {"age": age, "run": run_id})


def test_run_goes_with_its_events_values_and_files(site: Site) -> None:
    run_id = site.execute(kept("brief", settings=HOUR))
    folder = site.settings.home / "values" / run_id
    assert folder.is_dir()
    grow_old(site, run_id, timedelta(minutes=61))
    assert sweep(site) == 1
    with pytest.raises(RunNotFound):
        site.run(run_id)
    for table in ("run_events", "run_values"):
        assert site.fetch(f"SELECT 1 FROM headrace.{table} WHERE run_id = :run", run=run_id) == []
    assert not site.instance.has_run(run_id)
    assert site.fetch("SELECT 1 FROM event_logs WHERE run_id = :run", run=run_id) == []
    assert not folder.exists()
    assert sweep(site) == 0


def test_what_is_too_old_of_the_audit_log_goes(site: Site) -> None:
    with site.engine.begin() as connection:
        for name in ("old", "young"):
            record(connection, SYSTEM, Action.SECRET_SET, Target(TargetKind.SECRET, name=name))
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        older = "UPDATE headrace.audit SET at = at - interval '401 days' WHERE target_name = 'old'"
        connection.execute(sa.text(older))
        connection.execute(sa.text("SET LOCAL session_replication_role = origin"))
        seal(connection)
    sweep(site)
    names = site.fetch("SELECT target_name FROM headrace.audit WHERE action = 'secret.set'")
    assert [row.target_name for row in names] == ["young"]


def test_files_that_were_sent_for_a_run_go_with_it_and_no_others(site: Site) -> None:
    old, young = (site.execute(kept("brief", settings=HOUR)) for _ in range(2))
    grow_old(site, old, timedelta(minutes=61))
    owner = site.fetch("SELECT name FROM headrace.users WHERE id = :id", id=site.owner_id)[0].name
    top: Path = site.settings.home / "files" / owner
    for run_id in (old, young):
        keep_file(site.settings, owner, f"{folder_of(run_id)}/a/b.txt", b"x")
    (top / "mine.txt").touch()
    assert sweep(site) == 1
    files = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    assert files == {"mine.txt", f"uploads/{young}/a/b.txt"}
    assert not (top / "uploads" / old).exists()


def uploaded(site: Site, folder: str, age: timedelta) -> Path:
    """A file in a folder of the owner's `uploads`, of that age."""
    owner = site.fetch("SELECT name FROM headrace.users WHERE id = :id", id=site.owner_id)[0].name
    keep_file(site.settings, owner, f"uploads/{folder}/{'0' * 64}/note.txt", b"x")
    top: Path = site.settings.home / "files" / owner / "uploads" / folder
    for place in (*top.rglob("*"), top):
        os.utime(place, times=(time.time() - age.total_seconds(),) * 2)
    return top


def test_files_of_runs_that_never_came_to_be_are_removed_and_no_others(site: Site) -> None:
    old, hour = timedelta(hours=2), timedelta(minutes=59)
    ended = uploaded(site, site.execute(kept("brief", settings=HOUR)), old)
    waiting = uploaded(site, site.accept(site.save_graph(kept("brief"))), old)
    abandoned, young = uploaded(site, str(uuid.uuid4()), old), uploaded(site, str(uuid.uuid4()), hour)
    own = uploaded(site, "2026", old)
    (own.parent / "list.csv").touch()
    os.utime(own.parent / "list.csv", (0, 0))
    assert remove_abandoned(site.settings, site.engine, threading.Event()) == 1
    assert not abandoned.exists()
    assert {place.name for place in own.parent.iterdir()} >= {
        ended.name,
        waiting.name,
        young.name,
        own.name,
        "list.csv",
    }


def test_abandoned_files_are_looked_for_once_an_hour(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    retention = Retention(site.settings, site.engine, site.instance, process_context().spilled_values)
    stop = threading.Event()
    first = uploaded(site, str(uuid.uuid4()), timedelta(hours=2))
    retention.sweep(stop)
    second = uploaded(site, str(uuid.uuid4()), timedelta(hours=2))
    retention.sweep(stop)
    assert (first.exists(), second.exists()) == (False, True)
    monkeypatch.setattr("definitions.daemon.retention.ABANDONED_EVERY", 0.0)  # nobody waits for an hour
    retention.sweep(stop)
    assert not second.exists()


def test_younger_runs_and_those_without_a_retention_stay(site: Site) -> None:
    young = site.execute(kept("brief", settings=HOUR))
    grow_old(site, young, timedelta(minutes=59))
    forever = site.execute(kept("forever", description="It has no retention."))
    grow_old(site, forever, timedelta(days=4000))
    assert sweep(site) == 0
    assert {site.run(run_id).status for run_id in (young, forever)} == {"SUCCESS"}


def test_run_that_has_not_ended_stays(site: Site) -> None:
    waiting = site.accept(site.save_graph(kept("brief", settings={"retention": 0})))
    assert sweep(site) == 0
    assert site.run(waiting).status == "QUEUED"
    site.cancel(waiting)
    site.cancel_requested()
    assert sweep(site) == 1


def test_run_stays_while_another_retries_it(site: Site) -> None:
    graph = site.save_graph(kept("retried", settings=HOUR))
    first = site.execute(kept("retried", settings=HOUR))
    retry = site.accept(graph, parent_run_id=first, retry_from="start")
    grow_old(site, first, timedelta(hours=2))
    assert sweep(site) == 0
    site.cancel(retry)
    site.cancel_requested()
    grow_old(site, retry, timedelta(hours=2))
    assert sweep(site) == 2


def test_sweep_that_was_interrupted_is_taken_up(site: Site) -> None:
    run_id = site.execute(kept("interrupted", settings=HOUR))
    grow_old(site, run_id, timedelta(hours=2))
    process_context().spilled_values.delete(run_id)
    site.instance.delete_run(run_id)
    assert sweep(site) == 1


def test_run_that_cannot_be_removed_keeps_no_other_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two versions; the one that stays is the oldest, and is removed once that can be done."""
    stuck, other, later = (site.execute(kept(name, settings=HOUR)) for name in ("stuck", "stuck", "later"))
    for run_id, hours in ((stuck, 4), (other, 3), (later, 2)):
        grow_old(site, run_id, timedelta(hours=hours))
    delete = DagsterInstance.delete_run

    def refuse(instance: DagsterInstance, run_id: str) -> None:
        if run_id == stuck:
            raise RuntimeError("it is locked")
        delete(instance, run_id)

    with monkeypatch.context() as patch:
        patch.setattr(DagsterInstance, "delete_run", refuse)
        with pytest.raises(RunsKept, match=f"1 runs past their retention stay, the first is {stuck}: it is locked"):
            sweep(site)
    for run_id in (other, later):
        with pytest.raises(RunNotFound):
            site.run(run_id)
    assert site.run(stuck).status == "SUCCESS"
    assert sweep(site) == 1
