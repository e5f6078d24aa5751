"""Which tests of a run share a process, and which modules begin first."""

from __future__ import annotations

import pytest
from xdist.workermanage import parse_tx_spec_config

from tests.distribution import ByModule, by_slowness


@pytest.fixture
def scheduler(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> ByModule:
    monkeypatch.setattr(pytestconfig.option, "tx", ["popen"])
    monkeypatch.setattr(pytestconfig.option, "loadscopereorder", True)
    assert parse_tx_spec_config(pytestconfig)
    return ByModule(pytestconfig)


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/unit/mill/test_wheel.py::test_turns", "tests/unit/mill/test_wheel.py"),
        ("tests/unit/mill/test_wheel.py::TestRiver::test_flows", "tests/unit/mill/test_wheel.py"),
        ("tests/unit/mill/test_wheel.py::test_turns[a::b@c]", "tests/unit/mill/test_wheel.py"),
        ("tests/e2e/test_runs.py::test_runs@installation", "installation"),
        ("tests/e2e/test_runs.py::test_runs[x@y]@installation", "installation"),
    ],
)
def test_a_module_or_a_named_group_stays_in_one_process(scheduler: ByModule, nodeid: str, unit: str) -> None:
    assert scheduler._split_scope(nodeid) == unit


def test_modules_keep_the_order_in_which_they_were_sorted(scheduler: ByModule, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.option.loadscopereorder is False


def test_folders_that_take_long_begin_first() -> None:
    names = ["tests/unit/a.py", "tests/integration/nodes/b.py", "tests/e2e/c.py", "tests/integration/definitions/d.py"]
    assert sorted(names, key=by_slowness) == [names[2], names[3], names[1], names[0]]
