"""Private names of Dagster are found however they are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace_cli.internals import PrivateUse, page, private_uses


def written(root: Path, text: str) -> list[PrivateUse]:
    (root / "definitions").mkdir()
    (root / "definitions" / "mill.py").write_text(text)
    return private_uses(root)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from dagster._core.events import EngineEventData", "dagster._core.events.EngineEventData"),
        ("import dagster._grpc.server", "dagster._grpc.server"),
        ("def load():\n    from dagster_k8s._x import y", "dagster_k8s._x.y"),
        ("MODULES = ['dagster._grpc.server']", "dagster._grpc.server"),
    ],
)
def test_a_private_name_is_found_in_every_form_of_an_import(tmp_path: Path, line: str, name: str) -> None:
    assert written(tmp_path, line) == [PrivateUse("definitions/mill.py", (name,), None)]


@pytest.mark.parametrize("line", ["from dagster import job", "import dagster_k8s.models", "x = 'see dagster._core'"])
def test_public_names_and_texts_are_not_listed(tmp_path: Path, line: str) -> None:
    assert written(tmp_path, line) == []


def test_the_purpose_is_the_paragraph_of_the_docstring(tmp_path: Path) -> None:
    text = '"""A mill.\n\nInternals used: `_wheel`,\nwhich turns.\n\nAnd more.\n"""\nfrom dagster._mill import _wheel\n'
    uses = written(tmp_path, text)
    assert uses == [
        PrivateUse("definitions/mill.py", ("dagster._mill._wheel",), "Internals used: `_wheel`, which turns.")
    ]
    assert page(uses).endswith(
        "\n## `definitions/mill.py`\n\nInternals used: `_wheel`, which turns.\n\n- `dagster._mill._wheel`\n"
    )
