"""Builds the settings for the commands: the environment, then what the command line says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headrace_cli.home.privacy import UMASK
from headrace_cli.home.up_record import read_record
from headrace_cli.terminal.errors import CommandError
from platform_core.operation import lifeline
from platform_core.settings import Settings


def read_settings(**chosen: Any) -> Settings:
    """Settings from the environment, overridden by every `chosen` value that is not None. Raises `CommandError`."""
    try:
        settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"HEADRACE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise CommandError(f"The settings are wrong: {wrong}.", hint="See docs/reference/settings.md.") from error
    return settings.model_copy(update={"home": Path(settings.home).expanduser().absolute()})


def service_settings() -> Settings:
    """The settings of a service's process, tied to its supervisor if it has one. Raises `CommandError`."""
    lifeline.hold_lifeline(os.environ.get(lifeline.VARIABLE))
    from definitions.sandbox.process import protect_process
    from platform_core.operation.logs import configure_logs

    protect_process()
    os.umask(UMASK)  # also where no `up` has set it
    settings = with_database(read_settings())
    configure_logs(settings)
    return settings


def with_database(settings: Settings) -> Settings:
    """The settings with the address of the database. Raises `CommandError` if nothing names one."""
    if settings.database_url is not None:
        return settings
    record = read_record(settings.home)
    if record is None:
        raise CommandError(
            f"There is no database: HEADRACE_DATABASE_URL is not set and no `headrace up` runs in {settings.home}.",
            hint="Start `headrace up`, or set HEADRACE_DATABASE_URL=postgresql://...",
        )
    return settings.model_copy(update={"database_url": record.database_url})
