"""The folder by which Dagster finds our instance: written by a service that stands alone, unless `up` did it before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_core.settings import Settings

VARIABLE = "DAGSTER_HOME"


def ensure(settings: Settings, *, launches: bool = False) -> None:
    """Write the instance's files below the home and point Dagster there, unless the environment already does."""
    # Both say the same to what is started from here, and to code that reads the environment anew.
    os.environ["HEADRACE_HOME"] = str(settings.home)
    if settings.database_url is not None:
        os.environ["HEADRACE_DATABASE_URL"] = settings.database_url
    if VARIABLE in os.environ:
        return
    from definitions.instance import instance_files

    os.environ[VARIABLE] = str(instance_files.write(settings, launches=launches))
