"""A plan's nodes by number, with counts of what each waits for."""

from __future__ import annotations

from tests.unit.graph_engine.execution import execution
from tests.unit.graph_engine.graphs import call, called, graph, last, node


def test_nodes_wait_for_sources_and_for_what_after_names_each_once() -> None:
    sum_node = node("c", config={"value": "{{ inputs.x + inputs.y }}"}, after=["a"])
    document = graph(
        node("a"), node("b"), sum_node, last("s", "{{ inputs.c is defined }}"), last("t", 1, after=["s"]),
        edges=("a.value -> c.x", "b.value -> c.y", "c.value -> s.c"),
    )  # fmt: skip
    index = execution(document).index
    ids = [one.spec.id for one in index.nodes]
    assert {name: index.counts[index.numbers[name]] for name in ids} == {"a": 0, "b": 0, "c": 2, "s": 0, "t": 1}
    assert [ids[number] for number in index.ordinary + index.last] == ["a", "b", "c", "s", "t"]
    assert index.is_last("t")


def test_called_graph_is_planned_once_however_its_call_is_kept() -> None:
    library = called(node("inner"))
    index = execution(graph(call("plain"), call("keyed", foreach=[1])), library=library).index
    for name in ("plain", "keyed"):
        number = index.numbers[name]
        assert index.called(number) is index.called(number)
        assert [one.spec.id for one in index.called(number).nodes] == ["inner"]
