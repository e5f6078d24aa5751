"""The event storage as Dagster and the nodes' runtime call it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterEvent
from dagster._core.events.log import EventLogEntry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from definitions.instance.run_events import NewEvent
from platform_core.database.engine import DatabaseError
from platform_core.runs.run_event_store import RunEvent, read_events
from tests.integration.definitions.documents import versioned
from tests.integration.definitions.site import Site

WRITERS = 4
EVENTS_EACH = 50


@pytest.fixture
def run_id(site: Site) -> str:
    """A run that Dagster has."""
    run_id = site.accept(site.save_graph(versioned("written", 1)))
    site.start(run_id)
    return run_id


class Follower:
    """Follows a run by cursor from a thread, as the stream does."""

    def __init__(self, site: Site, run_id: str) -> None:
        self._site = site
        self._run_id = run_id
        self._stop = threading.Event()
        self.seen: list[RunEvent] = []
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def close(self) -> list[RunEvent]:
        """Everything that was seen, with what is there at the end."""
        self._stop.set()
        self._thread.join()
        return self.seen

    def _follow(self) -> None:
        while True:
            was_last = self._stop.is_set()
            cursor = self.seen[-1].seq if self.seen else 0
            with self._site.engine.begin() as connection:
                page = read_events(connection, self._run_id, cursor, 7)
            self.seen += page
            if was_last and not page:
                return


def test_reader_that_follows_four_writers_sees_exactly_what_they_wrote(site: Site, run_id: str) -> None:
    follower = Follower(site, run_id)

    def write(writer: int) -> None:
        for number in range(EVENTS_EACH):
            site.storage.store_run_event(run_id, NewEvent(time.time(), "log", f"{writer}:{number}", f"w{writer}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    seen = follower.close()
    assert seen == site.events(run_id)
    assert [event.seq for event in seen] == list(range(1, 2 + WRITERS * EVENTS_EACH))
    for writer in range(WRITERS):
        messages = [event.message for event in seen if event.node == f"w{writer}"]
        assert messages == [f"{writer}:{number}" for number in range(EVENTS_EACH)]


def test_success_is_visible_and_ends_the_log(site: Site, run_id: str) -> None:
    assert site.run(run_id).status == "STARTING"
    site.instance.report_dagster_event(DagsterEvent("PIPELINE_START", "written"), run_id)
    site.instance.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", "written"), run_id)
    run = site.run(run_id)
    assert (run.status, run.outputs, run.error) == ("SUCCESS", None, None)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.started_at <= run.ended_at
    last = site.events(run_id)[-1].wire()
    assert (last["type"], last["final"], last["count"]) == ("run.succeeded", True, 3)


def test_nothing_follows_the_final_event_and_dagster_keeps_its_status(site: Site, run_id: str) -> None:
    site.instance.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", "written"), run_id)
    before, story = site.run(run_id), site.story(run_id)
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    site.instance.report_run_failed(run, "too late")
    site.instance.report_run_canceling(run)
    site.instance.report_run_canceled(run)
    site.instance.report_engine_event("only Dagster shows this", run)
    site.storage.store_run_event(run_id, NewEvent(1.0, "log", "late", "node"))
    assert (site.run(run_id), site.story(run_id)) == (before, story)
    assert site.dagster_status(run_id) == "SUCCESS"


def test_failure_carries_its_reason(site: Site, run_id: str) -> None:
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    site.instance.report_run_failed(run, "The run worker was eaten.")
    error = {"kind": "run_failed", "message": "The run worker was eaten.", "node": None}
    assert (site.run(run_id).status, site.run(run_id).error) == ("FAILURE", error)
    assert site.events(run_id)[-1].data == {"error": error}


def test_change_of_the_status_wakes_the_queue_when_the_run_ends(site: Site, run_id: str) -> None:
    with site.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("LISTEN headrace_queue")
        connection.exec_driver_sql("LISTEN headrace_events")
        site.instance.report_dagster_event(DagsterEvent("PIPELINE_START", "written"), run_id)
        site.instance.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", "written"), run_id)
        raw = connection.connection.driver_connection
        assert raw is not None
        told = [(note.channel, note.payload) for note in raw.notifies(timeout=10, stop_after=3)]
    assert told == [("headrace_events", f"{run_id}:2"), ("headrace_events", f"{run_id}:3"), ("headrace_queue", run_id)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x00b", "a\ufffdb"), ("lone \ud800", "lone ?"), ("", ""), ("\u2028 \U0001f600", "\u2028 \U0001f600")],
)
def test_any_text_can_be_logged(site: Site, run_id: str, text: str, shown: str) -> None:
    site.storage.store_event(EventLogEntry(None, 20, text, run_id, 1.0, step_key="node"))
    site.storage.store_run_event(run_id, NewEvent(2.0, "stdout", text, "node", data={"text": text}))
    emitted = site.events(run_id)[-1]
    assert (emitted.message, emitted.data) == (shown, {"text": text})
    assert [record.user_message for record in site.instance.all_logs(run_id)][-1] == text


@given(st.text(st.characters(exclude_categories=())))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_stops_a_run(site: Site, run_id: str, text: str) -> None:
    site.storage.store_run_event(run_id, NewEvent(1.0, "stdout", text, data={text: text}))
    assert site.events(run_id)[-1].data == {text: text}


def test_assets_of_foreign_jobs_are_kept(site: Site) -> None:
    key = AssetKey(["warehouse", "orders"])
    site.instance.report_runless_asset_event(AssetMaterialization(key))
    assert site.instance.get_latest_materialization_event(key) is not None
    assert list(site.instance.get_asset_keys()) == [key]


def change(site: Site, statement: str) -> None:
    with site.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_commit_that_a_live_database_refuses_is_repeated_with_pauses_that_grow(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another transaction holds the run's row longer than a statement waits for it."""
    database = site.engine.url.database
    site.storage.dispose_connections()
    change(site, f"ALTER DATABASE \"{database}\" SET lock_timeout = '20ms'")
    before = len(site.events(run_id))
    pauses: list[float] = []
    holder = site.engine.connect()
    try:
        holder.exec_driver_sql("SELECT 1 FROM headrace.runs WHERE run_id = %s FOR UPDATE", (run_id,))

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 4:
                holder.rollback()

        monkeypatch.setattr(time, "sleep", pause)
        site.storage.store_run_event(run_id, NewEvent(time.time(), "custom", "said once"))
    finally:
        holder.close()
        change(site, f'ALTER DATABASE "{database}" RESET lock_timeout')
        site.storage.dispose_connections()
    assert [event.message for event in site.events(run_id)[before:]] == ["said once"]
    assert len(pauses) == 4
    assert all(0.05 * 2**number <= seconds <= 0.1 * 2**number for number, seconds in enumerate(pauses))


def test_commit_that_will_never_succeed_is_not_repeated(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it is tried again"))
    site.storage.dispose_connections()
    change(
        site,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = 'too much'; END $$",
    )
    change(
        site, "CREATE TRIGGER never BEFORE INSERT ON headrace.run_events FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
    )
    try:
        with pytest.raises(DatabaseError, match="too much"):
            site.storage.store_run_event(run_id, NewEvent(time.time(), "custom", "refused"))
    finally:
        change(site, "DROP FUNCTION refuse() CASCADE")
