"""How many streams a user may have at once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from platform_core.errors import TooManyStreams
from platform_core.identity.auth import Principal
from platform_core.operation.metrics import Metrics
from platform_core.web.services import Services
from stream_api.serving.rights import Rights


@dataclass(frozen=True)
class Known:
    user_id: str


def rights_for(limit: int) -> Rights:
    services: Any = SimpleNamespace(metrics=Metrics(), settings=SimpleNamespace(streams_per_user=limit))
    return Rights(cast(Services, services))


def test_room_is_taken_when_it_is_asked_for_and_free_when_it_is_left() -> None:
    rights, ada, eve = rights_for(2), cast(Principal, Known("ada")), cast(Principal, Known("eve"))
    with ExitStack() as rooms:
        for _ in range(2):
            rooms.enter_context(rights.room(ada))
        rooms.enter_context(rights.room(eve))
        with pytest.raises(TooManyStreams, match="2 runs"):
            rooms.enter_context(rights.room(ada))
    with rights.room(ada), rights.room(ada):
        pass
    assert rights._count == {}
