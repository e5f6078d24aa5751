"""The inbox sensor launches what webhooks delivered and nobody launched, once, beside a daemon that does the same."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from dagster import SensorEvaluationContext, SkipReason, build_sensor_context

from definitions.daemon.run_queue import Turns
from definitions.location.sensors import inbox
from platform_core.database.tables import deliveries, triggers
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import versioned
from tests.integration.definitions.site import Site

NOTHING = "No delivery whose turn has come waits longer than 15 s."


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    """With room for the runs of all tests, since nothing executes them."""
    return create_site(HEADRACE_MAX_CONCURRENT_RUNS="30")


def deliver(site: Site) -> tuple[str, str]:
    """A delivery that was accepted; its id and its run's."""
    graph = site.save_graph(versioned("delivered", 1))
    run_id = site.accept(graph)
    delivery, trigger = str(uuid.uuid4()), str(uuid.uuid4())
    with site.engine.begin() as connection:
        values = {"id": trigger, "graph_id": graph.id, "trigger_id": trigger, "type": "webhook", "config": {}}
        connection.execute(triggers.insert().values(values))
        call = {"delivery_key": delivery, "method": "POST", "headers": {}, "body": b"", "verdict": "accepted"}
        connection.execute(deliveries.insert().values(id=delivery, trigger=trigger, run_id=run_id, **call))
    return delivery, run_id


def tick(site: Site, before: SensorEvaluationContext | None = None) -> tuple[str, SensorEvaluationContext]:
    """What one evaluation says, and its context, which the next one goes on from."""
    context = build_sensor_context(instance=site.instance, cursor=before.cursor if before else None)
    said = inbox(context)
    assert isinstance(said, SkipReason)
    assert said.skip_message is not None
    return said.skip_message, context


def test_delivery_nobody_launched_is_launched_under_its_run_id_with_its_own_id_as_run_key(site: Site) -> None:
    delivery, run_id = deliver(site)
    said, first = tick(site)
    assert (said, site.dagster_status(run_id)) == (NOTHING, None)
    said, second = tick(site, first)
    assert said == f"Launched 1: {delivery} (run {run_id})"
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status.value == "STARTING"
    assert {name: run.tags[name] for name in ("dagster/run_key", "dagster/sensor_name")} == {
        "dagster/run_key": delivery,
        "dagster/sensor_name": "inbox",
    }
    assert tick(site, second)[0] == NOTHING
    assert site.start(run_id) == 0


def test_delivery_that_the_daemon_launched_in_between_is_left_alone(site: Site) -> None:
    _, run_id = deliver(site)
    _, first = tick(site)
    assert site.start(run_id) == 1
    assert tick(site, first)[0] == NOTHING
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    assert "dagster/run_key" not in run.tags


def test_run_that_no_delivery_started_is_left_to_the_daemon(site: Site) -> None:
    run_id = site.accept(site.save_graph(versioned("manual", 1)))
    _, first = tick(site)
    assert tick(site, first)[0] == NOTHING
    assert site.dagster_status(run_id) is None


def test_sensor_and_daemon_at_once_launch_each_delivery_once(site: Site) -> None:
    run_ids = [deliver(site)[1] for _ in range(20)]
    _, first = tick(site)
    with ThreadPoolExecutor(2) as pool:
        swept = pool.submit(tick, site, first)
        site.start(*Turns(site.settings, site.engine).next().run_ids)
        swept.result()
    assert [site.dagster_status(run_id) for run_id in run_ids] == ["STARTING"] * 20
    started = "SELECT count(*) FROM public.event_logs WHERE run_id = :run AND dagster_event_type = 'PIPELINE_STARTING'"
    assert [site.fetch(started, run=run_id) for run_id in run_ids] == [[(1,)]] * 20


def test_delivery_that_waits_for_its_turn_keeps_waiting(create_site: NewSite) -> None:
    """The last test, because the process then belongs to the new site."""
    site = create_site(HEADRACE_MAX_CONCURRENT_RUNS="1")
    assert site.start(deliver(site)[1]) == 1
    _, waiting = deliver(site)
    _, first = tick(site)
    assert tick(site, first)[0] == NOTHING
    assert site.dagster_status(waiting) is None
