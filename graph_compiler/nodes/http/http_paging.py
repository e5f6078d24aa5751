"""The pages of a list that a server gives in several answers: which request is next, and what a page adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import Field

from graph_compiler.nodes.data.query import query_defects, rendered_query
from graph_compiler.nodes.node_type import ConfigDefect, NodeConfig
from graph_compiler.nodes.runtime import HttpAnswer
from graph_compiler.values.errors import NodeError


class PagesByLink(NodeConfig):
    """The next page is the `rel="next"` of the `Link` header."""

    by: Literal["link"] = Field(description="How the next page is found.")


class PagesByCursor(NodeConfig):
    """The answer names a cursor that the next request sends."""

    by: Literal["cursor"] = Field(description="How the next page is found.")
    cursor: str = Field(description="A JMESPath expression over the body; null or empty text ends the list.")
    param: str = Field(default="cursor", description="The query parameter that takes the cursor.")


class PagesByNumber(NodeConfig):
    """Pages are numbered; one without items ends the list."""

    by: Literal["number"] = Field(description="How the next page is found.")
    param: str = Field(default="page", description="The query parameter that takes the page's number.")
    start: int = Field(default=1, description="The number of the first page.")


By = Annotated[PagesByLink | PagesByCursor | PagesByNumber, Field(discriminator="by")]


class Paging(NodeConfig):
    """All pages of a list, one request after the other."""

    next: By = Field(description="How the next page is found.")
    items: str = Field(default="@", description="A JMESPath expression over the body that gives a page's list.")
    max_pages: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="A list of more pages ends the node with `http_too_many_pages`."
    )
    max_items: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=100_000, description="A list of more items ends the node with `http_too_many_pages`."
    )


@dataclass(frozen=True)
class PageRequest:
    """Where a page is asked for, and the query parameters it adds."""

    url: str
    query: Mapping[str, Any]


def paging_defects(paging: Paging) -> Iterator[ConfigDefect]:
    """What is wrong with the expressions."""
    yield from query_defects(paging.items, "/pages/items")
    if isinstance(paging.next, PagesByCursor):
        yield from query_defects(paging.next.cursor, "/pages/next/cursor")


def first_page(paging: Paging, url: str) -> PageRequest:
    """The first request; only numbers are sent from the beginning."""
    by = paging.next
    return PageRequest(url, {by.param: by.start} if isinstance(by, PagesByNumber) else {})


def items_of(paging: Paging, answer: HttpAnswer) -> list[Any]:
    """The list on a page. Raises `NodeError` http_bad_page."""
    found = rendered_query(paging.items).of(answer.body)
    if not isinstance(found, list):
        raise NodeError("http_bad_page", f"`{paging.items[:80]}` gives no list on this page", retryable=False)
    return found


def next_page(paging: Paging, asked: PageRequest, answer: HttpAnswer, count: int) -> PageRequest | None:
    """The request after `asked`, whose page had `count` items, or None. Raises `NodeError` http_bad_page."""
    by = paging.next
    if isinstance(by, PagesByNumber):
        return PageRequest(asked.url, {by.param: asked.query[by.param] + 1}) if count else None
    if isinstance(by, PagesByCursor):
        cursor = rendered_query(by.cursor).of(answer.body)
        if cursor is None or cursor == "" or cursor is False:
            return None
        if not isinstance(cursor, str | int):
            raise NodeError("http_bad_page", "the cursor is neither text nor a number", retryable=False)
        if asked.query.get(by.param) == cursor:
            raise NodeError("http_bad_page", "the server gave the same cursor again", retryable=False)
        return PageRequest(asked.url, {by.param: cursor})
    return _linked(asked, answer)


def _linked(asked: PageRequest, answer: HttpAnswer) -> PageRequest | None:
    header = next((value for name, value in answer.headers.items() if name.lower() == "link"), "")
    for part in header.split(","):
        target, *attributes = part.split(";")
        if any(attribute.strip().replace('"', "").lower() == "rel=next" for attribute in attributes):
            url = urljoin(asked.url, target.strip().removeprefix("<").removesuffix(">"))
            if url == asked.url:
                raise NodeError("http_bad_page", "the server links to the same page again", retryable=False)
            # The request's headers may hold credentials, and they go to the place that the graph names only.
            if _origin(url) != _origin(asked.url):
                raise NodeError("http_bad_page", "the next page is on another server", retryable=False)
            return PageRequest(url, {})
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
