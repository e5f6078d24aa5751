"""Findings about the shape of data: what pydantic says of a model, in our codes, words and pointers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from graph_compiler.language.issues import CODES, Finding, did_you_mean
from graph_compiler.values.pointers import pointer
from graph_compiler.values.port_types import type_of

_EXPECTED = {
    "string_type": "a string", "string_sub_type": "a string", "int_type": "an integer", "int_from_float": "an integer",
    "float_type": "a number", "bool_type": "true or false", "list_type": "a list", "dict_type": "an object",
    "model_type": "an object", "model_attributes_type": "an object", "none_required": "null",
    "finite_number": "a finite number",
}  # fmt: skip
_NAMES = {"name", "id", "secret", "after", "outputs"}
_GOT = {
    "null": "null", "boolean": "true or false", "integer": "an integer", "number": "a number", "string": "a string",
    "array": "a list", "object": "an object",
}  # fmt: skip


def findings_of(error: ValidationError, data: Any, path: str, model: type[BaseModel]) -> list[Finding]:
    """The findings of a failed validation of `data`, which stands at `path`; one for each place."""
    by_place: dict[tuple[str, bool], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        steps = _steps(detail, data)
        by_place.setdefault((pointer(steps), detail["type"] == "missing"), []).append(detail)
    return [
        finding for (place, _), details in by_place.items() for finding in _findings(path + place, details, data, model)
    ]


def _findings(place: str, details: Sequence[ErrorDetails], data: Any, model: type[BaseModel]) -> Iterable[Finding]:
    if details[0]["type"] == "missing":
        for detail in details:
            yield Finding("missing_key", place, f"the key `{detail['loc'][-1]}` is missing")
    elif len(details) > 1 and all(detail["type"] in _EXPECTED for detail in details):
        expected = " or ".join(dict.fromkeys(_EXPECTED[detail["type"]] for detail in details))
        yield Finding("wrong_type", place, f"expected {expected}, got {_got(details[0])}")
    else:
        yield _finding(place, details[0], model)


def _finding(place: str, detail: ErrorDetails, model: type[BaseModel]) -> Finding:
    kind, loc = detail["type"], detail["loc"]
    if kind in CODES:
        return Finding(kind, place, detail["msg"])
    if kind == "extra_forbidden":
        hint = did_you_mean(str(loc[-1]), _keys_at(model, loc[:-1]))
        return Finding("unknown_key", place, f"there is no key `{loc[-1]}` here", hint, at_key=True)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_finding(place, kind, detail.get("ctx", {}))
    if kind in _EXPECTED:
        return Finding("wrong_type", place, f"expected {_EXPECTED[kind]}, got {_got(detail)}")
    context = detail.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _pattern_finding(place, detail, context["pattern"])
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        hint = did_you_mean(str(detail["input"]), allowed) if len(allowed) > 1 else None
        return Finding("bad_value", place, f"expected {context['expected']}", hint)
    if kind == "too_short":
        return Finding("bad_value", place, f"needs at least {context['min_length']} element")
    if kind == "too_long":
        return Finding(
            "too_large", place, f"{context['actual_length']} elements; {context['max_length']} are the limit"
        )
    message = detail["msg"].removeprefix("Input ").replace("Value error, ", "")
    return Finding("bad_value", place, message)


def _tag_finding(place: str, kind: str, context: Mapping[str, Any]) -> Finding:
    """One of several models is chosen by a key, which is missing or names none of them."""
    key = context["discriminator"].strip("'")
    if kind == "union_tag_not_found":
        return Finding("missing_key", place, f"the key `{key}` is missing")
    known = re.findall(r"'([^']*)'", context["expected_tags"])
    hint = did_you_mean(context["tag"], known)
    return Finding("bad_value", f"{place}/{key}", f"expected one of {', '.join(known)}", hint)


def _pattern_finding(place: str, detail: ErrorDetails, pattern: str) -> Finding:
    names = [step for step in detail["loc"] if isinstance(step, str)]
    at_key = names[-1] == "[key]"
    if at_key or names[-1] in _NAMES:
        return Finding("bad_name", place, f"`{detail['input']}` does not match {pattern}", at_key=at_key)
    if names[-1] in ("from", "to"):
        return Finding("bad_value", place, f"`{detail['input']}` is not written as `node.port`")
    return Finding("bad_value", place, f"`{detail['input']}` does not match {pattern}")


def _steps(detail: ErrorDetails, data: Any) -> list[str | int]:
    """The error's location as far as the data has it: pydantic also names union members and `[key]`."""
    steps: list[str | int] = []
    for step in detail["loc"]:
        if isinstance(data, dict) and step in data:
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue  # the name of a union's member; what comes after it is in the data again
        steps.append(step)
    return steps


def _got(detail: ErrorDetails) -> str:
    return _GOT[type_of(detail["input"])]


def _keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> set[str]:
    """The keys that the model at `loc` has; of a union's members those of the one that `loc` names."""
    models: list[type[BaseModel]] = [model]
    for step in loc:
        if isinstance(step, str) and models:
            named = [current for current in models if len(models) > 1 and _is_tagged(current, step)]
            models = named or _models_in(_fields(models[0]).get(step))
    return set(_fields(models[0])) if len(models) == 1 else set()


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _is_tagged(model: type[BaseModel], tag: str) -> bool:
    return any(get_args(annotation) == (tag,) for annotation in _fields(model).values())


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]
