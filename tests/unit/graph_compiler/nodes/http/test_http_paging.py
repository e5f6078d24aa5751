"""`http.request`: all pages of a list."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.nodes.runtime import HttpAnswer
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run

URL = "http://x/items?size=2"


def server(*answers: tuple[dict[str, str], Any], **given: Any) -> MemoryRuntime:
    """A fake whose answers come in order."""
    left = iter(answers)

    def answer(method: str, url: str) -> HttpAnswer:
        headers, body = next(left)
        return HttpAnswer(200, headers, body)

    return MemoryRuntime(answer=answer, **given)


def asked(runtime: MemoryRuntime) -> list[tuple[str, Any]]:
    return [(call["url"], call["params"]) for method, call in runtime.calls if method == "http"]


def test_links_are_followed_and_items_joined() -> None:
    runtime = server(
        ({"Link": '<http://x/items?page=2>; rel="next", <http://x/items?page=9>; rel="last"'}, [1, 2]),
        ({"link": "</items?page=3>; rel=next"}, [3]),
        ({"link": '<http://x/items?page=1>; rel="first"'}, [4]),
    )
    answer = run("http.request", {"url": URL, "query": {"q": "a"}, "pages": {"next": {"by": "link"}}}, {}, runtime)
    assert (answer["status"], answer["body"]) == (200, [1, 2, 3, 4])
    assert asked(runtime) == [(URL, {"q": "a"}), ("http://x/items?page=2", {}), ("http://x/items?page=3", {})]


def test_cursor_is_sent_until_there_is_none() -> None:
    runtime = server(({}, {"items": [1], "next": "b"}), ({}, {"items": [2], "next": ""}))
    pages = {"next": {"by": "cursor", "cursor": "next", "param": "after"}, "items": "items"}
    answer = run("http.request", {"url": URL, "query": {"q": "a"}, "pages": pages}, {}, runtime)
    assert answer["body"] == [1, 2]
    assert asked(runtime) == [(URL, {"q": "a"}), (URL, {"q": "a", "after": "b"})]


def test_numbered_pages_end_with_an_empty_one() -> None:
    runtime = server(({}, [1]), ({}, [2]), ({}, []))
    pages = {"next": {"by": "number", "start": 0}}
    assert run("http.request", {"url": URL, "pages": pages}, {}, runtime)["body"] == [1, 2]
    assert [params for _, params in asked(runtime)] == [{"page": 0}, {"page": 1}, {"page": 2}]


@pytest.mark.parametrize(
    ("pages", "answers", "expected"),
    [
        ({"next": {"by": "link"}}, [({"link": "<http://y/2>; rel=next"}, [1])], ("http_bad_page", "another server")),
        ({"next": {"by": "link"}}, [({"link": f"<{URL}>; rel=next"}, [1])], ("http_bad_page", "same page again")),
        ({"next": {"by": "link"}}, [({}, {"a": 1})], ("http_bad_page", "no list")),
        (
            {"next": {"by": "cursor", "cursor": "n"}, "items": "i"},
            [({}, {"i": [], "n": "a"}), ({}, {"i": [], "n": "a"})],
            ("http_bad_page", "same cursor"),
        ),
        ({"next": {"by": "number"}, "max_pages": 2}, [({}, [1])] * 2, ("http_too_many_pages", "2 pages")),
        ({"next": {"by": "number"}, "max_items": 3}, [({}, [1, 2])] * 2, ("http_too_many_pages", "3 items")),
    ],
)
def test_list_that_cannot_be_followed_fails(pages: Any, answers: Any, expected: tuple[str, str]) -> None:
    with pytest.raises(NodeError) as raised:
        run("http.request", {"url": URL, "pages": pages}, {}, server(*answers))
    assert raised.value.kind == expected[0]
    assert expected[1] in raised.value.message


def test_wrong_expression_is_an_issue() -> None:
    config = {"url": URL, "pages": {"next": {"by": "cursor", "cursor": "a["}, "items": "b["}, "save_as": "x"}
    nodes = [{"id": "h", "type": "http.request", "config": config}]
    assert sorted(found(nodes=nodes)) == [
        ("bad_expression", "/nodes/0/config/pages/items"),
        ("bad_expression", "/nodes/0/config/pages/next/cursor"),
        ("bad_value", "/nodes/0/config/save_as"),
    ]
