"""What a run's pod need not load is loaded by its first use."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


HIDDEN = "import sys; from definitions.workers import lean_imports; lean_imports.hide(); "


def test_late_modules_are_loaded_when_something_of_them_is_used() -> None:
    assert python(f"{HIDDEN} from dagster._core.storage import sql; print('mako' in sys.modules)") == "False"
    used = "from dagster._core.storage import sql; print(sql.get_alembic_config(sql.__file__).get_main_option('none'))"
    assert python(f"{HIDDEN} {used}; print(sys.modules['alembic'].__file__ is not None)") == "None\nTrue"
    imported = "import alembic.config; from platform_core.database.engine import schema; print(schema.MigrationContext.configure)"
    assert "MigrationContext" in python(f"{HIDDEN} {imported}")


def test_optional_modules_are_not_there() -> None:
    assert python(f"{HIDDEN} import httpx, structlog; print(sys.modules['rich'])") == "None"
