"""What a process keeps: things made when first used."""

from __future__ import annotations

from pathlib import Path

import pytest

from definitions.execution.context import ProcessContext
from platform_core.settings import Settings
from tests.code_folder import code_folder


def test_engine_without_a_database_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HEADRACE_DATABASE_URL is not set"):
        _ = ProcessContext(Settings(home=tmp_path, database_url=None)).engine


def test_code_sees_no_folder_of_files_or_values_outside_of_the_home(tmp_path: Path) -> None:
    with code_folder() as top:
        for name in ("files", "values", "others"):
            (top / name / "ann").mkdir(parents=True)
        settings = Settings(home=tmp_path / "home", files_url=str(top / "files"), values_url=str(top / "values"))
        with ProcessContext(settings).interpreter as interpreter:
            code = "import os\ndef main(top):\n    seen = lambda name: os.access(f'{top}/{name}/ann', os.F_OK)\n"
            code += "    return list(filter(seen, os.listdir(top)))\n"
            assert interpreter.run(code, {"top": str(top)}, timeout=20, on_line=lambda *_: None) == ["others"]
