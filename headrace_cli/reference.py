"""Writes the generated reference pages: `python -m headrace_cli.reference`, which is `make docs`."""

from __future__ import annotations

from pathlib import Path

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.catalogue.reference import pages
from graph_compiler.checking.document_reference import document_page
from headrace_cli.internals import ROOT, page, private_uses
from headrace_cli.settings_reference import settings_page

FOLDER = ROOT / "docs" / "reference"


def write_pages(folder: Path) -> None:
    """Make the folder hold exactly the pages of the built-in node types."""
    folder.mkdir(parents=True, exist_ok=True)
    written = pages(builtin_node_types())
    for stale in {path.name for path in folder.glob("*.md")} - written.keys():
        (folder / stale).unlink()
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")


def write_reference(folder: Path) -> None:
    """Write every generated page of the reference."""
    write_pages(folder / "nodes")
    (folder / "document.md").write_text(document_page(), "utf-8")
    (folder / "settings.md").write_text(settings_page(), "utf-8")
    (folder / "dagster-internals.md").write_text(page(private_uses()), "utf-8")


if __name__ == "__main__":
    write_reference(FOLDER)
