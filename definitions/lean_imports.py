"""Keeps a run pod from loading what libraries import if it is there, and no run needs.

Each module is one that its library imports inside `try: ... except ImportError`, so without it the library works.
"""

from __future__ import annotations

import sys

OPTIONAL = (
    "httpx._main",  # httpx's command line: click, rich, pygments
    "mako.ext.pygmentplugin",  # colours in Mako's error pages: pygments
)


def hide() -> None:
    """Make the imports of these modules fail, which their libraries expect; before anything imports them."""
    for name in OPTIONAL:
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # what the import system reads as "not there"
