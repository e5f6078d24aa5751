"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None,
    typer.Option(
        envvar="HEADRACE_HOME",
        help="Home of the `headrace up` to talk to; HEADRACE_URL and HEADRACE_TOKEN name another server.",
        show_default="~/.headrace",
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
