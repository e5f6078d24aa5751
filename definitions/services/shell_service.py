"""Shell scripts in the sandbox of users' code: the same user, folder, limits and end as a `python` node has."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.shared.masking import Masking
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.runtime import Command, CommandAnswer, OnLine

OUTPUT_BYTES = 1024 * 1024


def run_command(
    interpreter: CodeInterpreter,
    command: Command,
    *,
    timeout: float | None,
    on_line: OnLine,
    masking: Masking,
    network: Network,
) -> CommandAnswer:
    """Run the script with so much of the network. Raises `NodeError` as `CodeInterpreter.run` does."""
    arguments = {
        "script": command.script,
        "env": dict(command.env),
        "stdin": command.stdin,
        "limit": OUTPUT_BYTES,
    }
    how: Any = {"timeout": timeout, "on_line": on_line, "masking": masking, "network": network}
    answer = interpreter.run(_program(), arguments, **how)
    texts = (masking.cut(answer[name]) if name in answer["cut"] else answer[name] for name in ("stdout", "stderr"))
    return CommandAnswer(answer["exit_code"], *texts)


@cache
def _program() -> str:
    return (Path(__file__).parents[1] / "sandbox" / "shell_program.py").read_text("utf-8")
