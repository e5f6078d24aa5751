"""What a client of a stream proves itself with, and the principal it stands for, now and as often as asked."""

from __future__ import annotations

import time
from dataclasses import dataclass

from platform_core.database.engine import Connection
from platform_core.errors import Unauthorized
from platform_core.identity.auth import WATCH_PREFIX, Principal, authenticate, authenticate_watcher, present_viewer
from platform_core.identity.session_store import session_principal
from platform_core.identity.signing_keys import SigningKeys
from platform_core.identity.ticket_store import redeem_ticket


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token, API key or watch token; or the id of a browser's session; or, once a ticket was redeemed, the
    user it was for and when that was.

    `run_id` is the one run that a watch token or a ticket is good for; None if there is no such limit.
    """

    bearer: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    since: float = 0.0
    run_id: str | None = None

    def present(self, connection: Connection, keys: SigningKeys) -> Principal:
        """The principal as it is now. Raises `Unauthorized`, `TokenExpired`."""
        if self.session_id is not None:
            return session_principal(connection, self.session_id)
        if self.bearer is None:
            assert self.user_id is not None
            return present_viewer(connection, self.user_id, self.since)
        if self.bearer.startswith(WATCH_PREFIX):
            return authenticate_watcher(connection, keys, self.bearer)[0]
        return authenticate(connection, keys, self.bearer)


def identify(
    connection: Connection,
    keys: SigningKeys,
    *,
    bearer: str | None,
    ticket: str | None,
    run_id: str | None,
    session_id: str | None = None,
) -> tuple[Principal, Credentials]:
    """Who calls: the first that is given of a bearer token, a ticket and a browser's session.

    A ticket is used up by this, so call it in a transaction that is committed.
    Raises `Unauthorized`, `TokenExpired`.
    """
    if bearer is not None and bearer.startswith(WATCH_PREFIX):
        principal, watched = authenticate_watcher(connection, keys, bearer)
        if run_id not in (None, watched):
            raise Unauthorized("The watch token is for another run.")
        return principal, Credentials(bearer, run_id=watched)
    if bearer is not None:
        return authenticate(connection, keys, bearer), Credentials(bearer)
    if ticket is not None:
        principal = redeem_ticket(connection, ticket, run_id)
        return principal, Credentials(user_id=principal.user_id, since=time.time(), run_id=run_id)
    if session_id is not None:
        return session_principal(connection, session_id), Credentials(session_id=session_id)
    raise Unauthorized("This needs a bearer token, a ticket as ?ticket=, or a browser's session.")
