"""What users write is evaluated within its budget: generated texts by number, the same at each run.

The limit is in seconds of the processor, ten times what the budgets allow for, so that only what is not metered
fails; `make metering COUNT=...` tells the longest.
"""

from __future__ import annotations

import time

import pytest

from graph_compiler.language.schema_validation import errors_of
from graph_compiler.templates.templates import render
from graph_compiler.values.errors import TemplateFailed
from tests.metering.generated import KINDS, evaluate

PORTION = 100
LIMIT = 10.0


@pytest.mark.parametrize("first", range(0, 6 * PORTION, PORTION))
def test_generated_texts_neither_crash_nor_run_away(first: int) -> None:
    for number in range(first, first + PORTION):
        began = time.process_time()
        assert evaluate(number) in KINDS
        assert time.process_time() - began < LIMIT, f"text {number}"


ROWS = {"rows": [{"k": number} for number in range(20_000)], "long": "x" * 1_000_000}


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(100000) %}{% set y = long.count('y') %}{% endfor %}",
        "{% for i in range(100000) %}{% set y = long | upper %}{% endfor %}",
        "{% for i in range(100000) %}{% set y = rows[::2] %}{% endfor %}",
        "{% for i in range(100000) %}{% set y = rows == rows %}{% endfor %}",
        "{% for i in range(100000) %}{{ rows }}{% endfor %}",
        "{% for i in range(100000) %}{{ range(100000) }}{% endfor %}",
        "{{ rows | select('in', rows) | list | length }}",
        "{{ range(20000) | map('string') | map('list') | sum(start=[]) | length }}",
    ],
)
def test_what_would_take_minutes_is_refused(template: str) -> None:
    with pytest.raises(TemplateFailed, match="steps of work"):
        render(template, ROWS)


def test_pattern_whose_states_explode_is_refused_over_a_long_text() -> None:
    [error] = errors_of({"pattern": "(a|b)*a(a|b){20}(x{0,99}){0,9}"}, "ab" * 200_000)
    assert "steps" in error.message
