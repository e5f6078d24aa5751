"""`headrace doctor`: what of this machine, this home and its database must be mended, and how."""

from __future__ import annotations

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import say, say_json


def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Look at the machine, the home and the database, and say what to do about what is found.

    Exits with 1 if something must be mended.
    """
    from dataclasses import asdict

    from headrace_cli.doctor.database import examine_database
    from headrace_cli.doctor.finding import Grade
    from headrace_cli.doctor.home import examine_home
    from headrace_cli.doctor.machine import examine_machine
    from headrace_cli.home.configuration import read_settings

    settings = read_settings(home=home)
    findings = [*examine_machine(settings), *examine_home(settings), *examine_database(settings)]
    must_mend = any(finding.grade is Grade.MEND for finding in findings)
    if as_json:
        say_json({"must_mend": must_mend, "findings": [asdict(finding) for finding in findings]})
    for finding in [] if as_json else findings:
        say(f"{finding.grade:<4}  {finding.name:<10}  {finding.said}")
        if finding.advice is not None:
            say(f"{'':18}{finding.advice}")
    raise typer.Exit(ExitCode.FAILED if must_mend else ExitCode.OK)
