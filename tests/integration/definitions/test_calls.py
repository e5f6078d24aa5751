"""Runs of graphs that call graphs: what was pinned is executed, and runs are retried and canceled within calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from platform_core.graphs.graph_store import delete_graph
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site
from tests.integration.definitions.test_retries import file as file
from tests.integration.definitions.test_retries import flaky, retry


def call(id: str, graph: str, params: Any = None, **keys: Any) -> dict[str, Any]:
    return {"id": id, "type": "graph", "config": {"graph": graph, "params": params or {}}, **keys}


def test_what_was_pinned_is_executed_after_changes_and_deletion(site: Site) -> None:
    said = document("said", transform("say", 1), outputs={"it": "{{ nodes.say.value }}"})
    site.save_graph(said)
    caller = document("caller", call("it", "said"), outputs={"it": "{{ nodes.it.it }}"})
    stored = site.save_graph(caller)
    changed = site.save_graph(document("said", transform("say", 2), outputs=said["outputs"]))
    with site.engine.begin() as connection:
        delete_graph(connection, changed.id)
    site.save_graph(document("said", transform("say", 3), outputs=said["outputs"]))
    run_id = site.accept(stored)
    site.start(run_id)
    site.execute_launched(run_id)
    assert (site.run(run_id).error, site.run(run_id).outputs) == (None, {"it": 1})


def test_nodes_of_a_call_are_dagster_steps_and_named_by_their_way(site: Site) -> None:
    site.save_graph(document("inner", transform("type", 1), outputs={"x": "{{ nodes.type.value }}"}))
    site.save_graph(document("outer", call("in", "inner"), outputs={"x": "{{ nodes.in.x }}"}))
    run_id = site.execute(document("top", call("out", "outer"), outputs={"x": "{{ nodes.out.x }}"}))
    steps = {entry.step_key for entry in site.instance.all_logs(run_id) if entry.is_dagster_event and entry.step_key}
    assert {"out.params_", "out.in_.params_", "out.in_.type_", "out.in_.outputs_", "out.outputs_"} <= steps
    assert [node for _, node in site.story(run_id, "node.started")] == ["out", "out/in", "out/in/type"]
    assert site.run(run_id).outputs == {"x": 1}


def test_retry_executes_only_what_failed_in_the_call(site: Site, file: Path) -> None:
    inner = document(
        "fragile",
        transform("large", "x" * 100_000),
        flaky(file, after=["large"]),
        transform("length", "{{ inputs.x | length + inputs.y }}"),
        edges=("large.value -> length.x", "flaky.result -> length.y"),
        outputs={"length": "{{ nodes.length.value }}"},
    )
    site.save_graph(inner)
    first = site.execute(document("caller", call("it", "fragile"), outputs={"length": "{{ nodes.it.length }}"}))
    run = site.run(first)
    assert run.error is not None
    assert (run.error["node"], site.story(first)[-2:]) == (
        "it/flaky",
        [("node.failed", "it"), ("run.failed", "it/flaky")],
    )
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"length": 100_010})
    assert [node for _, node in site.story(second, "node.started")] == ["it", "it/flaky", "it/length"]


def test_retry_executes_only_the_items_whose_call_failed(site: Site, file: Path) -> None:
    params = {"type": "object", "properties": {"item": {}}}
    worker = flaky(file)
    worker["config"]["args"]["item"] = "{{ params.item }}"
    site.save_graph(document("one-item", worker, params=params, outputs={"ten": "{{ nodes.flaky.result }}"}))
    each = call("each", "one-item", {"item": "{{ item }}"}, foreach=[0, 1, 2])
    first = site.execute(document("caller", each, outputs={"all": "{{ nodes.each.ten }}"}))
    assert (site.run(first).error or {})["node"] == "each[1]/flaky"
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"all": [0, 10, 20]})
    assert [node for _, node in site.story(second, "node.started")] == ["each", "each", "each[1]/flaky"]
