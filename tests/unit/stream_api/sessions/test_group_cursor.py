"""The cursor of many runs."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.errors import BadCursor
from platform_core.web.server import LARGEST_MESSAGE
from stream_api.sessions.group_cursor import GroupPlace, decode, encode
from stream_api.sessions.messages import LARGEST_CURSOR, parse

_DATES = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
_RUNS = st.uuids().map(str)
_PLACES = st.builds(GroupPlace, _DATES, st.dictionaries(_RUNS, st.integers(0, 2**31)), st.dictionaries(_RUNS, _DATES))


def place_of(runs: int) -> GroupPlace:
    return GroupPlace(datetime(2026, 1, 1, tzinfo=UTC), {str(uuid.uuid4()): 123_456 for _ in range(runs)})


@given(_PLACES)
def test_a_place_comes_back_as_it_was(place: GroupPlace) -> None:
    cursor = encode(place)
    assert cursor is not None
    assert decode(cursor) == place


@given(_PLACES, st.data())
def test_what_is_no_cursor_is_refused_as_one(place: GroupPlace, data: st.DataObject) -> None:
    cursor = encode(place)
    assert cursor is not None
    place_of_damage = data.draw(st.integers(0, len(cursor) - 1))
    damaged = cursor[:place_of_damage] + data.draw(st.text(max_size=3)) + cursor[place_of_damage + 1 :]
    try:
        decode(damaged)
    except BadCursor:
        return


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "W10=", "é", "\0", base64.urlsafe_b64encode(b"\x01" + b"\xff" * 12).decode(), "A" * 100],
)
def test_what_never_was_a_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode(cursor)


def test_the_cursor_of_very_many_runs_fits_into_a_message_and_beyond_that_there_is_none() -> None:
    most = LARGEST_CURSOR * 3 // 4 // 20 - 1
    cursor = encode(place_of(most))
    assert cursor is not None
    filters = {"types": ["node.*"] * 200, "nodes": ["n" * 63] * 200, "level": "warning"}
    text = json.dumps({"op": "subscribe", "id": "l" * 64, "graph": "g" * 200, "cursor": cursor, "filters": filters})
    assert len(text.encode()) <= LARGEST_MESSAGE
    parse(text)
    assert len(decode(cursor).sent) == most
    assert encode(place_of(most + 10)) is None


def test_the_cursor_of_fifteen_hundred_runs_is_small() -> None:
    cursor = encode(place_of(1500))
    assert cursor is not None
    assert len(cursor) < 41_000
    assert timedelta(0) == decode(cursor).since - datetime(2026, 1, 1, tzinfo=UTC)
