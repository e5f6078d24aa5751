"""A graph's params as a config of Dagster's, so that its launchpad completes and checks them.

JSON Schema says more than Dagster's config can: what that has no word for becomes `Any` or open here, and is checked by
the schema itself when the run is launched. One value that fits a schema is refused here: `5.0` for an integer.
Internal used: the error of a default that does not fit its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any as Json

from dagster import Any, Array, Bool, Enum, EnumValue, Field, Float, Int, Noneable, Permissive, Shape, String
from dagster._core.errors import DagsterInvalidConfigError

from graph_compiler.language.params import declared_names, required_names
from graph_compiler.values.canonical import canonical_json, content_hash

_SCALARS: dict[str, type] = {"string": String, "integer": Int, "number": Float, "boolean": Bool}
_DEEPEST = 8
"""Levels of objects and lists that are described; nobody completes by hand what lies deeper."""
_COMBINING = frozenset(["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "const"])


def params_field(schema: Mapping[str, Json]) -> Field:
    """The field of the params of a run: optional as a whole, for a run that is executed again takes its own.

    `schema` is a JSON Schema of an object, without defects.
    """
    described = "The params of the run; without them, those of the run that is executed again, or the defaults."
    config = _object(schema, 0)
    if required_names(schema):
        return Field(config, is_required=False, description=described)
    return Field(config, default_value={}, description=described)


def _object(schema: Mapping[str, Json], depth: int) -> Shape | Permissive:
    properties = schema.get("properties", {})
    needed = required_names(schema)
    fields = {name: _field(part, name in needed, depth + 1) for name, part in properties.items()}
    is_closed = declared_names(schema) is not None if depth == 0 else schema.get("additionalProperties") is False
    kind = Shape if is_closed and "patternProperties" not in schema else Permissive
    return kind(fields)


def _field(schema: Json, is_required: bool, depth: int) -> Field:
    """One param, or a part of one; `schema` may be `true`, too."""
    said = schema if isinstance(schema, dict) else {}
    described = str(said.get("description") or said.get("title") or "") or None
    config = _config(said, depth)
    if "default" not in said:
        return Field(config, is_required=is_required, description=described)
    try:
        return Field(config, default_value=said["default"], description=described)
    except DagsterInvalidConfigError:
        return Field(Any, default_value=said["default"], description=described)


def _config(schema: Mapping[str, Json], depth: int) -> Json:
    """Dagster's type of the values that fit a schema."""
    kind = schema.get("type")
    if _COMBINING & schema.keys() or depth > _DEEPEST:
        return Any
    if isinstance(kind, list):
        others = [one for one in kind if one != "null"]
        return Noneable(_config({**schema, "type": others[0]}, depth)) if len(kind) == 2 and len(others) == 1 else Any
    if "enum" in schema:
        values = schema["enum"]
        return _choice(tuple(values)) if values and all(isinstance(value, str) for value in values) else Any
    if kind == "array":
        items = schema.get("items")
        return Array(_config(items, depth + 1) if isinstance(items, dict) and "prefixItems" not in schema else Any)
    if kind == "object":
        return _object(schema, depth)
    # A value of these formats is an object: the place or the bytes of a file.
    return Any if schema.get("format") in ("file", "bytes") else _SCALARS.get(str(kind), Any)


@lru_cache(maxsize=1024)
def _choice(values: tuple[str, ...]) -> Enum:
    """Its name says all that is in it: Dagster refuses two different ones of one name in a job."""
    return Enum(f"OneOf_{content_hash(canonical_json(list(values)))[:12]}", [EnumValue(value) for value in values])
