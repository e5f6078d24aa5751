"""Completion in shells: the script a shell loads, and the names that only a server knows."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace_cli.terminal.terminal import say

VARIABLE = "_HEADRACE_COMPLETE"
"""Environment variable by which a shell's script asks for completions."""
_SECONDS = 2.0
"""A shell that waits longer for a completion seems to hang."""


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell to complete in.")]) -> None:
    """Print the script by which a shell completes commands, options, graphs and runs.

    bash: `eval "$(headrace completion bash)"` in ~/.bashrc; zsh the same in ~/.zshrc; fish:
    `headrace completion fish > ~/.config/fish/completions/headrace.fish`.
    """
    from typer._completion_shared import get_completion_script

    say(get_completion_script(prog_name="headrace", complete_var=VARIABLE, shell=shell.value))


def prepare() -> None:
    """Make the shells known to the parser of the command line, which has none without its own option for them."""
    from typer._completion_classes import completion_init

    completion_init()


def complete_graph(context: typer.Context, incomplete: str) -> list[str]:
    """The graphs whose names begin so."""
    return [name for item in _items(context, "graphs") if (name := str(item["name"])).startswith(incomplete)]


def complete_run(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest runs whose ids begin so, with graph and status."""
    found = [(str(run["run_id"]), f"{run['graph']} {run['status']}") for run in _items(context, "runs")]
    return [pair for pair in [("@last", "the newest run"), *found] if pair[0].startswith(incomplete)]


def _items(context: typer.Context, path: str) -> Iterator[dict[str, Any]]:
    """The first items of a list; none without a server, since there is nobody to report an error to."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    home = context.params.get("home")
    try:
        with Client(find_server(None if home is None else Path(home))) as client:
            client.http.timeout = _SECONDS
            yield from client.items(path, 100)
    except Exception:
        return
