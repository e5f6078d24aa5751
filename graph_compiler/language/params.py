"""A run's params: the JSON Schema a graph declares, its defaults, and what does not fit it.

Params that the schema does not declare are refused unless it says otherwise (`additionalProperties` and its kin).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from graph_compiler.language.issues import Issue, did_you_mean
from graph_compiler.language.schema_validation import MAX_WORK, TooMuchWork, begin, errors_of, schema_errors, spend
from graph_compiler.language.spec import GraphSpec
from graph_compiler.values.canonical import canonical_json
from graph_compiler.values.errors import BadValue
from graph_compiler.values.patterns import BadPattern
from graph_compiler.values.pointers import pointer
from graph_compiler.values.texts import shortened
from graph_compiler.values.values import as_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_DEFAULTS_DEPTH = 32
_FORMATS = {
    "file": "a file value, which a part of a multipart request becomes",
    "bytes": 'bytes, which are {"$bytes": "<base64>"} in JSON, or a part of a multipart request',
}
_DEFAULT_STEP = 100
"""Characters of a default that count as one step."""
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
        begin()
        filled = _Defaults(schema).fill(schema, given)
    except BadValue as error:
        return {}, [Issue("bad_param", "/params", error.message)]
    except TooMuchWork:
        said = f"filling in the defaults of the schema takes more than {MAX_WORK} steps"
        return {}, [Issue("bad_param", "/params", said)]
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
    for error in errors_of(subschema, value, root=schema):
        yield pointer(error.absolute_path), _message(error)


@lru_cache(maxsize=1024)
def _schema_defects(document: str) -> tuple[tuple[str, str, str], ...]:
    try:
        return tuple(_found_defects(json.loads(document)))
    except RecursionError:
        return (("", "bad_schema", "nested too deeply"),)


def _found_defects(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    wrong = [(pointer(error.absolute_path), "bad_schema", _message(error)) for error in schema_errors(schema)]
    yield from dict.fromkeys(wrong)
    if wrong:
        return
    if schema.get("type", "object") != "object":
        yield "/type", "bad_schema", "it is the schema of an object"
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


class _Defaults:
    """Fills in the defaults of one schema, by the budget of the running check."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._found: dict[str, Any] = {}

    def fill(self, schema: Any, value: Any, depth: int = 0) -> Any:
        """The value with defaults where they are missing; `value` is ours to change. Raises `BadValue`."""
        spend(1)
        if depth > MAX_DEFAULTS_DEPTH:
            raise BadValue(f"defaults nested more than {MAX_DEFAULTS_DEPTH} levels deep")
        if not isinstance(schema, dict):
            return value
        for part in (self._referred(schema), *schema.get("allOf", ())):
            value = self.fill(part, value, depth + 1)
        if isinstance(value, dict):
            self._fill_properties(schema.get("properties", {}), value, depth + 1)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            value = [self.fill(schema["items"], item, depth + 1) for item in value]
        return value

    def _fill_properties(self, properties: Mapping[str, Any], value: dict[str, Any], depth: int) -> None:
        for name, subschema in properties.items():
            if name not in value and isinstance(subschema, dict) and "default" in subschema:
                spend(len(canonical_json(subschema["default"])) // _DEFAULT_STEP)
                value[name] = deepcopy(subschema["default"])
            if name in value:
                value[name] = self.fill(subschema, value[name], depth)

    def _referred(self, schema: dict[str, Any]) -> Any:
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return None
        if reference not in self._found:
            try:
                self._found[reference] = _lookup(self._root, reference)
            except Unresolvable:
                self._found[reference] = None
        return self._found[reference]


def _lookup(root: Mapping[str, Any], reference: str) -> Any:
    """What a `#…` reference means; raises `Unresolvable`."""
    resource = DRAFT202012.create_resource(dict(root))
    return Registry().with_resource("", resource).resolver().lookup(reference).contents


def _errors(schema: Mapping[str, Any], params: dict[str, Any]) -> list[ValidationError]:
    return sorted(errors_of(schema, params), key=lambda error: (list(map(str, error.absolute_path)), error.message))


def _issues(error: ValidationError) -> Iterator[Issue]:
    path = f"/params{pointer(error.absolute_path)}"
    if error.validator == "required" and isinstance(error.instance, dict):
        missing = error.message.split("'")[1]
        yield Issue("missing_param", path + pointer([missing]), f"the param `{missing}` is missing")
    elif error.validator != "additionalProperties" or error.absolute_path:
        yield Issue("bad_param", path, _message(error))


def _message(error: ValidationError) -> str:
    if isinstance(error.cause, BadPattern):
        return f"{shortened(repr(error.instance), 100)} is not a pattern that can be used: {error.cause}"
    if error.validator == "format" and error.validator_value in _FORMATS:
        return f"expected {_FORMATS[error.validator_value]}, not {shortened(repr(error.instance), 100)}"
    return shortened(error.message, 200)


def _subschema(properties: Any, name: str) -> dict[str, Any]:
    subschema = properties.get(name) if isinstance(properties, dict) else None
    return subschema if isinstance(subschema, dict) else {}
