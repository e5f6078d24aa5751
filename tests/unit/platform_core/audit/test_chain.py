"""What the hash of a row is over, spelled out a second time, as somebody would who verifies an export."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

from platform_core.audit.chain import facts_of, hash_of
from platform_core.audit.entry import Action, ActorKind, Entry, TargetKind
from platform_core.facts.credential import Credential

ENTRY = Entry(
    id=7,
    at=datetime(2026, 12, 1, 15, 0, tzinfo=timezone(timedelta(hours=1))),
    action=Action.SECRET_SET,
    actor_kind=ActorKind.USER,
    actor_id="1",
    actor_name="ada",
    credential=Credential.KEY,
    address="::1",
    request_id="r",
    target_kind=TargetKind.SECRET,
    target_id=None,
    target_name="ö",
    owner_id="1",
    before=None,
    after={"b": 1, "a": [True]},
    place=2,
    hash=b"x",
    owner="ada",
)


def test_the_hash_is_over_the_hash_before_and_the_row_as_canonical_json() -> None:
    text = (
        '{"action":"secret.set","actor":{"id":"1","kind":"user","name":"ada"},"address":"::1","after":{"a":[true],'
        '"b":1},"at":"2026-12-01T14:00:00.000000Z","before":null,"credential":"key","id":7,"owner_id":"1","place":2,'
        '"request_id":"r","target":{"id":null,"kind":"secret","name":"ö"}}'
    )
    before = bytes(range(32))
    assert hash_of(before, facts_of(ENTRY)) == hashlib.sha256(before + text.encode()).digest()
