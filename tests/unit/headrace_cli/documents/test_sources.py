"""Documents and texts named on the command line."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from headrace_cli.documents.sources import Source, read_source, read_text
from headrace_cli.terminal.errors import CommandError


@pytest.mark.parametrize(("name", "syntax"), [("a.yaml", "yaml"), ("a.YML", "yaml"), ("a.json", "json"), ("a", None)])
def test_a_source_has_its_bytes_and_the_syntax_its_name_tells(tmp_path: Path, name: str, syntax: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\r\n")
    source = read_source(str(path))
    assert (source.name, source.content, source.syntax) == (str(path), b"\xff\r\n", syntax)


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Mühle\r\nRad\rBach\n".encode())
    assert read_text(path) == "Mühle\nRad\nBach\n"
    path.write_bytes(b"\xff")
    with pytest.raises(CommandError, match="cannot be read"):
        read_text(path)


def test_a_hyphen_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
    assert read_source("-") == Source("<stdin>", b"a: 1\n", None)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\r\n")))
    assert read_text(Path("-")) == "a: 1\n"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(CommandError, match="cannot be read"):
            read_source(str(path))
