"""Templates: what they render to, and what is known of them before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from graph_compiler.templates.templates import Defect, Reference, analyse, is_template, render, templates_in
from graph_compiler.values.errors import BadValue, NodeError, TemplateFailed
from tests.unit.graph_compiler.language.test_loading import JSON_VALUES

CONTEXT: dict[str, Any] = {
    "params": {"text": "5", "rows": [{"n": 1}, {"n": 20}], "items": [7], "flag": True, "none": None},
    "inputs": {"x": 3},
}


@given(JSON_VALUES)
def test_lone_expression_keeps_value_and_type(value: Any) -> None:
    rendered = render("{{ inputs.x }}", {"inputs": {"x": value}})
    assert (rendered, type(rendered)) == (value, type(value))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ params.text }}", "5"),
        ("  {{ params.text }}", "  5"),
        ("{{ params.rows | selectattr('n', 'gt', 10) }}", [{"n": 20}]),
        ("{{ params.rows | map(attribute='n') | sum }}", 21),
        ("{{ params.items }}", [7]),
        ("{{ params['items'][0] + 1 }}", 8),
        ("{{ params.rows | length }} rows", "2 rows"),
        ("flag={{ params.flag }} none={{ params.none }}", "flag=true none=null"),
        ("{{ params.text ~ 1 ~ params.none }}", "51null"),
        ("{{ [1, true, 'a'] | join(',') }}", "1,true,a"),
        ("{{ params.rows | join('-', attribute='n') }}", "1-20"),
        ("{{ 'a-b' | replace('-', '+') }}", "a+b"),
        ("{{ params.rows | tojson }}", '[{"n": 1}, {"n": 20}]'),
        ("{{ '%s is %05.1f' | format('id 123456', 2) }}", "id 123456 is 002.0"),
        ("{{ 2.345 | round(1) }}", 2.3),
        ("{{ 5 }}", 5),
        ("{{ '5' }}", "5"),
        ("{{ [1, none] }}", [1, None]),
        ("{{ 5 }}{{ true }}", "5true"),
        ("{% if params.flag %}{{ params.rows }}{% endif %}", [{"n": 1}, {"n": 20}]),
        ("{% if not params.flag %}x{% endif %}", ""),
        ("{% set y = inputs.x * 2 %}{{ y }}", 6),
        ("{% for row in params.rows %}{{ row.n }};{% endfor %}", "1;20;"),
        ("{{ params.missing | default('none') }}", "none"),
        ("{# only a comment #}", ""),
        ("{{ range(3) }}", [0, 1, 2]),
    ],
)
def test_template_renders_to(template: str, expected: Any) -> None:
    assert render(template, CONTEXT) == expected


def test_templates_are_rendered_at_any_depth_and_data_never() -> None:
    value = {"a": ["{{ inputs.x }}", 1, {"b": "x"}], "c": "{{ params.braces }}"}
    context = CONTEXT | {"params": {"braces": "{{ inputs.x }}"}}
    assert render(value, context) == {"a": [3, 1, {"b": "x"}], "c": "{{ inputs.x }}"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ params.missing }}", "there is no 'missing' here; there is flag, items, none, rows, text"),
        ("x{{ params.missing }}", "there is no 'missing' here"),
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ params.rows[5] }}", "list object has no element 5"),
        ("{{ params.text + 1 }}", "can only concatenate str"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ x", "unexpected end of template"),
        ("{{ params.text.__class__ }}", "unsafe"),
        ("{{ params.rows.append(1) }}", "unsafe"),
    ],
)
def test_template_that_fails_says_why(template: str, message: str) -> None:
    with pytest.raises(TemplateFailed) as raised:
        render(template, CONTEXT)
    assert raised.value.kind == "template_error"
    assert not raised.value.retryable
    assert message in raised.value.message


@pytest.mark.parametrize("template", ["{{ [params.missing] }}", "{{ {'a': params.missing} }}"])
def test_undefined_inside_a_value_is_refused(template: str) -> None:
    with pytest.raises(BadValue, match="there is no 'missing' here"):
        render(template, CONTEXT)


def test_value_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadValue, match="is not a JSON value"):
        render("{{ params.text.upper }}", CONTEXT)


def test_errors_of_what_templates_read_pass_through() -> None:
    class Vault(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            raise NodeError("secret_missing", name)

        def __contains__(self, name: object) -> bool:
            return True

    with pytest.raises(NodeError) as raised:
        render("{{ secrets.token }}", {"secrets": Vault()})
    assert raised.value.kind == "secret_missing"


def test_references_are_found_with_their_places() -> None:
    text = "{{ params.a.b[0].c }} and\n{{ inputs['x y'] + nodes.n.value | default(run.id) }}{{ trigger[params.k] }}"
    assert set(analyse(text).references) == {
        Reference(("params", "a", "b"), 1, 4),
        Reference(("inputs", "x y"), 2, 4),
        Reference(("nodes", "n", "value"), 2, 20),
        Reference(("run", "id"), 2, 44),
        Reference(("trigger",), 2, 57),
        Reference(("params", "k"), 2, 65),
    }


def test_names_that_the_template_binds_are_no_references() -> None:
    text = "{% set y = inputs.a %}{% for row in y %}{{ row.n + loop.index + range(3)[0] }}{% endfor %}"
    assert [reference.path for reference in analyse(text).references] == [("inputs", "a")]


@pytest.mark.parametrize(
    ("text", "defect"),
    [
        ("{{ 1 +", Defect("unexpected 'end of template'", 1, 1)),
        ("a\n{{ x | lenght }}", Defect("there is no filter `lenght`", 2, 8, "lenght")),
        ("{{ x is evn }}", Defect("there is no test `evn`", 1, 9, "evn")),
        ("{% import 'x' as y %}", Defect("only `if`, `for` and `set` statements are available", 1, 1)),
        ("{% macro x() %}{% endmacro %}", Defect("only `if`, `for` and `set` statements are available", 1, 1)),
        ("{% for x in y recursive %}{% endfor %}", Defect("recursive loops are not available", 1, 1)),
        ("{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}", Defect("nested too deeply", 1, 1)),
        ("{{ '" + "a" * 20_000 + "' }}", Defect("a template of 20008 characters; 20000 is the limit", 1, 1)),
    ],
)
def test_defects_are_found_without_rendering(text: str, defect: Defect) -> None:
    assert analyse(text).defects == (defect,)


def test_templates_are_found_in_data_with_their_pointers() -> None:
    value = {"a/b": ["{{ x }}", "plain", {"c~": "{% if x %}{% endif %}"}], "d": 1}
    assert list(templates_in(value, "/config")) == [
        ("/config/a~1b/0", "{{ x }}"),
        ("/config/a~1b/2/c~0", "{% if x %}{% endif %}"),
    ]
    assert not is_template("{ x }")
    assert not is_template(3)
