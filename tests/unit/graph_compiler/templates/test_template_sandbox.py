"""Templates cannot make a process work or grow without bound, nor reach out of their sandbox."""

from __future__ import annotations

import pytest

from graph_compiler.templates.templates import render
from graph_compiler.values.errors import NodeError

CONTEXT = {"text": "a" * 1000, "rows": [{"a": 1}] * 1000}
DOUBLING = "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 60


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [0] * 10**9 }}",
        "{{ 9**9**9**9 }}",
        "{{ 2 ** (2 ** 20) }}",
        "{{ 10 | round(10**6) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '%*d' | format(10**9, 1) }}",
        "{{ '%(a)1000000000d' % {'a': 1} }}",
        "{{ '%.1000000000f' % 1 }}",
        "{{ 'a'.center(10**9) }}",
        "{{ 'a'['ljust'](10**9) }}",
        "{{ ['a'] | map('center', 10**9) | list }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ text.replace('a', text) }}",
        "{{ text | replace('a', text) | replace('a', text) }}",
        "{{ range(99999) | join(text) }}",
        "{{ [1] | batch(10**9, 'x') | list }}",
        "{{ range(10**9) | list }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% set r = range(99999) %}{% for i in r %}{% for j in r %}x{% endfor %}{% endfor %}",
        DOUBLING + "{{ a ~ '' }}",
        DOUBLING + "x{{ a }}",
        DOUBLING + "{{ a | string }}",
        DOUBLING + "{{ a | tojson }}",
        DOUBLING + "{{ a | upper }}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 60 + "{{ a }}",
        "{{ lipsum(1000000) }}",
    ],
)
def test_bomb_is_an_error(template: str) -> None:
    with pytest.raises(NodeError) as raised:
        render(template, CONTEXT)
    assert raised.value.kind in ("template_error", "bad_value")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ text['__class__'] }}",
        "{{ rows | map(attribute='__class__') | list }}",
        "{{ self }}",
        "{{ cycler('a') }}",
        "{{ namespace() }}",
        "{{ rows.clear() }}",
        "{{ range.__init__ }}",
        "{{ [] | attr('__class__') }}",
    ],
)
def test_way_out_is_an_error(template: str) -> None:
    with pytest.raises(NodeError):
        render(template, CONTEXT)


def test_large_data_may_pass_through() -> None:
    rows = [{"n": n} for n in range(200_000)]
    assert render("{{ rows }}", {"rows": rows}) == rows
    assert render("{{ rows | selectattr('n', 'lt', 2) }}", {"rows": rows}) == rows[:2]


def test_each_rendering_has_its_own_budget() -> None:
    template = "{% for i in range(60000) %}{% endfor %}{{ 1 }}"
    assert [render(template, {}) for _ in range(20)] == [1] * 20
