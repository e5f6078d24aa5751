"""Commands that are made when they are needed, and the page that lists them: plain text, under headings.

To make a command takes a millisecond, and there are fifty of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, MutableMapping
from typing import Any, ClassVar

from typer.core import TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo


class LazyCommands(MutableMapping[str, Any]):
    """Commands by name; each is made from its description when it is asked for."""

    def __init__(self, described: MutableMapping[str, CommandInfo]) -> None:
        self._described = described
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            info = self._described[name]
            self._made[name] = get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        self._described.pop(name, None)
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._described, **self._made})

    def __len__(self) -> int:
        return len({**self._described, **self._made})

    def summary(self, name: str) -> tuple[str | None, str] | None:
        """The heading and the first sentence of a command, without making it; None for a hidden one."""
        if name in self._described:
            info = self._described[name]
            return None if info.hidden else (info.rich_help_panel, _sentence(inspect.getdoc(info.callback) or ""))
        command = self._made[name]
        return command.rich_help_panel, _sentence(command.help or "")


class PanelGroup(TyperGroup):
    """Lists its commands by their `rich_help_panel`, without loading rich, and makes only the one that runs."""

    described: ClassVar[dict[str, CommandInfo]] = {}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        commands = LazyCommands(self.described)
        commands.update(self.commands)
        self.commands = commands

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each panel, in the order in which the first command of each was added."""
        assert isinstance(self.commands, LazyCommands)
        shown = {name: found for name in self.commands if (found := self.commands.summary(name)) is not None}
        width = max(map(len, shown), default=0)
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, (panel, sentence) in shown.items():
            panels.setdefault(panel or "Commands", []).append((name.ljust(width), sentence))
        for heading, rows in panels.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def _sentence(text: str) -> str:
    """The first sentence, or what of it stands before its first semicolon or colon."""
    sentence = " ".join(text.partition("\n\n")[0].split()).partition(". ")[0]
    return sentence.partition("; ")[0].partition(": ")[0].removesuffix(".") + "."
