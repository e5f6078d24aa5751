"""Compiled jobs: every node once, in an order the edges allow; the same spec, the same job."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from dagster import DagsterInstance, JobDefinition
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_compiler.jobs.compilation import compile_job
from graph_compiler.jobs.ops import node_op
from graph_compiler.language.spec import GraphSpec
from graph_compiler.running.naming import dagster_name
from graph_compiler.testing.memory import MemoryRuntime, memory_job
from graph_compiler.values.errors import CompilationError, NodeError
from tests.unit.graph_compiler.documents import document, edge, node, spec

TRACE = "def main(name, **inputs): return [name]"


def traced(names: list[str], links: set[tuple[int, int]], orders: set[tuple[int, int]]) -> dict[str, Any]:
    """A document of python nodes that record themselves; links carry data, orders are `after`."""
    nodes = [
        {
            "id": name,
            "type": "python",
            "config": {"code": TRACE, "args": {"name": name}},
            "after": [names[a] for a, b in sorted(orders) if b == index],
        }
        for index, name in enumerate(names)
    ]
    edges = [edge(f"{names[a]}.result", f"{names[b]}.from_{a}") for a, b in sorted(links)]
    outputs = {"all": [f"{{{{ nodes.{name}.result }}}}" for name in names]}
    return document(nodes=nodes, edges=edges, outputs=outputs)


@st.composite
def dags(draw: st.DrawFn) -> dict[str, Any]:
    reserved = ["input", "class", "outputs", "outputs_", "after_", "x__", "type"]
    names = draw(
        st.lists(
            st.from_regex(r"[a-z][a-z0-9_]{0,3}", fullmatch=True) | st.sampled_from(reserved),
            min_size=1,
            max_size=6,
            unique=True,
        )
    )
    pairs = [(a, b) for b in range(len(names)) for a in range(b)]
    links = draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    orders = draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    shuffle = draw(st.permutations(range(len(names))))
    place = {old: new for new, old in enumerate(shuffle)}
    moved = [{(place[a], place[b]) for a, b in some} for some in (links, orders)]
    return traced([names[old] for old in shuffle], moved[0], moved[1])


@settings(max_examples=25)
@given(dags())
def test_generated_graph_runs_every_node_once_in_an_order_its_edges_allow(data: dict[str, Any]) -> None:
    runtime = MemoryRuntime()
    result = memory_job(spec(**data), runtime).execute_in_process()
    ran = [asked["arguments"]["name"] for method, asked in runtime.calls]
    ids = [node["id"] for node in data["nodes"]]
    assert sorted(ran) == sorted(ids)
    place = {name: index for index, name in enumerate(ran)}
    for link in data["edges"]:
        assert place[link["from"].split(".")[0]] < place[link["to"].split(".")[0]]
    for later in data["nodes"]:
        assert all(place[earlier] < place[later["id"]] for earlier in later["after"])
    assert result.output_for_node("outputs_", "outputs") == {"all": [[name] for name in ids]}


@given(dags())
@settings(max_examples=10)
def test_same_spec_gives_the_same_snapshot(data: dict[str, Any]) -> None:
    first, second = (memory_job(spec(**data), MemoryRuntime()) for _ in range(2))
    assert first.get_job_snapshot().snapshot_id == second.get_job_snapshot().snapshot_id


SNAPSHOT = """
from graph_compiler.testing.memory.memory import MemoryRuntime, memory_job
from tests.unit.graph_compiler.documents import edge, node, spec
nodes = [node(f"n{i}", "{{ inputs.x }}" if i else 1, after=[f"n{j}" for j in range(0, i, 3)]) for i in range(12)]
job = memory_job(spec(nodes=nodes, edges=[edge(f"n{i}.value", f"n{i + 1}.x") for i in range(11)]), MemoryRuntime())
print(job.get_job_snapshot().snapshot_id)
"""


def test_snapshot_does_not_depend_on_the_process() -> None:
    ids = {
        subprocess.run(
            [sys.executable, "-c", SNAPSHOT],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(ids) == 1


def test_nodes_of_one_type_and_signature_share_an_op_across_jobs() -> None:
    nodes = [node("a"), node("b"), node("c", "{{ inputs.x }}")]
    jobs = [
        memory_job(spec(nodes=nodes, edges=[edge("a.value", "c.x")], name=name), MemoryRuntime(), name=name)
        for name in ("one", "two")
    ]

    def ops(job: JobDefinition) -> set[int]:
        return {id(op) for op in job.graph.node_defs}

    assert len(ops(jobs[0])) == 2
    assert ops(jobs[0]) == ops(jobs[1])
    assert node_op.cache_info().hits


def chain(length: int) -> dict[str, Any]:
    nodes = [node("n0", 0), *(node(f"n{i}", "{{ inputs.x + 1 }}") for i in range(1, length))]
    edges = [edge(f"n{i}.value", f"n{i + 1}.x") for i in range(length - 1)]
    return document(nodes=nodes, edges=edges, outputs={"last": f"{{{{ nodes.n{length - 1}.value }}}}"})


def test_chain_of_four_thousand_nodes_compiles() -> None:
    job = memory_job(GraphSpec.model_validate(chain(4000)), MemoryRuntime())
    assert len(job.graph.nodes) == 4001


def failing(data: dict[str, Any], runtime: MemoryRuntime, instance: DagsterInstance | None = None) -> dict[str, Any]:
    """The metadata of the one failed step."""
    result = memory_job(spec(**data), runtime).execute_in_process(raise_on_error=False, instance=instance)
    assert not result.success
    (event,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    return {"step": event.step_key, **{key: value.value for key, value in failure.metadata.items()}}


def test_failed_node_carries_kind_and_message() -> None:
    nodes = [{"id": "input", "type": "python", "config": {"code": "def main(): return 1 / 0"}}]
    assert failing(document(nodes=nodes), MemoryRuntime()) == {
        "step": dagster_name("input"),
        "kind": "code_error",
        "message": "ZeroDivisionError: division by zero",
        "attempts": 1,
    }


def test_failed_outputs_carry_kind_and_message() -> None:
    data = document(nodes=[node("a", {"b": 1})], outputs={"c": "{{ nodes.a.value.c }}"})
    assert failing(data, MemoryRuntime()) == {
        "step": "outputs_",
        "kind": "template_error",
        "message": "{{ nodes.a.value.c }}: there is no 'c' here; there is b",
        "attempts": 1,
    }


@pytest.mark.parametrize(("retryable", "attempts"), [(True, 3), (False, 1)])
def test_node_is_retried_where_that_can_help(retryable: bool, attempts: int) -> None:
    class Flaky(MemoryRuntime):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            raise NodeError("flaky", "no luck", retryable=retryable)

    runtime = Flaky()
    retry = {"max_attempts": 3, "delay": 0, "backoff": "linear", "jitter": "full"}
    nodes = [{"id": "d", "type": "delay", "config": {"duration": 1}, "retry": retry}]
    assert failing(document(nodes=nodes), runtime)["kind"] == "flaky"
    assert len(runtime.calls) == attempts


def test_outputs_that_read_no_node_need_none() -> None:
    job = memory_job(spec(outputs={"graph": "{{ run.graph }}"}), MemoryRuntime())
    assert job.execute_in_process().output_for_node("outputs_", "outputs") == {"graph": "test"}


def test_graph_without_outputs_has_no_such_op() -> None:
    assert [node.name for node in memory_job(spec(), MemoryRuntime()).graph.nodes] == ["a"]


def test_settings_and_given_tags_are_on_the_job() -> None:
    compiled = memory_job(spec(settings={"priority": 3}), MemoryRuntime())
    job = compile_job(
        spec(settings={"priority": 3}),
        name="tagged",
        runtime=compiled.resource_defs["runtime"],
        executor=compiled.executor_def,
        io_manager=compiled.resource_defs["io_manager"],
        tags={"headrace/graph": "test"},
    )
    assert job.tags == {"dagster/priority": "3", "headrace/graph": "test"}


def test_spec_that_was_never_validated_is_refused() -> None:
    unknown = GraphSpec.model_validate(document(nodes=[{"id": "a", "type": "nothing"}]))
    with pytest.raises(CompilationError, match="'nothing'"):
        memory_job(unknown, MemoryRuntime())
