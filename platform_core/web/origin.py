"""Where a request comes from, and with who calls the author of what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from platform_core.audit.entry import Action, ActorKind, Author, Deed
from platform_core.identity.auth import Principal


@dataclass(frozen=True, slots=True)
class Origin:
    """The address of the client, as trusted proxies report it, and the id of the request."""

    address: str | None
    request_id: str | None

    def author(self, principal: Principal) -> Author:
        """The caller as the audit log names them."""
        return Author(
            ActorKind.USER, principal.user_id, principal.name, principal.credential, self.address, self.request_id
        )

    def nobody(self) -> Author:
        """A caller who did not prove who they are."""
        return Author(ActorKind.NOBODY, address=self.address, request_id=self.request_id)

    def deed(self, principal: Principal, action: Action) -> Deed:
        """What the caller does."""
        return Deed(action, self.author(principal))


def origin_of(connection: HTTPConnection) -> Origin:
    """Where a request or a socket comes from."""
    address = connection.client.host if connection.client else None
    return Origin(address, getattr(connection.state, "request_id", None))


# Asynchronous although it waits for nothing: a plain function would cost a change of threads.
async def _origin(request: Request) -> Origin:
    return origin_of(request)


OriginDep = Annotated[Origin, Depends(_origin)]
