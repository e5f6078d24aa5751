"""`http.request`: one HTTP request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from graph_compiler.nodes.data.query import QUERY_FAILURES
from graph_compiler.nodes.failures import FILE_FAILURES
from graph_compiler.nodes.http.http_auth import Auth, credentials
from graph_compiler.nodes.http.http_paging import PageRequest, Paging, first_page, items_of, next_page, paging_defects
from graph_compiler.nodes.http.http_retry import StatusRetry, with_retries
from graph_compiler.nodes.node_type import (
    TEMPLATED,
    ConfigDefect,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.nodes.runtime import HttpAnswer, HttpUpload
from graph_compiler.templates.template_sandbox import as_text
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import FileReference, reference_of

Scalar = str | int | float | bool
_BODIES = {"json": "json_", "body": "body", "form": "form", "files": "files", "file": "file"}
HTTP_FAILURES = (
    FailureKind("http_bad_url", "The URL is not an absolute http or https URL."),
    FailureKind("http_bad_request", "The request cannot be written: a method or header that HTTP does not know."),
    FailureKind("http_refused_target", "The target's address is not public, and private ones are not allowed."),
    FailureKind("http_too_large", "The answer is larger than the limit."),
    FailureKind("http_timeout", "No answer in time.", True),
    FailureKind("http_unreachable", "No answer at all.", True),
    FailureKind("http_bad_answer", "The answer cannot be read.", True),
)


class HttpRequestConfig(NodeConfig):
    """Config of `http.request`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://api.example.com/repos/{{ params.repository }}",
                    "headers": {"authorization": "Bearer {{ secrets.api_token }}"},
                    "query": {"limit": "{{ params.limit }}"},
                    "timeout": "10s",
                },
                {
                    "url": "https://api.example.com/issues",
                    "auth": {"type": "bearer", "secret": "api_token"},
                    "pages": {"next": {"by": "link"}, "max_pages": 20},
                    "retry_status": {"max_attempts": 5},
                },
                {
                    "url": "https://example.com/upload",
                    "method": "POST",
                    "form": {"title": "Report"},
                    "files": {"report": "{{ inputs.report }}"},
                },
                {"url": "https://example.com/data.parquet", "save_as": "data/today.parquet", "timeout": "10m"},
            ]
        }
    )

    url: Annotated[str, TEMPLATED] = Field(description="Absolute http or https URL.")
    method: Annotated[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], TEMPLATED] = Field(
        default="GET", description="The request's method."
    )
    headers: Annotated[dict[str, Annotated[str, TEMPLATED]], TEMPLATED] = Field(
        default_factory=dict, description="Headers by name."
    )
    query: Annotated[dict[str, Scalar | list[Scalar] | None], TEMPLATED] = Field(
        default_factory=dict, description="Query parameters; a list repeats its name, null leaves it out."
    )
    auth: Auth | None = Field(default=None, description="Who asks, by a secret.")
    json_: Annotated[Any, TEMPLATED] = Field(
        default=None, alias="json", description="Sent as a JSON body, unless null."
    )
    body: Annotated[str | bytes | None, WithJsonSchema({"type": "string"}), TEMPLATED] = Field(
        default=None, description="Sent as it is: bytes, or text as UTF-8."
    )
    form: Annotated[dict[str, Scalar | list[Scalar]] | None, TEMPLATED] = Field(
        default=None, description="Sent as a form; with `files` as multipart/form-data."
    )
    files: Annotated[dict[str, FileReference] | None, TEMPLATED] = Field(
        default=None, description="Files by form field: file values, paths or URLs."
    )
    file: Annotated[FileReference | None, TEMPLATED] = Field(
        default=None, description="A file sent as the body: a file value, a path or a URL."
    )
    save_as: Annotated[str | None, TEMPLATED] = Field(
        default=None,
        description="A path in your files; the answer's body is streamed there and `body` is a file value.",
    )
    timeout: Duration = Field(default=30.0, description="Of each request as a whole.", examples=["10s"])
    retry_status: StatusRetry | None = Field(
        default=None, description="Statuses after which the request is sent again."
    )
    pages: Paging | None = Field(
        default=None, description="Follow the pages of a list; `body` is the list of all items."
    )
    fail_on_status: bool = Field(default=True, description="Whether an answer of 400 or above fails the node.")


class HttpRequest(NodeType[HttpRequestConfig]):
    """See the module."""

    name = "http.request"
    summary = "Send an HTTP request, or those for all pages of a list, and read the answer."
    config_model = HttpRequestConfig
    notes = (
        "Private, loopback and link-local targets are refused unless `HEADRACE_HTTP_ALLOW_PRIVATE` is set, also behind"
        " redirects. An answer may have 8 MiB, or with `save_as` as much as a file. Credentials of `auth` do not"
        " follow a"
        " redirect or a page to another server. `save_as` and `pages` exclude each other."
    )
    failures = (
        FailureKind("http_status", "The answer was 400 or above.", True),
        *HTTP_FAILURES,
        FailureKind("http_bad_page", "A page has no list, or leads to itself or to another server."),
        FailureKind("http_too_many_pages", "The list has more pages or items than `pages` allows."),
        *QUERY_FAILURES,
        *FILE_FAILURES,
    )
    secrets = True

    def ports(self, config: HttpRequestConfig) -> Ports:
        return Ports(
            inputs=(),
            outputs=(
                Port("status", "integer", "The answer's status code."),
                Port("headers", "object", "The answer's headers, names in lower case."),
                Port(
                    "body",
                    "any",
                    "The answer's JSON, its text, else its bytes; a file value with `save_as`.",
                ),
            ),
        )

    def defects(self, config: HttpRequestConfig) -> Iterator[ConfigDefect]:
        named = {name: getattr(config, field) is not None for name, field in _BODIES.items()}
        named["form"] |= named.pop("files")
        given = [name for name, is_given in named.items() if is_given]
        if len(given) > 1:
            places = " and ".join(f"`{name}`" for name in given[:2])
            yield ConfigDefect("bad_value", f"/{given[1]}", f"{places} exclude each other")
        if config.pages is not None:
            yield from paging_defects(config.pages)
            if config.save_as is not None:
                yield ConfigDefect("bad_value", "/save_as", "`save_as` and `pages` exclude each other")

    def execute(self, call: NodeCall[HttpRequestConfig]) -> Mapping[str, Any]:
        exchange = _Exchange(call)
        if call.config.pages is None:
            answer = exchange.send(PageRequest(call.config.url, {}))
            body = answer.body
        else:
            answer, body = _all_pages(exchange, call.config.pages, call.config.url)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return {"status": answer.status, "headers": headers, "body": body}


class _Exchange:
    """The requests of one call: what they have in common, and the time that is left for them."""

    def __init__(self, call: NodeCall[HttpRequestConfig]) -> None:
        self._call = call
        self._headers, self._query = credentials(call.config.auth, call.runtime)
        self._end = None if call.timeout is None else call.runtime.clock() + call.timeout

    def send(self, page: PageRequest) -> HttpAnswer:
        config = self._call.config
        answer = with_retries(lambda: self._request(page), config.retry_status, self._call.runtime)
        if config.fail_on_status and answer.status >= 400:
            raise NodeError("http_status", f"{config.method} answered {answer.status}")
        return answer

    def _request(self, page: PageRequest) -> HttpAnswer:
        config = self._call.config
        # The link to a next page has the query already.
        query: dict[str, Any] = {} if page.url != config.url else dict(config.query)
        query |= {**page.query, **self._query}
        return self._call.runtime.http(
            config.method,
            page.url,
            headers={**config.headers, **self._headers},
            params={name: value for name, value in query.items() if value is not None},
            json=config.json_,
            body=config.body,
            timeout=self._time(),
            upload=_upload(config),
            save_to=None if config.save_as is None else reference_of(config.save_as),
            private_headers=frozenset(self._headers),
        )

    def _time(self) -> float:
        timeout = self._call.config.timeout
        if self._end is None:
            return timeout
        left = self._end - self._call.runtime.clock()
        if left <= 0:
            raise NodeError("timeout", f"the node's timeout of {self._call.timeout:g} s is over")
        return min(timeout, left)


def _all_pages(exchange: _Exchange, paging: Paging, url: str) -> tuple[HttpAnswer, list[Any]]:
    collected: list[Any] = []
    page: PageRequest | None = first_page(paging, url)
    for _ in range(paging.max_pages):
        assert page is not None
        answer = exchange.send(page)
        if answer.status >= 400:
            return answer, collected
        items = items_of(paging, answer)
        collected += items
        if len(collected) > paging.max_items:
            raise NodeError("http_too_many_pages", f"more than {paging.max_items} items", retryable=False)
        page = next_page(paging, page, answer, len(items))
        if page is None:
            return answer, collected
    raise NodeError("http_too_many_pages", f"more than {paging.max_pages} pages", retryable=False)


def _upload(config: HttpRequestConfig) -> HttpUpload | None:
    if config.file is not None:
        return HttpUpload(file=reference_of(config.file))
    if config.form is None and config.files is None:
        return None
    form = {name: _as_form(value) for name, value in (config.form or {}).items()}
    return HttpUpload(form, {name: reference_of(file) for name, file in (config.files or {}).items()})


def _as_form(value: Scalar | list[Scalar]) -> str | list[str]:
    return [as_text(item) for item in value] if isinstance(value, list) else as_text(value)
