"""A run's params: the JSON Schema a graph declares, its defaults, and what does not fit it.

Params that the schema does not declare are refused unless it says otherwise (`additionalProperties` and its kin).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from graph_compiler.language.issues import Issue, did_you_mean
from graph_compiler.language.spec import GraphSpec
from graph_compiler.values.canonical import canonical_json
from graph_compiler.values.errors import BadValue
from graph_compiler.values.pointers import pointer
from graph_compiler.values.texts import shortened
from graph_compiler.values.values import as_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_DEFAULTS_DEPTH = 32
_OPENING = frozenset(
    [
        "additionalProperties",
        "patternProperties",
        "unevaluatedProperties",
        "$ref",
        "$dynamicRef",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
        "dependentSchemas",
    ]
)
_ELSEWHERE = ("$ref", "$dynamicRef", "$id", "$schema")


def apply(spec: GraphSpec, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """The params with defaults filled in at every level, and what is wrong with them.

    Issue paths point into the params, as in `/params/limit`. The params are those to run with if there is no issue.
    """
    return applied(spec.params, params)


def applied(schema: dict[str, Any], params: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """`apply`, of a schema that has no defects."""
    try:
        given = as_json(dict(params), "params")
        filled = _filled(schema, given, schema, 0)
    except BadValue as error:
        return {}, [Issue("bad_param", "/params", error.message)]
    declared = declared_names(schema)
    unknown = sorted(filled.keys() - declared) if declared is not None else ()
    issues = [
        Issue(
            "unknown_param",
            f"/params{pointer([name])}",
            f"the param `{name}` is not declared",
            hint=did_you_mean(name, declared or ()),
        )
        for name in unknown
    ]
    issues += [issue for error in _errors(schema, filled) for issue in _issues(error)]
    return filled, issues


def declared_names(schema: Mapping[str, Any]) -> set[str] | None:
    """The names of all params there can be; None if the schema admits others."""
    if _OPENING & schema.keys() and schema.get("additionalProperties") is not False:
        return None
    properties = schema.get("properties", {})
    return set(properties) if isinstance(properties, dict) else None


def required_names(schema: Mapping[str, Any]) -> set[str]:
    """The params that must be given: required, and without a default."""
    properties = schema.get("properties", {})
    return {name for name in schema.get("required", ()) if "default" not in _subschema(properties, name)}


def schema_of(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The schema of one param; empty if there is none of its own."""
    return _subschema(schema.get("properties", {}), name)


def schema_defects(schema: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """What is wrong with a params schema, each as (pointer, issue code, message)."""
    return _schema_defects(canonical_json(schema))


def param_errors(schema: dict[str, Any], name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Why a value does not fit the schema of one param, each as (pointer into the value, message)."""
    subschema = _subschema(schema.get("properties", {}), name)
    for error in _guarded(_validator(schema).evolve(schema=subschema), value):
        yield pointer(error.absolute_path), _message(error)


@lru_cache(maxsize=1024)
def _schema_defects(document: str) -> tuple[tuple[str, str, str], ...]:
    try:
        return tuple(_found_defects(json.loads(document)))
    except RecursionError:
        return (("", "bad_schema", "nested too deeply"),)


def _found_defects(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    wrong = [(pointer(error.absolute_path), "bad_schema", _message(error)) for error in meta.iter_errors(schema)]
    yield from dict.fromkeys(wrong)
    if wrong:
        return
    if schema.get("type", "object") != "object":
        yield "/type", "bad_schema", "params are an object"
    yield from _foreign_references(schema, schema, "")
    yield from _wrong_defaults(schema)


def _foreign_references(part: Any, root: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from _foreign_references(item, root, f"{path}/{index}")
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        place = path + pointer([key])
        if key in _ELSEWHERE and isinstance(value, str) and not path.endswith("/properties"):
            yield from _reference_defect(key, value, root, place)
        elif key not in ("default", "const", "enum", "examples"):
            yield from _foreign_references(value, root, place)


def _reference_defect(key: str, value: str, root: dict[str, Any], place: str) -> Iterator[tuple[str, str, str]]:
    if key == "$schema":
        if value.rstrip("#") != DIALECT:
            yield place, "bad_schema", f"the dialect is JSON Schema 2020-12, {DIALECT}"
    elif key == "$id" or not value.startswith("#"):
        yield place, "remote_ref", f"`{value}` is not inside this document"
    else:
        try:
            _lookup(root, value)
        except Unresolvable:
            yield place, "bad_schema", f"`{value}` does not exist in this schema"


def _wrong_defaults(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, subschema in schema.get("properties", {}).items():
        if isinstance(subschema, dict) and "default" in subschema:
            for place, message in param_errors(schema, name, subschema["default"]):
                yield f"/properties{pointer([name])}/default{place}", "bad_schema", message


def _filled(schema: Any, value: Any, root: Mapping[str, Any], depth: int) -> Any:
    """The value with defaults where they are missing; `value` is ours to change."""
    if depth > MAX_DEFAULTS_DEPTH:
        raise BadValue(f"defaults nested more than {MAX_DEFAULTS_DEPTH} levels deep")
    if not isinstance(schema, dict):
        return value
    for part in (_referred(schema, root), *schema.get("allOf", ())):
        value = _filled(part, value, root, depth + 1)
    if isinstance(value, dict):
        for name, subschema in schema.get("properties", {}).items():
            if name not in value and isinstance(subschema, dict) and "default" in subschema:
                value[name] = deepcopy(subschema["default"])
            if name in value:
                value[name] = _filled(subschema, value[name], root, depth + 1)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        value = [_filled(schema["items"], item, root, depth + 1) for item in value]
    return value


def _referred(schema: dict[str, Any], root: Mapping[str, Any]) -> Any:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return None
    try:
        return _lookup(root, reference)
    except Unresolvable:
        return None


def _lookup(root: Mapping[str, Any], reference: str) -> Any:
    """What a `#…` reference means; raises `Unresolvable`."""
    resource = DRAFT202012.create_resource(dict(root))
    return Registry().with_resource("", resource).resolver().lookup(reference).contents


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    # The empty registry never fetches; jsonschema's own default would.
    return Draft202012Validator(schema, registry=Registry())


def _errors(schema: Mapping[str, Any], params: dict[str, Any]) -> list[ValidationError]:
    errors = _guarded(_validator(schema), params)
    return sorted(errors, key=lambda error: (list(map(str, error.absolute_path)), error.message))


def _guarded(validator: Validator, value: Any) -> list[ValidationError]:
    try:
        return list(validator.iter_errors(value))
    except RecursionError:
        return [ValidationError("the schema refers to itself without end")]


def _issues(error: ValidationError) -> Iterator[Issue]:
    path = f"/params{pointer(error.absolute_path)}"
    if error.validator == "required" and isinstance(error.instance, dict):
        missing = error.message.split("'")[1]
        yield Issue("missing_param", path + pointer([missing]), f"the param `{missing}` is missing")
    elif error.validator != "additionalProperties" or error.absolute_path:
        yield Issue("bad_param", path, _message(error))


def _message(error: ValidationError) -> str:
    return shortened(error.message, 200)


def _subschema(properties: Any, name: str) -> dict[str, Any]:
    subschema = properties.get(name) if isinstance(properties, dict) else None
    return subschema if isinstance(subschema, dict) else {}
