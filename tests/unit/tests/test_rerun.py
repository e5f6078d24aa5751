"""Which unit tests a change concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rerun import concerned


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {
        "tests/unit/mill/test_wheel.py": "",
        "tests/unit/mill/test_river.py": "from mill.wheel import Wheel",
        "tests/unit/mill/test_grain.py": "from mill import flour, wheel",
        "tests/unit/mill/test_wheels.py": "from mill.wheels import Wheels",
        "tests/unit/mill/stones.py": "import mill.wheel",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("mill/wheel.py", {"mill/test_wheel.py", "mill/test_river.py", "mill/test_grain.py"}),
        ("mill/wheels.py", {"mill/test_wheels.py"}),
        ("mill/unnamed.py", {"mill"}),
        ("tests/unit/mill/test_river.py", {"mill/test_river.py"}),
        ("tests/unit/mill/stones.py", {"mill"}),
        ("tests/integration/mill/test_wheel.py", set()),
        ("examples/demo.py", set()),
    ],
)
def test_a_change_concerns_the_tests_of_its_name_and_those_that_import_it(
    root: Path, changed: str, tests: set[str]
) -> None:
    assert concerned(Path(changed), root) == {Path("tests/unit") / test for test in tests}
