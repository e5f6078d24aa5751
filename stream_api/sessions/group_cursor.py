"""The cursor of a subscription to many runs: compact, since it holds each run that has not ended and clients send it.

It is opaque but not signed: what it names is looked up under the rights of the client that sends it.
"""

from __future__ import annotations

import base64
import binascii
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from platform_core.errors import BadCursor
from stream_api.sessions.messages import LARGEST_CURSOR

_HEAD = struct.Struct("<BqI")
_OPEN = struct.Struct("<16sI")
_ENDED = struct.Struct("<16sq")
_FORM = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """Where a subscription to many runs stands.

    `since`: runs created before it are known, but for those that were committed late. `sent`: of each run that has not
    ended, the seq up to which all was sent. `ended`: runs whose final event was sent, by the time they were created.
    """

    since: datetime
    sent: dict[str, int] = field(default_factory=dict)
    ended: dict[str, datetime] = field(default_factory=dict)


def encode(place: GroupPlace) -> str | None:
    """The cursor of the place; None when it would be larger than a client can send back."""
    size = _HEAD.size + len(place.sent) * _OPEN.size + len(place.ended) * _ENDED.size
    if -(-size // 3) * 4 > LARGEST_CURSOR:
        return None
    parts = [_HEAD.pack(_FORM, _microseconds(place.since), len(place.sent))]
    parts += [_OPEN.pack(uuid.UUID(run_id).bytes, seq) for run_id, seq in place.sent.items()]
    parts += [_ENDED.pack(uuid.UUID(run_id).bytes, _microseconds(date)) for run_id, date in place.ended.items()]
    return base64.urlsafe_b64encode(b"".join(parts)).decode()


def decode(cursor: str) -> GroupPlace:
    """The place of a cursor. Raises `BadCursor` for a text that is none."""
    try:
        data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        form, since, count = _HEAD.unpack_from(data)
        opened, ended = _split(data, count)
        if form != _FORM:
            raise ValueError("another form")
        return GroupPlace(
            _date(since),
            {str(uuid.UUID(bytes=run_id)): seq for run_id, seq in opened},
            {str(uuid.UUID(bytes=run_id)): _date(date) for run_id, date in ended},
        )
    except (ValueError, OverflowError, struct.error, binascii.Error):
        raise BadCursor("This is not a cursor of a graph or `mine`; take it from `position` or `going_away`.") from None


def _split(data: bytes, count: int) -> tuple[Iterator[tuple[bytes, int]], Iterator[tuple[bytes, int]]]:
    middle = _HEAD.size + count * _OPEN.size
    if middle > len(data):
        raise ValueError("cut off")
    return _OPEN.iter_unpack(data[_HEAD.size : middle]), _ENDED.iter_unpack(data[middle:])


def _microseconds(date: datetime) -> int:
    return (date - _EPOCH) // _MICROSECOND


def _date(microseconds: int) -> datetime:
    if microseconds < 0:
        raise ValueError("before there were runs")
    return _EPOCH + microseconds * _MICROSECOND
