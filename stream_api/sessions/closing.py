"""How sockets are closed: the codes, which are part of the protocol, and the exception that closes one."""

from __future__ import annotations

from platform_core.errors import HeadraceError

NORMAL = 1000
GOING_AWAY = 1001
TOO_BIG = 1009
BROKEN = 1011
TRY_LATER = 1013
BAD_MESSAGE = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
NOT_FOUND = 4404
NO_AUTHENTICATION = 4408
TOO_MANY = 4429

CODES = {
    NORMAL: "The final event was sent, or the client closed.",
    GOING_AWAY: "The server stops. `going_away` came before, with the cursors to go on from elsewhere.",
    TOO_BIG: "A message of the client has more than 64 KiB.",
    BROKEN: "Something broke here. Come back with the cursor.",
    TRY_LATER: "The database is away. Come back in a moment with the cursor.",
    BAD_MESSAGE: "A message, cursor or filter is malformed. `error` came before and says how.",
    UNAUTHORIZED: "The credentials do not hold, or hold no longer. Authenticate anew.",
    FORBIDDEN: "The principal lacks the scope.",
    NOT_FOUND: "There is no such run, or it is somebody else's.",
    NO_AUTHENTICATION: "No `authenticate` came within ten seconds.",
    TOO_MANY: "The user follows as many runs as one user may here.",
}
"""Every close code the server uses, and what it asks of the client."""

_BY_STATUS = {400: BAD_MESSAGE, 401: UNAUTHORIZED, 403: FORBIDDEN, 404: NOT_FOUND, 429: TOO_MANY, 503: TRY_LATER}


_BY_REASON = {
    "final": NORMAL,
    "token_expired": UNAUTHORIZED,
    "unauthorized": UNAUTHORIZED,
    "forbidden": FORBIDDEN,
    "run_not_found": NOT_FOUND,
    "purged": NOT_FOUND,
}


def code_of(reason: str) -> int:
    """The close code for the reason why the only subscription of a socket ended."""
    return _BY_REASON.get(reason, BROKEN)


class Closed(Exception):
    """Ends a session. `code` is None when the client is gone already."""

    def __init__(self, code: int | None, reason: str = "", detail: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.reason = reason
        self.detail = detail


def closed_by(error: HeadraceError) -> Closed:
    """The close that tells the error."""
    return Closed(_BY_STATUS.get(error.status, BROKEN), error.code, error.detail)
