"""Keeps a run pod from loading what libraries import if it is there, and no run needs.

Each module is one that its library imports inside `try: ... except ImportError`, so without it the library works.
"""

from __future__ import annotations

import gc
import sys

OPTIONAL = (
    "httpx._main",  # httpx's command line: click, rich, pygments
    "mako.ext.pygmentplugin",  # colours in Mako's error pages: pygments
    "rich",  # structlog's coloured tracebacks
    "colorama",
)


def hide() -> None:
    """Make the imports of these modules fail, which their libraries expect; before anything imports them.

    The garbage collector rests until `collect`: what is imported stays, and looking through it takes long.
    """
    gc.disable()
    for name in OPTIONAL:
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # what the import system reads as "not there"


def collect() -> None:
    """From now on collect garbage again, but not look through what was imported."""
    gc.freeze()
    gc.enable()
