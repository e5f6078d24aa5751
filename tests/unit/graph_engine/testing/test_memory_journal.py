"""The journal in memory keeps the contract of journals, and finds out who does not."""

from __future__ import annotations

from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.known import Known
from graph_engine.testing.contract import differences
from graph_engine.testing.memory_journal import MemoryJournal
from tests.unit.graph_engine.execution import Execution, execution
from tests.unit.graph_engine.graphs import call, called, graph, last, node


def told() -> list[records.Record]:
    """The records of a run in which everything happens."""
    retry = {"max_attempts": 2, "delay": 0}
    failing = {"type": "fail", "config": {"message": "no", "retryable": True}}
    library = called(
        node("a"), {"id": "f", **failing, "after": ["a"]}, last("sweep", 1), outputs={"a": "{{ nodes.a.value }}"}
    )
    document = graph(
        call("c", retry=retry, on_error="route"),
        call("each", foreach=[1, 2], retry=retry, on_item_error="collect", on_error="continue"),
        node("items", foreach=[1, 0], on_item_error="collect", config={"value": "{{ 1 // item }}"}),
        node("off", when=False),
        node("skipped", after=["off"]),
        node("nap", "delay", config={"duration": "1h"}),
        outputs={"items": "{{ nodes.items.value }}"},
    )
    run: Execution = execution(document, library=library, limits=Limits(suspend_over=5.0)).run()
    return run.journal.durable


def test_memory_journal_keeps_the_contract() -> None:
    journal = MemoryJournal()
    assert differences(told(), journal, journal.known) == []


def test_journal_that_forgets_is_found_out() -> None:
    class Forgetful(MemoryJournal):
        def known(self) -> Known:
            kept = [one for one in self.durable if not isinstance(one, records.Expanded | records.Retrying)]
            return Known().fold(kept)

    journal = Forgetful()
    assert any("items of items" in line for line in differences(told(), journal, journal.known))


def test_only_what_was_committed_is_proven() -> None:
    journal = MemoryJournal()
    journal.append(told()[0])
    assert journal.known() == Known()
    journal.commit()
    assert journal.known().started_at == 1_000_000.0
    assert journal.commits == [1]
