"""Structured log lines for every logger of a process, ours and libraries': for people, or as JSON."""

from __future__ import annotations

import logging
import sys

import structlog

from platform_core.settings import Settings


def _without_queries(record: logging.LogRecord) -> bool:
    """Take the queries off the addresses in the web server's lines on WebSockets: tickets stand there."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            part.partition("?")[0] if isinstance(part, str) and part.startswith("/") else part for part in record.args
        )
    return True


def configure_logs(settings: Settings) -> None:
    """Send all log lines to standard error in one form. An entry point calls it once.

    Modules log by `logging`, with `extra` for fields; a traceback never shows local variables, which hold secrets.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    form: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if settings.log_json:
        form += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        form += [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=form))
    root = logging.getLogger()
    root.handlers = [output]
    root.setLevel(settings.log_level.upper())
    # Every request has a line of ours, with its request id.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
    logging.getLogger("uvicorn.error").addFilter(_without_queries)
    # Steps of a migration and requests of our own are details of theirs.
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
