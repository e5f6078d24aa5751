"""The code location follows the store, and a run keeps the version it was made with."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from dagster import DagsterEvent, DagsterInvariantViolationError, RepositoryData, RepositoryDefinition
from dagster._core.execution.api import create_execution_plan
from dagster._core.storage.tags import RESUME_RETRY_TAG

from definitions.execution.graph_jobs import pinned_job
from definitions.shared.pinning import code_origin, remote_origin
from platform_core.errors import VersionNotFound
from platform_core.graphs.graph_store import delete_graph
from tests.integration.definitions.documents import document, transform, versioned
from tests.integration.definitions.site import Site


@pytest.fixture(scope="module")
def module(site: Site) -> dict[str, Any]:
    """The names of definitions.repository, which reads the environment when it is loaded, as Dagster wants it."""
    return runpy.run_module("definitions.repository")


@pytest.fixture(scope="module")
def graphs(site: Site, module: dict[str, Any]) -> RepositoryData:
    """One object for all tests, as the code server has."""
    data: RepositoryData = module["StoredGraphs"](site.engine)
    return data


def test_new_graph_is_a_job_at_once(site: Site, graphs: RepositoryData) -> None:
    assert not graphs.has_job("ada__fresh_one")
    site.save_graph(versioned("fresh-one", 1))
    assert graphs.has_job("ada__fresh_one")
    assert "ada__fresh_one" in graphs.get_job_names()
    assert graphs.get_job("ada__fresh_one").name == "ada__fresh_one"


def test_new_version_is_another_job_and_the_same_version_the_same_object(site: Site, graphs: RepositoryData) -> None:
    site.save_graph(versioned("changing", 1))
    first = graphs.get_job("ada__changing")
    assert graphs.get_job("ada__changing") is first
    site.save_graph(document("changing", transform("say", 1), transform("more", 2)))
    second = graphs.get_job("ada__changing")
    assert second is not first
    assert second.get_job_snapshot_id() != first.get_job_snapshot_id()
    site.save_graph(versioned("changing", 1))
    assert graphs.get_job("ada__changing") is first


def test_version_compiled_by_another_process_has_the_same_snapshot(site: Site) -> None:
    graph = site.save_graph(versioned("stable", 1))
    first = pinned_job(graph.id, 1).get_job_snapshot_id()
    pinned_job.cache_clear()
    assert pinned_job(graph.id, 1).get_job_snapshot_id() == first


def test_deleted_graph_disappears_while_its_queued_run_still_executes(site: Site, graphs: RepositoryData) -> None:
    graph = site.save_graph(versioned("leaving", 1))
    started, waiting = site.accept(graph), site.accept(graph)
    site.start(started)
    with site.engine.begin() as connection:
        delete_graph(connection, graph.id)
    assert not graphs.has_job("ada__leaving")
    assert "ada__leaving" not in {job.name for job in graphs.get_all_jobs()}
    site.start(waiting)
    for run_id in (started, waiting):
        site.execute_launched(run_id)
        assert site.run(run_id).outputs == {"version": 1}


def test_broken_document_hides_no_other_graph(site: Site, graphs: RepositoryData) -> None:
    site.save_graph(versioned("whole", 1))
    broken = site.save_graph(versioned("broken", 1))
    with site.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE headrace.graph_versions SET document = '{}' WHERE graph_id = %s", (broken.id,)
        )
    try:
        assert "ada__whole" in {job.name for job in graphs.get_all_jobs()}
    finally:
        with site.engine.begin() as connection:
            delete_graph(connection, broken.id)


def test_dagster_takes_it_as_a_repository(site: Site, module: dict[str, Any]) -> None:
    stored_graphs: RepositoryDefinition = module["stored_graphs"]
    site.save_graph(versioned("served", 1))
    assert "ada__served" in stored_graphs.job_names
    assert stored_graphs.get_job("ada__served").name == "ada__served"
    with pytest.raises((KeyError, DagsterInvariantViolationError)):
        stored_graphs.get_job("ada__nothing")


def test_unknown_version_is_refused(site: Site) -> None:
    graph = site.save_graph(versioned("short", 1))
    with pytest.raises(VersionNotFound):
        pinned_job(graph.id, 2)


def test_queued_run_executes_its_version_after_another_was_saved(site: Site) -> None:
    run_id = site.accept(site.save_graph(versioned("moving", 1)))
    site.save_graph(versioned("moving", 2))
    accepted_late = site.accept(site.save_graph(versioned("moving", 3)))
    site.start(run_id, accepted_late)
    for launched in (run_id, accepted_late):
        site.execute_launched(launched)
    assert [site.run(id).outputs for id in (run_id, accepted_late)] == [{"version": 1}, {"version": 3}]


def test_run_of_dagsters_ui_is_adopted_and_pinned(site: Site) -> None:
    params = {"type": "object", "properties": {"name": {"type": "string"}}}
    graph = site.save_graph(document("ui", transform("say", "{{ params.name }}"), params=params))
    job = pinned_job(graph.id, 1)
    run = site.instance.create_run_for_job(
        job,
        tags=job.tags,
        run_config={"resources": {"runtime": {"config": {"params": {"name": "Ada"}}}}},
        remote_job_origin=remote_origin(job.name, site.settings),
    )
    assert run.job_code_origin == code_origin("ada__ui", graph.id, 1)
    adopted = site.run(run.run_id)
    assert (adopted.status, adopted.owner, adopted.version, adopted.params) == ("QUEUED", "ada", 1, {"name": "Ada"})
    assert (adopted.trigger_kind, adopted.trigger_id) == ("manual", "dagster-ui")
    site.save_graph(document("ui", transform("say", "another version"), params=params))
    assert site.start(run.run_id) == 0
    site.instance.submit_run(run.run_id, None)  # type: ignore[arg-type]  # the queue does not read it
    site.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]  # our launcher needs no workspace
    site.execute_launched(run.run_id)
    assert site.run(run.run_id).status == "SUCCESS"
    assert site.storage.read_value(run.run_id, "say", "value").text == '"Ada"'


def started_in_the_ui(site: Site, graph_id: str, **options: Any) -> str:
    """What Dagster's UI does to execute a run of the graph's first version; the run has ended."""
    job = pinned_job(graph_id, 1)
    tags = {**job.tags, **options.pop("tags", {})}
    origin = remote_origin(job.name, site.settings)
    run = site.instance.create_run_for_job(job, tags=tags, remote_job_origin=origin, **options)
    site.instance.submit_run(run.run_id, None)  # type: ignore[arg-type]  # the queue does not read it
    site.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]  # our launcher needs no workspace
    site.execute_launched(run.run_id)
    return run.run_id


@pytest.mark.parametrize(("resume", "executed"), [("true", ["half"]), ("false", ["say", "half"])])
def test_re_execution_in_dagsters_ui_takes_params_and_what_had_succeeded(
    site: Site, resume: str, executed: list[str]
) -> None:
    params = {"type": "object", "properties": {"by": {"type": "integer"}}}
    nodes = [transform("say", "{{ params.by }}"), transform("half", "{{ 1 / inputs.x }}")]
    graph = site.save_graph(document(f"again-{resume}", *nodes, edges=("say.value -> half.x",), params=params))
    first = site.accept(graph, {"by": 0})
    site.start(first)
    site.execute_launched(first)
    again = {"parent_run_id": first, "root_run_id": first, "tags": {RESUME_RETRY_TAG: resume}}
    second = started_in_the_ui(site, graph.id, **again)
    assert site.run(second).params == {"by": 0}
    assert site.run(second).parent_run_id == first
    assert [node for _, node in site.story(second, "node.started")] == executed


def test_selection_of_steps_is_refused_with_what_to_do_instead(site: Site) -> None:
    graph = site.save_graph(document("chosen", transform("one", 1), transform("two", 2)))
    plan = create_execution_plan(pinned_job(graph.id, 1), step_keys_to_execute=["two"])
    run = site.run(started_in_the_ui(site, graph.id, execution_plan=plan))
    assert (run.status, (run.error or {})["kind"]) == ("FAILURE", "steps_selected")
    assert "`headrace try`" in (run.error or {})["message"]
    assert site.story(run.run_id, "node.started") == []


def test_canceled_run_of_dagsters_ui_is_not_revived_by_its_late_submission(site: Site) -> None:
    graph = site.save_graph(versioned("late", 1))
    job = pinned_job(graph.id, 1)
    run = site.instance.create_run_for_job(job, tags=job.tags, remote_job_origin=remote_origin(job.name, site.settings))
    site.cancel(run.run_id)
    site.cancel_requested()
    site.instance.report_dagster_event(DagsterEvent("PIPELINE_ENQUEUED", run.job_name), run.run_id)
    assert (site.run(run.run_id).status, site.dagster_status(run.run_id)) == ("CANCELED", "CANCELED")
