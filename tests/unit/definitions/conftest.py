"""One warm interpreter for all tests of a module, and a short way to call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.values.errors import NodeError

Line = tuple[str, str]
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def interpreter() -> Iterator[CodeInterpreter]:
    with CodeInterpreter() as interpreter:
        yield interpreter


@pytest.fixture
def lines() -> list[Line]:
    return []


@pytest.fixture
def run(interpreter: CodeInterpreter, lines: list[Line]) -> Run:
    def run(code: str, arguments: Mapping[str, Any] | None = None, **options: Any) -> Any:
        options = {"timeout": 20, "on_line": lambda stream, text: lines.append((stream, text)), **options}
        return interpreter.run(code, arguments or {}, **options)

    return run


def failure(run: Run, code: str, arguments: Mapping[str, Any] | None = None, **options: Any) -> tuple[str, str]:
    with pytest.raises(NodeError) as caught:
        run(code, arguments, **options)
    return caught.value.kind, caught.value.message
