"""Names of files that somebody sends: kept, but for characters that paths may not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.values.file_values import LONGEST_NAME, checked_path, name_for


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Screenshot 2026-11-27 at 4.12.33\u202fPM.png", "Screenshot 2026-11-27 at 4.12.33 PM.png"),
        ("a\u00a0b.txt", "a b.txt"),
        ("12:30.log", "12_30.log"),
        ("👨\u200d👩.jpg", "👨_👩.jpg"),
        ("a\n\u202egpj.exe", "a__gpj.exe"),
        ("Zoë €.png", "Zoë €.png"),
        ("C:\\fotos\\x.png", "x.png"),
        ("../../etc/passwd", "passwd"),
        ("", "file"),
        ("..", "__"),
        (".headrace-1", "_headrace-1"),
        (".profile", ".profile"),
        ("ü" * 150 + ".pdf", "ü" * 98 + ".pdf"),
        ("x" * 300 + ".tar.gz", "x" * 193 + ".tar.gz"),
        ("a." + "e" * 300, "a." + "e" * 198),
    ],
)
def test_a_name_is_kept_with_odd_characters_replaced(sent: str, kept: str) -> None:
    assert name_for(sent) == kept


@given(st.text(max_size=300))
def test_any_name_makes_a_path(sent: str) -> None:
    name = name_for(sent)
    assert checked_path(f"uploads/{name}") == f"uploads/{name}"
    assert "/" not in name
    assert len(name.encode()) <= LONGEST_NAME
