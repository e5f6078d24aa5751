"""Templates in documents: what they name (before a run) and what they render to (in it)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, nodes

from graph_compiler.templates.template_bounds import MAX_WORK, spend, weigh, work
from graph_compiler.templates.template_sandbox import Environment, as_text
from graph_compiler.values.binary import stands_for_bytes
from graph_compiler.values.errors import NodeError, TemplateFailed
from graph_compiler.values.pointers import pointer_token
from graph_compiler.values.texts import shortened
from graph_compiler.values.values import as_json

MAX_TEMPLATE = 20_000
"""Characters of one template."""
_LINE_END = re.compile(r"\r\n|\r|\n")
"""Where Jinja2 ends a line; `str.splitlines` ends more."""
_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True)
class Reference:
    """A name a template uses: `params.commits[0]` is `("params", "commits")`, up to what only a run can know."""

    path: tuple[str, ...]
    line: int
    column: int

    @property
    def root(self) -> str:
        return self.path[0]


@dataclass(frozen=True)
class Defect:
    """Why a text is no template, and where in it (1-based)."""

    message: str
    line: int
    column: int
    word: str | None = None


@dataclass(frozen=True)
class Analysis:
    """What can be known of a template without rendering it."""

    references: tuple[Reference, ...] = ()
    defects: tuple[Defect, ...] = ()


def is_template(value: Any) -> bool:
    """Whether the value is text that rendering would change."""
    return isinstance(value, str) and any(mark in value for mark in _MARKS)


def render(value: Any, context: Mapping[str, Any]) -> Any:
    """The value with every template in it rendered, at any depth; a lone `{{ }}` keeps its type, and every
    other template gives text.

    Raises `TemplateFailed` for undefined names and whatever else goes wrong, `BadValue` if the result is not JSON.
    """
    if isinstance(value, dict):
        rendered = {key: render(item, context) for key, item in value.items()}
        return as_json(rendered, "the value") if stands_for_bytes(rendered) else rendered
    if isinstance(value, list):
        return [render(item, context) for item in value]
    return _render_text(value, context) if is_template(value) else value


def templates_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every template in the value with its JSON pointer, `path` being the value's own."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from templates_in(item, f"{path}/{pointer_token(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from templates_in(item, f"{path}/{index}")
    elif is_template(value):
        yield path, value


@lru_cache(maxsize=8192)
def analyse(text: str) -> Analysis:
    """The names a template uses and its defects; never raises."""
    if len(text) > MAX_TEMPLATE:
        return Analysis(defects=(Defect(f"a template of {len(text)} characters; {MAX_TEMPLATE} is the limit", 1, 1),))
    try:
        tree = _environment().parse(text)
        references = tuple(_located(reference, line, text) for reference, line in _references(tree))
        return Analysis(references, tuple(_unknown_words(tree, text)))
    except TemplateSyntaxError as error:
        return Analysis(defects=(Defect(error.message or "not a template", error.lineno, 1),))
    except (RecursionError, MemoryError):
        return Analysis(defects=(Defect("nested too deeply", 1, 1),))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment()


@dataclass(frozen=True)
class _Compiled:
    template: Template
    is_lone: bool


@lru_cache(maxsize=4096)
def _compiled(text: str) -> _Compiled:
    if len(text) > MAX_TEMPLATE:
        raise TemplateFailed(f"a template of {len(text)} characters; {MAX_TEMPLATE} is the limit")
    tree = _environment().parse(text)
    is_lone = _is_lone(tree)
    return _Compiled(_environment().from_string(tree), is_lone)


def _is_lone(tree: nodes.Template) -> bool:
    """Whether the template is one `{{ }}` and nothing else but comments; never by what a run makes of it."""
    match tree.body:
        case [nodes.Output(nodes=[part])]:
            return not isinstance(part, nodes.TemplateData)
    return False


def _render_text(text: str, context: Mapping[str, Any]) -> Any:
    token = work.set(MAX_WORK)
    try:
        compiled = _compiled(text)
        pieces = compiled.template.root_render_func(compiled.template.new_context(dict(context)))
        value = _defined(next(pieces)) if compiled.is_lone else _written(pieces)
        return as_json(value, "the template's value")
    except NodeError:
        raise
    except (Exception, RecursionError) as error:
        raise TemplateFailed(f"{_shortened(text)}: {error or type(error).__name__}") from None
    finally:
        work.reset(token)


def _written(pieces: Iterator[Any]) -> str:
    written: list[str] = []
    for piece in pieces:
        spend()
        written.append(as_text(_defined(piece)))
    weigh(written)
    return "".join(written)


def _defined(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)
    return value


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return shortened(line, 80)


def _references(tree: nodes.Template) -> Iterator[tuple[tuple[str, ...], int]]:
    bound = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"} | {"loop"}
    bound |= set(_environment().globals)
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        name, path, others = _chain(node)
        if name is None:
            pending.extend(reversed(list(node.iter_child_nodes())))
            continue
        pending.extend(others)
        if name.ctx == "load" and name.name not in bound:
            yield (name.name, *path), name.lineno


def _chain(node: nodes.Node) -> tuple[nodes.Name | None, list[str], list[nodes.Node]]:
    """The name at the root of `a.b["c"][i]`, the steps known without running (b, c), and the subscripts."""
    path: list[str] = []
    others: list[nodes.Node] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            path.append(node.arg.value)
        else:
            others.append(node.arg)
            path.clear()
        node = node.node
    return (node if isinstance(node, nodes.Name) else None), path[::-1], others


def _located(path: tuple[str, ...], line: int, text: str) -> Reference:
    lines = _LINE_END.split(text)
    written = lines[line - 1] if line <= len(lines) else ""
    for length in range(len(path), 0, -1):
        pattern = r"\s*(?:\.\s*|\[\s*['\"])".join(map(re.escape, path[:length]))
        if match := re.search(rf"(?<![\w.]){pattern}(?!\w)", written):
            return Reference(path, line, match.start() + 1)
    return Reference(path, line, 1)


def _unknown_words(tree: nodes.Template, text: str) -> Iterator[Defect]:
    for kind, known in (("filter", _environment().filters), ("test", _environment().tests)):
        node_type = nodes.Filter if kind == "filter" else nodes.Test
        for node in tree.find_all(node_type):
            if node.name not in known:
                place = _located((node.name,), node.lineno, text)
                yield Defect(f"there is no {kind} `{node.name}`", place.line, place.column, node.name)


def template_words() -> list[str]:
    """The filters and tests that templates may use."""
    return sorted({*_environment().filters, *_environment().tests})
