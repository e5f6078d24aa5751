"""A `foreach` on its way: its items begin a few at a time, and their outputs become lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graph_compiler.nodes.node_ports import ERRORS_PORT
from graph_compiler.running.execution import Item, is_wanted, items_of
from graph_compiler.values.errors import NodeError, Stopped
from graph_engine.journal import records
from graph_engine.journal.known import KnownStep
from graph_engine.journal.records import Error
from graph_engine.scope.frame import UNWANTED, Cut, Task
from graph_engine.scope.state import State


class ItemFailure(NamedTuple):
    """An item that failed its last attempt."""

    error: NodeError
    record: Error
    cause: Error


class Each:
    """All items of one node, kept flat: a list per port, no object per item but for those that run or failed."""

    def __init__(self, task: Task, items: Sequence[Any], most: int) -> None:
        self.task = task
        self.items = items
        self.most = most
        self.next = self.running = self.done = self.dropped = 0
        self.columns: dict[str, list[Any]] = {port: [None] * len(items) for port in task.node.outputs}
        self.failures: dict[int, ItemFailure] = {}

    def give(self, index: int, outputs: Mapping[str, Any]) -> None:
        for port, column in self.columns.items():
            column[index] = outputs.get(port)


class ItemTask(Task):
    """One item on its way."""

    __slots__ = ("each",)

    def __init__(self, each: Each, index: int) -> None:
        task = each.task
        super().__init__(task.frame, task.number, task.place, Item(index, each.items[index]))
        self.each = each
        self.inputs = task.inputs


def begin(state: State, task: Task, known: KnownStep | None) -> None:
    """Find out which items there are, unless that is known, and let the first of them begin."""
    items = None if known is None else known.items
    try:
        if items is None:
            if not is_wanted(task.node, task.inputs, state.runtime, task.scope()):
                return state.end(task, UNWANTED)
            most = state.limits.max_items
            items = state.runtime.masked(items_of(task.node, task.inputs, state.runtime, task.scope(), most))
        if known is None or not known.is_open or known.items is None:
            state.append(records.Expanded(state.clock.now(), task.place, items))
    except Exception as raised:
        return state.end(task, state.masked_error(raised))
    each = Each(task, items, task.node.spec.max_parallel or state.limits.max_parallel)
    if items:
        return _pump(state, each)
    return _collect(state, each)


def item_ended(state: State, item: ItemTask) -> None:
    """The item has ended, however; the next ones may begin."""
    each = item.each
    each.running -= 1
    each.done += 1
    if each.done < len(each.items):
        _pump(state, each)
    else:
        _collect(state, each)


def _pump(state: State, each: Each) -> None:
    while each.next < len(each.items) and each.running < each.most:
        state.ready.append(ItemTask(each, each.next))
        each.next += 1
        each.running += 1


def _collect(state: State, each: Each) -> None:
    task, spec = each.task, each.task.node.spec
    failures = [each.failures[index] for index in sorted(each.failures)]
    stopped = [failure for failure in failures if isinstance(failure.error, Stopped)]
    if stopped or (failures and spec.on_item_error != "collect"):
        first = (stopped or failures)[0]
        return state.end(task, Cut.by_part(first.error, first.record, first.cause))
    if each.dropped:
        stop = task.frame.stop
        assert stop is not None
        return state.end(task, stop.raised)
    lists: dict[str, Any] = dict(each.columns)
    if spec.on_item_error == "collect":
        lists[ERRORS_PORT.name] = [{**failure.record, "node": task.place.name} for failure in failures]
    return state.end(task, lists)
