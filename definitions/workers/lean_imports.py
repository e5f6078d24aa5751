"""Keeps a run pod from loading what libraries import and no run needs.

The optional modules are those that a library imports inside `try: ... except ImportError`, so without them it works.
The late ones are loaded by the first use of what was imported from them.
"""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Any

OPTIONAL = (
    "httpx._main",  # httpx's command line: click, rich, pygments
    "mako.ext.pygmentplugin",  # colours in Mako's error pages: pygments
    "rich",  # structlog's coloured tracebacks
    "colorama",
)
LATE = (  # Dagster's storages import all of these at their head, for migrations
    "alembic",
    "alembic.command",
    "alembic.config",
    "alembic.runtime",
    "alembic.runtime.environment",
    "alembic.runtime.migration",
    "alembic.script",
)


def hide() -> None:
    """Make the imports of the optional modules fail, and those of the late ones cost nothing; before anything else.

    The garbage collector rests until `collect`: what is imported stays, and looking through it takes long.
    """
    gc.disable()
    for name in OPTIONAL:
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # what the import system reads as "not there"
    if not any(name in sys.modules for name in LATE):
        sys.modules |= {name: _LateModule(name) for name in LATE}


def collect() -> None:
    """From now on collect garbage again, but not look through what was imported."""
    gc.freeze()
    gc.enable()


class _LateModule(ModuleType):
    """Stands for a module until something of it is used."""

    __path__: list[str] = []  # noqa: RUF012 - a package's, as the import system reads it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        inner = sys.modules.get(f"{self.__name__}.{name}")
        return inner if inner is not None else _LateThing(self.__name__, name)


class _LateThing:
    """A class or function of a late module."""

    def __init__(self, module: str, name: str) -> None:
        self._place = module, name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._real()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def _real(self) -> Any:
        module, name = self._place
        for late in LATE:
            if isinstance(sys.modules.get(late), _LateModule):
                del sys.modules[late]
        return getattr(importlib.import_module(module), name)
