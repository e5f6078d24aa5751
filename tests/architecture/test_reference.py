"""The reference pages list exactly what the code has: error codes, settings, commands."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from headrace_cli.internals import page, private_uses
from headrace_cli.main import app
from headrace_cli.settings_reference import UNITS, settings_page
from headrace_cli.terminal.exit_codes import ExitCode
from platform_core import errors
from platform_core.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def rows(page: str) -> list[str]:
    """The rows of the page's tables, without head and rule."""
    lines = (REFERENCE / page).read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    heads = {position - 1 for position, line in enumerate(tables) if set(line) <= set("|-")}
    rules = {position + 1 for position in heads}
    return [line for position, line in enumerate(tables) if position not in heads | rules]


def test_every_error_code_is_documented() -> None:
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.HeadraceError)
    ]
    documented = re.findall(r"^\| (\d+) \| `(\w+)` \|", "\n".join(rows("errors.md")), re.MULTILINE)
    assert documented == sorted((str(error.status), error.code) for error in classes)


def test_every_setting_is_documented_with_its_default_type_and_unit() -> None:
    """If this fails: `make docs`."""
    assert (REFERENCE / "settings.md").read_text("utf-8") == settings_page()
    documented = [row.split("|")[1].strip() for row in rows("settings.md")]
    assert documented == [f"`HEADRACE_{name.upper()}`" for name in Settings.model_fields]


def test_every_numeric_setting_has_a_unit_and_no_other_has_one() -> None:
    numeric = {
        name for name, field in Settings.model_fields.items() if re.search(r"\b(int|float)\b", str(field.annotation))
    }
    assert UNITS.keys() == numeric


def test_every_command_is_documented() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    shown: set[str] = set()
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            shown |= {f"{name} {inner}" for inner in command.commands}
        elif not command.hidden:
            shown.add(name)
    documented = {
        found for row in rows("cli.md") for found in re.findall(r"`([a-z-]+(?: [a-z-]+)?)[^`]*`", row.split("|")[1])
    }
    assert shown - documented == set()


def test_every_exit_code_is_documented() -> None:
    documented = {int(row.split("|")[1]) for row in rows("cli.md") if row.split("|")[1].strip().isdigit()}
    assert documented == {int(code) for code in ExitCode}


def test_every_module_that_uses_a_private_name_of_dagster_is_listed_as_it_is_now() -> None:
    assert (REFERENCE / "dagster-internals.md").read_text() == page(private_uses()), "`make docs` writes it"


def test_every_module_that_uses_a_private_name_of_dagster_says_for_what() -> None:
    assert [use.module for use in private_uses() if use.purpose is None] == []
