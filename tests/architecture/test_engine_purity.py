"""The engine needs no Dagster, no database and no clock of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import graph_engine

FOLDER = Path(graph_engine.__file__).parent


def test_engine_loads_and_executes_without_dagster() -> None:
    modules = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    imports = "\n".join(f"import graph_engine.{module}" for module in modules)
    code = f"import sys\n{imports}\nprint({{'dagster', 'sqlalchemy', 'psycopg', 'platform_core'}} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
