"""Filters of streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.errors import BadFilter
from platform_core.runs.run_event_store import EVENT_TYPES
from stream_api.following.batch import Batch
from stream_api.following.filters import LEVELS, OPEN, parse_filter, split
from tests.unit.stream_api.memory_log import event


@pytest.mark.parametrize("types", [["run.*"], ["node.*", "log"], ["stdout"]])
def test_a_group_names_all_its_types(types: list[str]) -> None:
    wanted = parse_filter(types)
    expected = {
        kind
        for kind in EVENT_TYPES
        for name in types
        if kind == name or (name[-1] == "*" and kind.startswith(name[:-1]))
    }
    assert wanted.types == expected


@pytest.mark.parametrize(
    "arguments",
    [
        (["nonsense"],),
        (["*"],),
        (["x.*"],),
        ([],),
        (None, []),
        (None, None, "loud"),
        (None, [str(n) for n in range(201)]),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(BadFilter):
        parse_filter(*arguments)  # type: ignore[arg-type]  # the wrong values are the point


def test_a_level_includes_the_graver_ones() -> None:
    assert parse_filter(level="warning").levels == {"warning", "error"}


@pytest.mark.parametrize(("text", "names"), [(None, None), ("", []), ("a", ["a"]), (" a, b ,", ["a", "b"])])
def test_names_are_split_at_commas(text: str | None, names: list[str] | None) -> None:
    assert split(text) == names


@given(
    st.lists(st.sampled_from(sorted(EVENT_TYPES)), min_size=1, max_size=8),
    st.one_of(st.none(), st.lists(st.sampled_from(sorted(EVENT_TYPES)), min_size=1)),
    st.one_of(st.none(), st.sampled_from(LEVELS)),
)
def test_a_batch_gives_what_passes_and_always_the_last_id(
    kinds: list[str], types: list[str] | None, level: str | None
) -> None:
    wanted = parse_filter(types, None, level)
    batch = Batch([event(seq, kind) for seq, kind in enumerate(kinds, 1)])
    passing = batch.passing(wanted)
    assert list(passing) == [one for one in batch.events if wanted.passes(one)]
    assert {one for one in batch.events if one.is_final} <= set(passing)
    frames = batch.frames(wanted)
    assert frames.startswith(b"".join(one.frame for one in passing))
    assert frames.rstrip().rsplit(b"id: ", 1)[1].split(b"\n")[0] == str(len(kinds)).encode()
    assert batch.frames(wanted) is frames


def test_an_open_filter_changes_nothing() -> None:
    events = [event(1), event(2)]
    assert Batch(events).passing(OPEN) is events
