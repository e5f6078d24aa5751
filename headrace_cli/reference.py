"""Writes the generated reference pages: `python -m headrace_cli.reference`, which is `make docs`."""

from __future__ import annotations

from pathlib import Path

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.catalogue.reference import pages

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "nodes"


def write_pages(folder: Path) -> None:
    """Make the folder hold exactly the pages of the built-in node types."""
    folder.mkdir(parents=True, exist_ok=True)
    written = pages(builtin_node_types())
    for stale in {path.name for path in folder.glob("*.md")} - written.keys():
        (folder / stale).unlink()
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_pages(FOLDER)
