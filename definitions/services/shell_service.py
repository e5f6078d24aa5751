"""Shell scripts in the sandbox of users' code: the same user, folder, limits and end as a `python` node has."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.nodes.runtime import Command, CommandAnswer, OnLine

OUTPUT_BYTES = 1024 * 1024


def run_command(
    interpreter: CodeInterpreter, command: Command, *, timeout: float | None, on_line: OnLine
) -> CommandAnswer:
    """Run the script. Raises `NodeError` as `CodeInterpreter.run` does."""
    arguments = {
        "script": command.script,
        "env": dict(command.env),
        "stdin": command.stdin,
        "limit": OUTPUT_BYTES,
    }
    answer = interpreter.run(_program(), arguments, timeout=timeout, on_line=on_line)
    return CommandAnswer(answer["exit_code"], answer["stdout"], answer["stderr"])


@cache
def _program() -> str:
    return Path(__file__).with_name("shell_program.py").read_text("utf-8")
