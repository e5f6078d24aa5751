"""Compiled jobs: every node once, in an order the edges allow; the same spec, the same job."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from dagster import DagsterInstance, Failure, JobDefinition, execute_job, reconstructable
from dagster._core.execution.api import create_execution_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_compiler.jobs.compilation import compile_job
from graph_compiler.jobs.execution_elsewhere import WHY
from graph_compiler.jobs.ops import node_op
from graph_compiler.language.spec import GraphSpec
from graph_compiler.running.naming import dagster_name
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import CompilationError
from graph_engine.testing.memory_run import run_in_memory
from tests.unit.graph_compiler.documents import document, edge, node, spec


def job_of(graph: GraphSpec, name: str = "test__graph") -> JobDefinition:
    return compile_job(graph, name=name)


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
    ended = run_in_memory(spec(**data), runtime)
    ran = [asked["arguments"]["name"] for method, asked in runtime.calls if method == "run_code"]
    ids = [node["id"] for node in data["nodes"]]
    assert sorted(ran) == sorted(ids)
    place = {name: index for index, name in enumerate(ran)}
    for link in data["edges"]:
        assert place[link["from"].split(".")[0]] < place[link["to"].split(".")[0]]
    for later in data["nodes"]:
        assert all(place[earlier] < place[later["id"]] for earlier in later["after"])
    assert ended.outputs == {"all": [[name] for name in ids]}


@settings(max_examples=25)
@given(dags())
def test_dagster_plans_a_step_for_every_node_in_the_order_of_its_edges(data: dict[str, Any]) -> None:
    plan = create_execution_plan(job_of(spec(**data)))
    depends = plan.get_all_step_deps()
    names = [node["id"] for node in data["nodes"]]
    assert set(depends) == {*map(dagster_name, names), "outputs_"}
    for later in data["nodes"]:
        sources = {link["from"].split(".")[0] for link in data["edges"] if link["to"].split(".")[0] == later["id"]}
        assert depends[dagster_name(later["id"])] == set(map(dagster_name, sources | set(later["after"])))


@given(dags())
@settings(max_examples=10)
def test_same_spec_gives_the_same_snapshot(data: dict[str, Any]) -> None:
    first, second = (job_of(spec(**data)) for _ in range(2))
    assert first.get_job_snapshot().snapshot_id == second.get_job_snapshot().snapshot_id


SNAPSHOT = """
from graph_compiler.jobs.compilation import compile_job
from tests.unit.graph_compiler.documents import edge, node, spec
nodes = [node(f"n{i}", "{{ inputs.x }}" if i else 1, after=[f"n{j}" for j in range(0, i, 3)]) for i in range(12)]
job = compile_job(spec(nodes=nodes, edges=[edge(f"n{i}.value", f"n{i + 1}.x") for i in range(11)]), name="test")
print(job.get_job_snapshot().snapshot_id)
"""


@pytest.mark.slow
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
    jobs = [job_of(spec(nodes=nodes, edges=[edge("a.value", "c.x")], name=name), name) for name in ("one", "two")]

    def ops(job: JobDefinition) -> set[int]:
        return {id(op) for op in job.graph.node_defs}

    assert len(ops(jobs[0])) == 2
    assert ops(jobs[0]) == ops(jobs[1])
    assert node_op.cache_info().hits


def chain(length: int) -> dict[str, Any]:
    nodes = [node("n0", 0), *(node(f"n{i}", "{{ inputs.x + 1 }}") for i in range(1, length))]
    edges = [edge(f"n{i}.value", f"n{i + 1}.x") for i in range(length - 1)]
    return document(nodes=nodes, edges=edges, outputs={"last": f"{{{{ nodes.n{length - 1}.value }}}}"})


@pytest.mark.slow
def test_chain_of_four_thousand_nodes_compiles() -> None:
    job = job_of(GraphSpec.model_validate(chain(4000)))
    assert len(job.graph.nodes) == 4001


def test_dagsters_own_execution_says_who_executes_the_job() -> None:
    with pytest.raises(Failure, match="launch it whole"):
        job_of(spec()).execute_in_process()
    with DagsterInstance.ephemeral() as instance:
        result = execute_job(reconstructable(a_job), instance)
    assert not result.success
    failure = result.all_events[-1].job_failure_data
    assert failure.error is not None
    assert WHY in failure.error.message


def a_job() -> JobDefinition:
    return job_of(spec())


def test_graph_without_outputs_has_no_such_op() -> None:
    assert [node.name for node in job_of(spec()).graph.nodes] == ["a"]


def test_settings_and_given_tags_are_on_the_job() -> None:
    job = compile_job(spec(settings={"priority": 3}), name="tagged", tags={"headrace/graph": "test"})
    assert job.tags == {"dagster/priority": "3", "headrace/graph": "test"}


def test_spec_that_was_never_validated_is_refused() -> None:
    unknown = GraphSpec.model_validate(document(nodes=[{"id": "a", "type": "nothing"}]))
    with pytest.raises(CompilationError, match="'nothing'"):
        job_of(unknown)
