"""What is read from a python node's code without running it."""

from __future__ import annotations

import pytest

from graph_compiler.nodes.code.python_code import CodeDefect, Main, Parameter, read_main


def test_signature_of_main_is_read() -> None:
    code = """
import os
def main(a, b: int, c: list[str] = (), *, d: "str", e: dict | None = None, f: float = 1) -> dict[str, int]:
    return {}
"""
    assert read_main(code) == Main(
        (
            Parameter("a", "any", True),
            Parameter("b", "integer", True),
            Parameter("c", "array", False),
            Parameter("d", "any", True),
            Parameter("e", "any", False),
            Parameter("f", "number", False),
        ),
        "object",
    )


def test_keywords_of_any_name_are_seen() -> None:
    assert read_main("def main(x, **rest) -> None: ...") == Main((Parameter("x", "any", True),), "null", True)


def test_last_main_counts_as_in_python() -> None:
    assert read_main("def main(a): ...\ndef main(b): ...") == Main((Parameter("b", "any", True),))


@pytest.mark.parametrize(
    ("code", "defect"),
    [
        ("def main():\n    retrun 1", CodeDefect("bad_code", "invalid syntax", 2, 12)),
        ("return 1", CodeDefect("bad_code", "'return' outside function", 1, 1)),
        ("x = 1\0", CodeDefect("bad_code", "source code string cannot contain null bytes")),
        ("", CodeDefect("missing_main", "the code defines no function `main`")),
        ("main = print", CodeDefect("missing_main", "the code defines no function `main`")),
        ("class A:\n    def main(): ...", CodeDefect("missing_main", "the code defines no function `main`")),
        ("\nasync def main(): ...", CodeDefect("bad_main", "`main` is async; it must be a plain function", 2, 1)),
        ("def main(x, /): ...", CodeDefect("bad_main", "parameters before `/` cannot be given by name", 1, 10)),
    ],
)
def test_defect_is_located(code: str, defect: CodeDefect) -> None:
    assert read_main(code) == defect


@pytest.mark.parametrize("code", ["(" * 5000, "x = " + "-" * 100_000 + "1", "x" + ".a" * 100_000])
def test_code_nested_without_measure_is_a_defect_and_not_a_crash(code: str) -> None:
    read = read_main(code)
    assert isinstance(read, CodeDefect)
    assert read.code == "bad_code"


def test_reading_never_runs_the_code() -> None:
    assert isinstance(read_main("raise SystemExit\ndef main(): ..."), Main)
