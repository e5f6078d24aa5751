"""HTTP requests on behalf of users' graphs: to allowed targets only, bounded in time, size and redirects."""

from __future__ import annotations

import json as jsonlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

import httpcore
import httpx

from definitions.services.http_network import GuardedNetwork, Resolve, TargetRefused, resolve
from definitions.services.service_targets import HTTP_SETTING, refusal
from graph_compiler.nodes.runtime import HttpAnswer, HttpCall
from graph_compiler.values.binary import as_plain
from graph_compiler.values.errors import NodeError, Stopped
from graph_compiler.values.header_fields import combined, media_type
from graph_compiler.values.text_decoding import BadText, text_of
from graph_compiler.values.texts import quoted
from graph_compiler.values.urls import shown, with_query

MAX_BYTES = 8 * 1024 * 1024
MAX_REDIRECTS = 10
PORTION = 64 * 1024
AGENT = "headrace"
_PASSED_ON = frozenset(
    [
        "host",
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
    ]
)
FIRST_CHARACTERS = 100
"""Of an answer that cannot be used, in its error."""
TEXT = frozenset(
    {"", "application/xml", "application/yaml", "application/javascript", "application/x-www-form-urlencoded"}
    | {"application/x-ndjson", "application/graphql", "application/sql", "application/toml"}
)
"""Media types beside text/* whose bodies are text; those of others, but JSON, are bytes."""
GZIP = 16 + zlib.MAX_WBITS
FAILURES = (
    httpx.HTTPError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


Sink = Callable[[bytes], Any]


@dataclass(frozen=True)
class Upload:
    """A body that is no text: a form with or without files, or one stream of bytes with its headers."""

    form: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, tuple[str, BinaryIO, str]] = field(default_factory=dict)
    """Name, content and media type by form field."""
    content: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpClient:
    """Sends requests; safe from any thread. Connections are kept between requests, cookies are not.

    Making one reads the trusted certificates (about 0.1 s): do it before a run needs it. It survives a fork
    as long as nothing was sent before.
    """

    def __init__(self, *, allow_private: bool = False, max_bytes: int = MAX_BYTES, resolve: Resolve = resolve) -> None:
        self._network = GuardedNetwork(allow_private=allow_private, resolve=resolve)
        self._transport = _Transport(self._network)
        self._max_bytes = max_bytes

    def send(self, call: HttpCall, upload: Upload | None = None, *, sink: Sink | None = None) -> HttpAnswer:
        """Send one request, follow its redirects and read the answer.

        `upload` is what the call's own stands for, opened. The body of an answer below 400 goes to `sink`, if there
        is one, a portion at a time and however large it is. When a redirect leads to another origin, only the
        `_PASSED_ON` headers of the request go along, without the call's private ones. The call's timeout is for
        everything from the name's resolution to the last byte. The answer's body is the parsed JSON if its content
        type says JSON (None if it is empty), text if it says that, or nothing, else bytes.

        Raises `NodeError`: http_bad_url, http_bad_request (a header or method that HTTP does not know),
        http_refused_target, http_timeout, http_unreachable, http_too_large, http_bad_answer, canceled.
        """
        request = _request(call, upload)
        where = f"{call.method} {shown(str(request.url))}"
        with self._network.exchange(call.timeout) as exchange:
            try:
                return self._send(request, sink, call.private_headers)
            except TargetRefused as error:
                said = f"{where}: {refusal(str(error), HTTP_SETTING)}"
                raise NodeError("http_refused_target", said, retryable=False) from None
            except FAILURES as error:
                if exchange.canceled:
                    said = "The request was stopped because its run is canceled."
                    raise Stopped(said) from None
                _fail(error, where, call.timeout)

    def cancel_all(self) -> None:
        """Stop every request in flight; each raises `NodeError` canceled in its own thread."""
        self._network.cancel_all()

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def _send(self, request: httpx.Request, sink: Sink | None, private_headers: Collection[str]) -> HttpAnswer:
        # A client of its own for each request, so that no cookie goes from one node's request to another's.
        client = httpx.Client(
            transport=_OneOrigin(self._transport, request.url, private_headers),
            trust_env=False,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
        )
        response = client.send(request, stream=True)
        try:
            if sink is not None and response.status_code < 400:
                for chunk in _decoded(response):
                    sink(chunk)
                return HttpAnswer(response.status_code, _fields(response.headers), None, str(response.url))
            content = b"".join(self._bounded(_decoded(response)))
        finally:
            response.close()
        return HttpAnswer(response.status_code, _fields(response.headers), _body(response, content), str(response.url))

    def _bounded(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                said = f"The answer is larger than {self._max_bytes} bytes; `save_as` streams it into a file."
                raise NodeError("http_too_large", said, retryable=False)
            yield chunk


class _OneOrigin(httpx.BaseTransport):
    """Keeps headers to the origin that they are for; httpx does so for `authorization` only.

    Any header may hold a secret, so those that are known to say nothing of the sender pass, and no others.
    """

    def __init__(self, transport: httpx.BaseTransport, url: httpx.URL, names: Collection[str]) -> None:
        self._transport = transport
        self._origin = (url.scheme, url.host, url.port)
        self._names = {name.lower() for name in names}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if (request.url.scheme, request.url.host, request.url.port) != self._origin:
            for name in list(request.headers):
                if name not in _PASSED_ON or name in self._names:
                    del request.headers[name]
            request.headers["user-agent"] = AGENT
        return self._transport.handle_request(request)


class _Transport(httpx.BaseTransport):
    """httpx over httpcore with our own network, which httpx's transport does not let one choose."""

    def __init__(self, network: GuardedNetwork) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=network, max_connections=None
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        assert isinstance(request.stream, httpx.SyncByteStream)
        inner = httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream)
        answer = self._pool.handle_request(inner)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer))

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _request(call: HttpCall, upload: Upload | None) -> httpx.Request:
    try:
        target = httpx.URL(with_query(call.url, call.query))
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise NodeError("http_bad_url", f"The URL cannot be read: {error}", retryable=False) from None
    if target.scheme not in ("http", "https") or not target.host:
        raise NodeError("http_bad_url", "The URL is not an absolute http or https URL.", retryable=False)
    try:
        content: dict[str, Any] = {"json": as_plain(call.json)} if call.json is not None else {"content": call.body}
        if upload is not None and call.json is None and call.body is None:
            content = {"data": dict(upload.form), "files": dict(upload.files) or None}
            if upload.content is not None:
                content = {"content": upload.content}
        given = {"user-agent": AGENT, **(upload.headers if upload else {}), **call.headers}
        request = httpx.Request(call.method, target, headers=given, **content)
    except (TypeError, ValueError) as error:
        raise NodeError("http_bad_request", f"The request cannot be written: {error}", retryable=False) from None
    request.headers.setdefault("accept", "*/*")
    request.headers["accept-encoding"] = "gzip"
    return request


def _decoded(response: httpx.Response) -> Iterator[bytes]:
    """The body's bytes, unpacked a bounded portion at a time, whatever the packed ones expand to."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return response.iter_raw()
    if encoding == "gzip":
        return _unpacked(response.iter_raw())
    raise httpx.DecodingError(f"its encoding {encoding!r} was not asked for")


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(GZIP)
    begun = False
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                begun = True
                yield unpack.decompress(rest, PORTION)
                rest = unpack.unconsumed_tail
                if unpack.eof:  # gzip allows several packets in a row
                    rest = unpack.unused_data
                    unpack, begun = zlib.decompressobj(GZIP), False
    except zlib.error as error:
        raise httpx.DecodingError(f"its gzip cannot be read: {error}") from None
    if begun:
        raise httpx.DecodingError("its gzip ends too early")


def _fields(headers: httpx.Headers) -> dict[str, str | list[str]]:
    """By name; only cookies cannot be joined by commas."""
    cookies = headers.get_list("set-cookie")
    fields: dict[str, str | list[str]] = {**combined(headers.multi_items())}
    return fields | ({"set-cookie": cookies} if len(cookies) > 1 else {})


def _body(response: httpx.Response, content: bytes) -> Any:
    kind, parameters = media_type(response.headers.get("content-type", ""))
    charset = parameters.get("charset")
    if kind != "application/json" and not kind.endswith("+json"):
        return _text(response, content, charset) if charset or _is_text(kind) else content
    if not content.strip():
        return None
    try:
        # Of bytes, Python tells which of the Unicode encodings it is.
        text = content if charset is None or charset.lower().startswith("utf") else text_of(content, charset)
        return jsonlib.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if response.status_code >= 400:  # what it says is shown beside the status, whatever it is
            return content
        raise httpx.DecodingError(f"it is declared as {kind} and is not JSON: {error}{_first_bytes(content)}") from None


def _text(response: httpx.Response, content: bytes, charset: str | None) -> str | bytes:
    """The text; bytes that are none stay bytes where no charset is declared, or the answer is an error."""
    try:
        return text_of(content, charset)
    except BadText as error:
        if charset is None or response.status_code >= 400:
            return content
        raise httpx.DecodingError(f"{error}{_first_bytes(content)}") from None


def _first_bytes(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    return f"; it begins with {quoted(text, FIRST_CHARACTERS)}" if text.strip() else ""


def _is_text(kind: str) -> bool:
    return kind in TEXT or kind.startswith("text/") or kind.endswith(("+xml", "+yaml"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _fail(error: Exception, where: str, timeout: float) -> NoReturn:
    # What the errors quote of a request may hold secrets, so nothing of it is passed on but method and address.
    if isinstance(error, httpcore.TimeoutException):
        raise NodeError("http_timeout", f"{where} did not answer within {timeout:g} s.") from None
    if isinstance(error, httpcore.LocalProtocolError):
        said = f"{where}: the method or a header of the request is not valid in HTTP."
        raise NodeError("http_bad_request", said, retryable=False) from None
    if isinstance(error, (httpcore.NetworkError, httpcore.RemoteProtocolError)):
        raise NodeError("http_unreachable", f"{where} cannot be reached: {error}") from None
    raise NodeError("http_bad_answer", f"The answer to {where} cannot be used: {error}") from None
