"""What waits for a commit goes into statements in its order, however much it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from definitions.instance.event_statement import Record
from definitions.journal.pending import LARGEST_BATCH, LARGEST_TEXT, Pending, Series

SINGLE = st.integers(0, 10)
SERIES = st.integers(0, 3 * LARGEST_BATCH).map(lambda length: Series(length, lambda number: note(f"#{number}")))


def note(text: str) -> Record:
    return Record(note=text)


@given(st.lists(st.one_of(SINGLE.map(lambda number: note(str(number))), SERIES), max_size=6))
def test_batches_are_all_records_in_their_order(parts: list[Record | Series]) -> None:
    pending = Pending()
    pending.add(parts)
    every: list[Record] = []
    for part in parts:
        every += [part.make(number) for number in range(part.length)] if isinstance(part, Series) else [part]
    batches = list(pending.batches())
    assert [record for batch in batches for record in batch] == every
    assert len(pending) == len(every)
    assert all(0 < len(batch) <= LARGEST_BATCH for batch in batches)


def test_statement_has_more_text_than_the_limit_only_for_a_single_record() -> None:
    pending = Pending()
    half, whole = note("x" * (LARGEST_TEXT // 2)), note("y" * (LARGEST_TEXT + 1))
    pending.add([half, half, half, whole, half])
    assert list(pending.batches()) == [[half, half], [half], [whole], [half]]


def test_series_is_made_only_when_it_is_written() -> None:
    made: list[int] = []

    def make(number: int) -> Record:
        made.append(number)
        return note(str(number))

    pending = Pending()
    pending.add([Series(10 * LARGEST_BATCH, make)])
    next(pending.batches())
    assert len(made) <= LARGEST_BATCH + 1
