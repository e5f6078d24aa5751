"""The right to follow, looked at again for as long as somebody follows: tokens expire, users and keys are withdrawn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi.concurrency import run_in_threadpool

from platform_core.database.engine import Connection, reading
from platform_core.errors import Forbidden, NotFound, TooManyStreams, Unauthorized, Unavailable
from platform_core.identity.auth import Principal
from platform_core.web.services import Services
from stream_api.following.ending import Ending
from stream_api.serving.credentials import Credentials

_log = logging.getLogger(__name__)

Demand = Callable[[Connection, Principal], None]
"""Raises the error with which the principal, as it is now, would be refused."""


class Right:
    """What a stream rests on: credentials, and what they must allow. `on_lost` is called once, when they do not."""

    __slots__ = ("credentials", "demand", "on_lost", "principal")

    def __init__(
        self, principal: Principal, credentials: Credentials, demand: Demand, on_lost: Callable[[Ending], None]
    ) -> None:
        self.principal = principal
        self.credentials = credentials
        self.demand = demand
        self.on_lost = on_lost


class Rights:
    """The rights in use in this process, checked every `right_check` seconds, and how many each user has."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._refusals = services.metrics.stream_refusals
        self._held: set[Right] = set()
        self._count: dict[str, int] = {}

    @contextmanager
    def held(self, right: Right) -> Iterator[None]:
        """Checked from now on."""
        self._held.add(right)
        try:
            yield
        finally:
            self._held.discard(right)

    @contextmanager
    def room(self, principal: Principal) -> Iterator[None]:
        """Room for one stream of the user, taken before anything is waited for, so that no two take the last one.

        Raises `TooManyStreams` when the user follows as many runs as one may.
        """
        user_id, limit = principal.user_id, self._services.settings.streams_per_user
        if self._count.get(user_id, 0) >= limit:
            self._refusals.inc()
            raise TooManyStreams(f"You follow {limit} runs already, the most that one user may follow at once.")
        self._count[user_id] = self._count.get(user_id, 0) + 1
        try:
            yield
        finally:
            self._count[user_id] -= 1
            if not self._count[user_id]:
                del self._count[user_id]

    async def keep_checking(self) -> None:
        """Until canceled. While the database is away nobody's right is withdrawn, and nothing is sent either."""
        while True:
            await asyncio.sleep(self._services.settings.right_check)
            try:
                await self.check()
            except Unavailable as error:
                _log.warning("rights could not be checked: %s", error)

    async def check(self) -> None:
        """Look at every right now; the holders of those that are lost are notified."""
        for right, ending in await run_in_threadpool(self._lost, tuple(self._held)):
            if right in self._held:
                right.on_lost(ending)

    def _lost(self, rights: tuple[Right, ...]) -> list[tuple[Right, Ending]]:
        found: list[tuple[Right, Ending]] = []
        principals: dict[Credentials, Principal | Ending] = {}
        with reading(self._services.engine) as connection:
            for right in rights:
                if right.credentials not in principals:
                    principals[right.credentials] = self._present(connection, right.credentials)
                present = principals[right.credentials]
                ending = present if isinstance(present, Ending) else _refusal(connection, right, present)
                if ending is not None:
                    found.append((right, ending))
        return found

    def _present(self, connection: Connection, credentials: Credentials) -> Principal | Ending:
        try:
            return credentials.present(connection, self._services.signing_keys)
        except Unauthorized as error:
            return Ending(error.code, error.detail)


def _refusal(connection: Connection, right: Right, present: Principal) -> Ending | None:
    if present == right.principal:
        return None
    try:
        right.demand(connection, present)
    except (Unauthorized, Forbidden, NotFound) as error:
        return Ending(error.code, error.detail)
    right.principal = present
    return None
