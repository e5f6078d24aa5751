"""The warm interpreter that users' code is forked from: `python -I child.py`, standard library only.

It holds no credentials and never runs users' code itself. For each call that comes over the socket on its standard
input it forks a supervisor (supervisor), which forks the first process of the call (sandbox), which puts up its walls
and forks the one that runs the code (code_process, call).
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import types
from pathlib import Path

# Modules that users' code finds already imported.
WARM = """
    base64 bisect calendar collections copy csv dataclasses datetime decimal enum fractions functools hashlib heapq
    html itertools math operator random re statistics string textwrap typing unicodedata urllib.parse uuid
"""


def main() -> None:
    """Warm up, then serve the worker's requests until it closes the socket or dies."""
    kept = keep_imports_working() if os.geteuid() == 0 else frozenset[int]()
    for name in WARM.split():
        importlib.import_module(name)
    # A package without its __init__, so that our modules find one another and nothing else of Headrace is loaded.
    package = types.ModuleType("definitions")
    package.__path__ = [str(Path(__file__).parents[1])]
    sys.modules["definitions"] = package
    load_headrace()
    from definitions.sandbox import walls
    from definitions.sandbox.server import CodeServer

    for name in [name for name in sys.modules if name.partition(".")[0] == "definitions"]:
        del sys.modules[name]
    hidden, readable, ports = json.loads(sys.argv[1])
    CodeServer(kept, walls.find(hidden, readable), ports).serve()


def load_headrace() -> None:
    """Make `import headrace` give users' code its functions, and nothing else of the package."""
    place = Path(__file__).parents[2] / "headrace" / "__init__.py"
    spec = importlib.util.spec_from_file_location("headrace", place, submodule_search_locations=None)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__path__ = []
    sys.modules["headrace"] = module


def keep_imports_working() -> frozenset[int]:
    """Import through open descriptors from the folders that other users cannot reach. Returns the descriptors.

    As root, Python often lives under /root, which a dropped user cannot enter. An open folder needs only its own
    permissions, and leads nowhere else: a process that goes up from it needs those of the folders above.
    """
    moved = {}
    for entry in sys.path:
        if Path(entry).is_dir() and not _open_to_all(Path(entry)):
            moved[entry] = os.open(entry, os.O_PATH | os.O_DIRECTORY)
    sys.path[:] = [f"/proc/self/fd/{moved[entry]}" if entry in moved else entry for entry in sys.path]
    for module in list(sys.modules.values()):
        places = getattr(module, "__path__", None)
        if isinstance(places, list):
            places[:] = [_moved(place, moved) for place in places]
    return frozenset(moved.values())


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _moved(place: str, moved: dict[str, int]) -> str:
    for folder in sorted(moved, reverse=True):  # the deepest folder first
        if place.startswith(folder + "/"):
            return f"/proc/self/fd/{moved[folder]}{place.removeprefix(folder)}"
    return place


if __name__ == "__main__":
    main()
