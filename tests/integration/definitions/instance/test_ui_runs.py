"""Runs that Dagster's UI launches and ends: checked by their graph's schema, with the name of who did it."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import DagsterRun

from definitions.execution.graph_jobs import pinned_job
from definitions.instance.caller import CALLER
from definitions.shared.pinning import remote_origin
from platform_core.audit.audit_store import AuditFilter, list_entries
from platform_core.audit.entry import ActorKind, Author
from platform_core.errors import InvalidParams
from platform_core.facts.credential import Credential
from platform_core.runs.run_store import FROM_START, LAUNCHED_BY, retry_of
from tests.integration.definitions.documents import document, transform, versioned
from tests.integration.definitions.site import Site

IDA, EVE = (Author(ActorKind.USER, f"u-{name}", name, Credential.SESSION, "192.0.2.1") for name in ("ida", "eve"))


def audited(site: Site, run_id: str) -> list[tuple[str, str | None, Credential | None, str | None]]:
    """Who did what to the run, by the audit log."""
    with site.engine.begin() as connection:
        page = list_entries(connection, AuditFilter(target=run_id), limit=10)
    return [(entry.action, entry.actor_name, entry.credential, entry.address) for entry in reversed(page.items)]


def in_the_ui(site: Site, graph_id: str, params: dict[str, Any] | None = None, **options: Any) -> DagsterRun:
    """What Dagster's UI does when `ida` launches a run of the graph's first version."""
    job = pinned_job(graph_id, 1)
    config = {} if params is None else {"resources": {"runtime": {"config": {"params": params}}}}
    tags = {**job.tags, LAUNCHED_BY: "somebody else"}
    CALLER.set(IDA)
    try:
        origin = remote_origin(job.name, site.settings)
        return site.instance.create_run_for_job(job, tags=tags, run_config=config, remote_job_origin=origin, **options)
    finally:
        CALLER.set(None)


LIMITED = {
    "type": "object",
    "properties": {"by": {"type": "integer", "maximum": 9}, "of": {"type": "string", "default": "oak"}},
    "required": ["by"],
}


def test_a_run_of_dagsters_ui_has_the_defaults_and_who_launched_it(site: Site) -> None:
    graph = site.save_graph(document("launched", transform("say", "{{ params.by }}"), params=LIMITED))
    run = in_the_ui(site, graph.id, {"by": 1})
    assert run.tags[LAUNCHED_BY] == "ida"
    adopted = site.run(run.run_id)
    assert (adopted.params, adopted.tags) == ({"by": 1, "of": "oak"}, {LAUNCHED_BY: "ida"})
    again = in_the_ui(site, graph.id, parent_run_id=run.run_id, root_run_id=run.run_id)
    assert (site.run(again.run_id).params, site.run(again.run_id).tags) == (adopted.params, adopted.tags)
    assert audited(site, run.run_id) == [("run.launched", "ida", "session", "192.0.2.1")]
    assert audited(site, again.run_id) == [("run.retried", "ida", "session", "192.0.2.1")]


@pytest.mark.parametrize(("params", "said"), [({"by": 10}, "/params/by: 10 is greater than"), (None, "is missing")])
def test_a_run_of_dagsters_ui_whose_params_do_not_fit_is_not_made(
    site: Site, params: dict[str, Any] | None, said: str
) -> None:
    graph = site.save_graph(document("refused", transform("say", "{{ params.by }}"), params=LIMITED))
    before = site.instance.get_runs_count()
    with pytest.raises(InvalidParams, match=said):
        in_the_ui(site, graph.id, params)
    assert site.instance.get_runs_count() == before


def test_only_dagsters_ui_says_who_launched_a_run(site: Site) -> None:
    graph = site.save_graph(versioned("unsaid", 1))
    job = pinned_job(graph.id, 1)
    tags = {**job.tags, LAUNCHED_BY: "ida"}
    run = site.instance.create_run_for_job(job, tags=tags, remote_job_origin=remote_origin(job.name, site.settings))
    assert LAUNCHED_BY not in run.tags
    assert site.run(run.run_id).tags == {}


def test_a_retry_is_of_who_retries(site: Site) -> None:
    graph = site.save_graph(document("retried", transform("say", "{{ 1 / params.by }}"), params=LIMITED))
    run = in_the_ui(site, graph.id, {"by": 0})
    site.instance.report_run_failed(run)
    with site.engine.begin() as connection:
        assert retry_of(connection, site.run(run.run_id), FROM_START).tags == {}


def test_who_ends_a_run_in_dagsters_ui_is_in_its_log_and_events(site: Site) -> None:
    run = in_the_ui(site, site.save_graph(versioned("ended", 1)).id)
    site.instance.submit_run(run.run_id, None)  # type: ignore[arg-type]  # the queue does not read it
    CALLER.set(EVE)
    try:
        assert site.instance.run_coordinator.cancel_run(run.run_id)
    finally:
        CALLER.set(None)
    said = "eve ends the run in Dagster's UI."
    assert said in [entry.message for entry in site.instance.all_logs(run.run_id)]
    with site.engine.begin() as connection:
        query = "SELECT message FROM headrace.run_events WHERE run_id = %s ORDER BY seq"
        messages = connection.exec_driver_sql(query, (run.run_id,)).scalars().all()
    assert said in messages
    assert site.run(run.run_id).status == "CANCELED"
    assert audited(site, run.run_id)[1:] == [("run.canceled", "eve", "session", "192.0.2.1")]
