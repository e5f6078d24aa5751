"""What a machine cannot enforce is known and graded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from definitions.sandbox.machine import Gap, Machine, examine

WHOLE = {"has_own_users": True, "has_namespaces": True, "landlock": 7, "knows_calls": True}


@pytest.mark.parametrize(
    ("found", "gaps"),
    [
        ({}, ()),
        ({"has_own_users": False}, ()),
        ({"has_namespaces": False}, (Gap.DISK, Gap.PUBLIC)),
        ({"landlock": 3}, (Gap.PORTS,)),
        ({"knows_calls": False}, (Gap.CALLS,)),
        ({"has_own_users": False, "has_namespaces": False}, (Gap.NEIGHBOURS, Gap.DISK, Gap.PUBLIC)),
        (
            {"has_own_users": False, "has_namespaces": False, "landlock": 0},
            (Gap.FILES, Gap.PORTS, Gap.SIGNALS, Gap.NEIGHBOURS, Gap.DISK, Gap.PUBLIC),
        ),
    ],
)
def test_gaps_are_what_neither_users_nor_namespaces_nor_landlock_close(
    found: dict[str, int], gaps: tuple[Gap, ...]
) -> None:
    machine = Machine(**WHOLE | found)  # type: ignore[arg-type]  # by name, of both kinds
    assert machine.gaps == gaps


def test_a_machine_is_examined_as_its_user_finds_it() -> None:
    refuse = (
        "from tests.unit.definitions.sandbox.container import refuse_namespaces; refuse_namespaces();"
        " from definitions.sandbox.machine import examine; print(examine().has_namespaces, examine().landlock)"
    )
    said = subprocess.run([sys.executable, "-c", refuse], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", str(examine().landlock)]
