"""The inbox sensor launches what webhooks delivered and nobody launched, once, beside a daemon that does the same."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from dagster import SkipReason, build_sensor_context

from definitions import sensors
from definitions.sensors import inbox
from platform_core.tables import deliveries, runs, triggers
from tests.integration.definitions.documents import versioned
from tests.integration.definitions.site import Site


def deliver(site: Site, age: float = 60.0) -> tuple[str, str]:
    """A delivery that was accepted `age` seconds ago; its id and its run's."""
    graph = site.save_graph(versioned("delivered", 1))
    run_id = site.accept(graph)
    delivery, trigger = str(uuid.uuid4()), str(uuid.uuid4())
    with site.engine.begin() as connection:
        values = {"id": trigger, "graph_id": graph.id, "trigger_id": trigger, "type": "webhook", "config": {}}
        connection.execute(triggers.insert().values(values))
        call = {"delivery_key": delivery, "method": "POST", "headers": {}, "body": b"", "verdict": "accepted"}
        connection.execute(deliveries.insert().values(id=delivery, trigger=trigger, run_id=run_id, **call))
        ago = sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, age)
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(created_at=ago))
    return delivery, run_id


def tick(site: Site) -> str:
    """What one evaluation says."""
    said = inbox(build_sensor_context(instance=site.instance))
    assert isinstance(said, SkipReason)
    assert said.skip_message is not None
    return said.skip_message


def test_waiting_delivery_is_launched_under_its_run_id_with_its_own_id_as_run_key(site: Site) -> None:
    delivery, run_id = deliver(site)
    assert tick(site) == f"Launched 1: {delivery} (run {run_id})"
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status.value == "QUEUED"
    assert {name: run.tags[name] for name in ("dagster/run_key", "dagster/sensor_name")} == {
        "dagster/run_key": delivery,
        "dagster/sensor_name": "inbox",
    }
    assert tick(site) == "No delivery waits longer than 15 s."
    assert site.submission.submit_accepted() == 0


def test_delivery_of_just_now_is_left_to_the_daemon(site: Site) -> None:
    _, run_id = deliver(site, age=0)
    assert tick(site) == "No delivery waits longer than 15 s."
    assert site.dagster_status(run_id) is None
    assert site.submission.submit_accepted() == 1


def test_sensor_and_daemon_at_once_launch_each_delivery_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "PATIENCE", 0.0)
    run_ids = [deliver(site)[1] for _ in range(20)]
    with ThreadPoolExecutor(2) as pool:
        swept = pool.submit(tick, site)
        site.submission.submit_accepted()
        swept.result()
    site.submission.submit_accepted()
    assert [site.dagster_status(run_id) for run_id in run_ids] == ["QUEUED"] * 20
    queued = "SELECT count(*) FROM public.event_logs WHERE run_id = :run AND dagster_event_type = 'PIPELINE_ENQUEUED'"
    assert [site.fetch(queued, run=run_id) for run_id in run_ids] == [[(1,)]] * 20
