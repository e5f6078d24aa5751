"""JSON Schema by jsonschema, bounded: whatever a schema says and a value holds, checking them ends soon.

Patterns are RE2's, `uniqueItems` takes time in proportion to the items, and every keyword spends from one budget.

Internals used: `Validator._resolver` and `_utils.find_evaluated_item_indexes_by_schema` (jsonschema 4), because its
own `unevaluated…` keywords match patterns by Python's backtracking and look up each item in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from fractions import Fraction
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema._utils import find_evaluated_item_indexes_by_schema
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from graph_compiler.values.binary import dumps, restored, stands_for_bytes
from graph_compiler.values.file_values import is_file_value
from graph_compiler.values.patterns import BadPattern, compiled, matches, work_of

MAX_WORK = 200_000
"""Steps of one check: a keyword at a value, and each part that the keyword looks at."""
MAX_SCHEMA_WORK = 1_000_000
"""Steps of finding out whether a schema is one, which takes some 300 for each part of it."""
MAX_ERRORS = 100
"""Of one check; more are no news."""
_MESSAGE_STEP = 100
"""Characters of messages that count as one step, since errors quote the value."""
_INSTRUCTIONS = 1000
"""Of a pattern's program that take as long as one step."""
_Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]
_OVER_PARTS = frozenset(
    [
        "items",
        "prefixItems",
        "contains",
        "additionalProperties",
        "unevaluatedItems",
        "unevaluatedProperties",
        "propertyNames",
        "uniqueItems",
    ]
)
_PRODUCTS = frozenset(["enum", "const", "patternProperties"])
_LOOKUPS = {"$ref": 25, "$dynamicRef": 50}
"""Steps of resolving a reference, which takes so many times as long as an ordinary keyword."""
_left: ContextVar[int] = ContextVar("schema_work_left")


class TooMuchWork(Exception):
    """The budget of one check is spent."""


def errors_of(schema: Any, value: Any, *, root: Mapping[str, Any] | None = None) -> list[ValidationError]:
    """Why the value does not fit the schema, at most `MAX_ERRORS` reasons; `root` is where references point into."""
    validator = BoundedValidator(  # an empty registry never fetches
        schema if root is None else root, registry=Registry(), format_checker=_VALUE_FORMATS
    )
    return _guarded(validator if root is None else validator.evolve(schema=schema), value, MAX_WORK)


def schema_errors(schema: Any) -> list[ValidationError]:
    """Why the value is not a JSON Schema (2020-12) whose patterns RE2 knows."""
    return _guarded(BoundedValidator(BoundedValidator.META_SCHEMA, format_checker=_FORMATS), schema, MAX_SCHEMA_WORK)


def spend(steps: int) -> None:
    """Take steps from the budget of the running check. Raises `TooMuchWork`."""
    left = _left.get(MAX_WORK) - steps
    _left.set(left)
    if left < 0:
        raise TooMuchWork


def begin(steps: int = MAX_WORK) -> None:
    """Give the check that begins here its budget."""
    _left.set(steps)


def _guarded(validator: Validator, value: Any, steps: int) -> list[ValidationError]:
    begin(steps)
    try:
        return list(islice(validator.iter_errors(value), MAX_ERRORS))
    except RecursionError:
        return [ValidationError("the schema refers to itself without end, or nests too deeply")]
    except TooMuchWork:
        return [ValidationError(f"checking this against its schema takes more than {steps} steps")]


def _bounded(name: str, keyword: _Keyword) -> _Keyword:
    """The keyword, spending from the budget what it will look at, and what it then says."""

    def check(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        spend(1 + _cost(name, wanted, instance))
        for error in keyword(validator, wanted, instance, schema) or ():
            spend(len(error.message) // _MESSAGE_STEP)
            yield error

    return check


def _cost(name: str, wanted: Any, instance: Any) -> int:
    if name in _LOOKUPS:
        return _LOOKUPS[name]
    own, parts = _size(wanted), _size(instance)
    if name in _PRODUCTS:
        return (1 + own) * (1 + parts)
    return own + parts if name in _OVER_PARTS else own


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (dict, list)) else 0


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string"):
        spend(len(instance) // _MESSAGE_STEP)
        try:
            spend(work_of(pattern, instance) // _INSTRUCTIONS)
            if not matches(pattern, instance):
                yield ValidationError(f"{instance!r} does not match {pattern!r}")
        except BadPattern as error:
            yield ValidationError(f"the pattern {pattern!r} cannot be used: {error}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        try:
            spend(work_of(pattern, "".join(instance)) // _INSTRUCTIONS)
            found = [name for name in instance if matches(pattern, name)]
        except BadPattern as error:
            yield ValidationError(f"the pattern {pattern!r} cannot be used: {error}")
            continue
        for name in found:
            yield from validator.descend(instance[name], subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    patterns = list(schema.get("patternProperties", ()))
    spend(len(patterns) * len(instance))
    declared = schema.get("properties", {})
    extras = [name for name in instance if name not in declared and not _matches_any(patterns, name)]
    if validator.is_type(wanted, "object"):
        for name in extras:
            yield from validator.descend(instance[name], wanted, path=name)
    elif not wanted and extras:
        named = ", ".join(repr(name) for name in sorted(extras)[:20])
        yield ValidationError(f"there are properties that the schema does not know: {named}")


def _matches_any(patterns: list[str], name: str) -> bool:
    try:
        return any(matches(pattern, name) for pattern in patterns)
    except BadPattern:
        return False  # `patternProperties` says what is wrong with it


def _unevaluated_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    known = _evaluated(validator, instance, schema)
    for name in instance:
        if name not in known:
            for _ in validator.descend(instance[name], wanted, path=name, schema_path=name):
                yield ValidationError(f"the property {name!r} is one that no part of the schema knows")
                break


def _evaluated(validator: Any, instance: dict[str, Any], schema: Any) -> set[str]:
    """The properties that a schema and the parts of it that hold for the instance look at."""
    if not isinstance(schema, dict):
        return set()
    spend(1 + len(schema) + len(instance))
    known = set(schema.get("properties", {})) & instance.keys()
    for key in ("additionalProperties", "unevaluatedProperties"):
        if key in schema:
            of = validator.evolve(schema=schema[key])
            known |= {name for name, value in instance.items() if of.is_valid(value)}
    patterns = list(schema.get("patternProperties", ()))
    spend(len(patterns) * len(instance))
    known |= {name for name in instance if _matches_any(patterns, name)}
    for part, of in _parts(validator, instance, schema):
        known |= _evaluated(of.evolve(schema=part), instance, part)
    return known


def _parts(validator: Any, instance: Any, schema: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The subschemas that apply to the same instance and hold, each with the validator that resolves it."""
    for key in ("$ref", "$dynamicRef"):
        if key in schema:
            resolved = validator._resolver.lookup(schema[key])  # as jsonschema's own keywords do
            yield resolved.contents, validator.evolve(schema=resolved.contents, _resolver=resolved.resolver)
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key, ()):
            if validator.evolve(schema=part).is_valid(instance):
                yield part, validator
    yield from ((part, validator) for name, part in schema.get("dependentSchemas", {}).items() if name in instance)
    if "if" in schema:
        holds = validator.evolve(schema=schema["if"]).is_valid(instance)
        chosen = [schema["if"], schema.get("then", True)] if holds else [schema.get("else", True)]
        yield from ((part, validator) for part in chosen)


def _unevaluated_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "array"):
        return
    known = set(find_evaluated_item_indexes_by_schema(validator, instance, schema))
    extras = [index for index in range(len(instance)) if index not in known]
    if extras and any(not validator.evolve(schema=wanted).is_valid(instance[index]) for index in extras):
        named = ", ".join(str(index) for index in extras[:20])
        yield ValidationError(f"there are items that no part of the schema knows: {named}")


def _unique_items(validator: Any, wanted: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if not wanted or not validator.is_type(instance, "array"):
        return
    places: dict[str, int] = {}
    for index, item in enumerate(instance):
        key = _key(item)
        spend(1 + len(key) // _MESSAGE_STEP)
        if key in places:
            yield ValidationError(f"the items {places[key]} and {index} are the same, and each may be there once")
            return
        places[key] = index


def _key(value: Any) -> str:
    """Text that equal JSON values share: 1 and 1.0 are equal, true and 1 are not. Text, since its hash has a seed."""
    return dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _multiple_of(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    try:
        yield from _LIBRARYS["multipleOf"](validator, wanted, instance, schema) or ()
    except OverflowError:  # jsonschema divides integers of any length by floats
        if (Fraction(instance) / Fraction(wanted)).denominator != 1:
            yield ValidationError(f"{instance!r} is not a multiple of {wanted}")


def _is_pattern(text: object) -> bool:
    if isinstance(text, str):
        compiled(text)
    return True


def _is_file(value: object) -> bool:
    return value is None or is_file_value(value)


def _is_bytes(value: object) -> bool:
    if isinstance(value, dict) and stands_for_bytes(value):
        value = restored(value)
    return value is None or isinstance(value, bytes)


_LIBRARYS: dict[str, _Keyword] = dict(Draft202012Validator.VALIDATORS)
_OURS: dict[str, _Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
    "uniqueItems": _unique_items,
    "multipleOf": _multiple_of,
}
BoundedValidator: Any = extend(  # type: ignore[no-untyped-call]  # the library has no types for it
    Draft202012Validator, {name: _bounded(name, keyword) for name, keyword in (_LIBRARYS | _OURS).items()}
)
_evolve = BoundedValidator.evolve


def _evolve_bounded(self: Any, **changes: Any) -> Any:
    """As the library's, which goes over to its own unbounded class where a schema names its dialect."""
    made = _evolve(self, **changes)
    if isinstance(made, BoundedValidator):
        return made
    return BoundedValidator(
        made.schema, format_checker=made.format_checker, registry=made._registry, _resolver=made._resolver
    )


BoundedValidator.evolve = _evolve_bounded
_FORMATS = FormatChecker(())
_FORMATS.checks("regex", raises=BadPattern)(_is_pattern)
_VALUE_FORMATS = FormatChecker(())  # other formats say something to people; only these are checked
_VALUE_FORMATS.checks("file")(_is_file)
_VALUE_FORMATS.checks("bytes", raises=ValueError)(_is_bytes)
