"""One warm interpreter for all tests of a module, and a short way to call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import psutil
import pytest

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.values.errors import NodeError

Line = tuple[str, str]
Run = Callable[..., Any]


_numbers = count()


def new_name() -> str:
    """A name by which a process of a call can be found from outside (`pid_of`); the kernel takes 15 bytes."""
    return f"code-{next(_numbers)}"


def pids_of(name: str) -> list[int]:
    """The process ids, as we see them, of the processes below this one that have the name."""
    return [process.pid for process in psutil.Process().children(recursive=True) if process.name() == name]


def pid_of(name: str) -> int:
    """The process id of the only one."""
    (pid,) = pids_of(name)
    return pid


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
