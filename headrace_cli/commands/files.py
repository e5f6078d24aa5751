"""The command that fetches files: of a run, or one by its path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace_cli.commands.completion import complete_run
from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

_OWN = "files:"


def download(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|files:PATH",
            help="A run (id, its beginning, or @last), or a path among your files, as in files:reports/a.csv.",
            autocompletion=complete_run,
        ),
    ],
    to: Annotated[Path, typer.Option("--to", "-o", metavar="FOLDER", help="Where the files are written.")] = Path(),
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the files of a run, or one file, into a folder; a file that is there already is replaced.

    Prints the path of each. Files of a run that are elsewhere (https, s3, gs) are noted and not fetched.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        wanted = [_own(what)] if what.startswith(_OWN) else _of_run(client, what)
        fetched = [_fetch(client, path, query, to) for path, query in wanted]
    if as_json:
        say_json(fetched)
        return
    for file in fetched:
        say(file["path"])


def _own(reference: str) -> tuple[str, dict[str, str]]:
    return reference.removeprefix(_OWN), {}


def _of_run(client: Client, text: str) -> list[tuple[str, dict[str, str]]]:
    from headrace_cli.client.run_ids import full_id

    run_id = full_id(client, text)
    owner = client.get(f"runs/{run_id}")["owner"]
    found = client.get(f"runs/{run_id}/files")["items"]
    for file in found:
        if file["url"] is None:
            note(f"{file['reference']} is elsewhere and is not fetched")
    own = [file["reference"].removeprefix(_OWN) for file in found if file["url"] is not None]
    if not own:
        raise CommandError(
            f"Run {run_id} names no files.",
            hint="`headrace outputs RUN` prints its outputs.",
            exit_code=ExitCode.REFUSED,
        )
    return [(path, {"owner": owner}) for path in own]


def _fetch(client: Client, path: str, query: dict[str, str], folder: Path) -> dict[str, Any]:
    """Write the file below the folder under its own path, whole or not at all."""
    import secrets
    from urllib.parse import quote

    target = folder / path
    if ".." in target.relative_to(folder).parts or Path(path).is_absolute():
        raise CommandError(f"{path} leads out of {folder}.", hint="Name a path below your files.")
    part = target.with_name(f".headrace-{secrets.token_hex(8)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with client.stream(f"files/{quote(path)}", query) as portions, part.open("xb") as file:
            size = sum(file.write(portion) for portion in portions)
        os.replace(part, target)
    except OSError as error:
        hint = "Choose another folder with --to."
        raise CommandError(f"{target} cannot be written: {error.strerror}.", hint=hint) from error
    finally:
        part.unlink(missing_ok=True)
    return {"reference": _OWN + path, "path": str(target), "size": size}
