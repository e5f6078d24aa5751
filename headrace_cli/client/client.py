"""Requests to a Headrace server; its problem documents become errors that say what to do."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from headrace_cli.client.connection import Server
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from platform_core.limits import LARGEST_PAGE

_ATTEMPTS = 5
_LONGEST_PAUSE = 5.0


class Refused(CommandError):
    """The server refused a request: its status, code and issues."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or f"HTTP {status}"
        super().__init__(str(detail), hint=_HINTS.get(status, _OTHER_HINT), exit_code=ExitCode.REFUSED)
        self.status = status
        self.code = str(problem.get("code", ""))
        self.issues: list[Mapping[str, Any]] = list(problem.get("issues") or [])


_HINTS = {
    401: "The server does not accept the credentials: `headrace login URL` asks for others; HEADRACE_TOKEN wins.",
    403: "The token's user or scopes do not allow it; HEADRACE_TOKEN may be that of another.",
    404: "`headrace graphs` and `headrace runs` list what you may see.",
    409: "It has changed or ended meanwhile: look at it with `headrace graphs` or `headrace runs`, then ask again.",
    412: "Somebody else saved it meanwhile; ask again.",
    413: "Send less, or raise the limit (docs/reference/settings.md).",
    422: "Correct what is named; `headrace validate FILE` checks a document without a server.",
    429: "Ask again in a moment.",
    503: "Ask again in a moment; the server's log is HOME/logs/api.log.",
}
_OTHER_HINT = "docs/reference/errors.md has what each code means; the server's log is HOME/logs/api.log."


class Client:
    """Speaks to one server. Use it as a context manager."""

    def __init__(self, server: Server, *, transport: httpx.BaseTransport | None = None) -> None:
        self.server = server
        self.http = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.token}"} if server.token else {},
            timeout=httpx.Timeout(30.0),
            transport=transport,
            verify=True if server.cert is None else _only(server.cert),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer to a GET under /api/v1. Raises `CommandError`, `Refused`."""
        return self.send("GET", path, params={k: v for k, v in query.items() if v is not None}).json()

    def items(self, path: str, limit: int, **query: Any) -> Iterator[Any]:
        """The first `limit` items of a list, over as many pages as it takes."""
        cursor = None
        while limit > 0:
            page = self.get(path, limit=min(limit, LARGEST_PAGE), cursor=cursor, **query)
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[Iterator[bytes]]:
        """The portions of an answer as they come. Raises `Refused`, and `CommandError` if it is cut off."""
        try:
            with self.http.stream("GET", f"/api/v1/{path}", params=query) as response:
                yield accepted(response).iter_bytes()
        except httpx.TransportError as error:
            raise unreachable(self.server, error) from error

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The successful answer to a request under /api/v1.

        A server that is busy restarting (503, a cut connection) is asked again for some seconds; every request of the
        command line may be repeated. Raises `Refused` for any other refusal, `CommandError` if nobody answers.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self.http.request(method, f"/api/v1/{path}", **options)
            except httpx.ConnectError as error:
                raise unreachable(self.server, error) from error
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS:
                    raise unreachable(self.server, error) from error
                time.sleep(1.0)
                continue
            if response.status_code != 503 or attempt == _ATTEMPTS:
                return accepted(response)
            time.sleep(_pause(response))
        raise AssertionError("the last attempt returns or raises")


def _only(cert: str) -> ssl.SSLContext:
    """Takes this very certificate and no other, whatever name it is for. Raises `CommandError` without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cert)
    except OSError as error:
        message = f"The certificate {cert} of `headrace up` cannot be read: {error}."
        raise CommandError(message, hint="HEADRACE_URL names another server.") from error
    return context


def accepted(response: httpx.Response) -> httpx.Response:
    """The response itself if it is a success. Raises `Refused` with its problem document otherwise."""
    if response.is_success:
        return response
    response.read()
    try:
        problem = response.json()
    except ValueError:
        problem = {"detail": f"{response.url} answers {response.status_code}: it does not look like a Headrace server."}
    raise Refused(response.status_code, problem if isinstance(problem, dict) else {})


def unreachable(server: Server, error: Exception) -> CommandError:
    """The error for a server that does not answer."""
    return CommandError(
        f"{server.url} does not answer: {error}.",
        hint="Is `headrace up` running there? Its log is in HOME/logs/api.log.",
        exit_code=ExitCode.UNREACHABLE,
    )


def segment(text: str) -> str:
    """A name or id as one segment of a path."""
    return quote(text, safe="~")


def _pause(response: httpx.Response) -> float:
    try:
        return min(_LONGEST_PAUSE, float(response.headers.get("Retry-After", "1")))
    except ValueError:
        return 1.0
