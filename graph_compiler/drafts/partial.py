"""What can be read of a config that is wrong somewhere, so that one mistake in it does not hide others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator, create_model

from graph_compiler.drafts.shape import steps_in
from graph_compiler.language.issues import Issue
from graph_compiler.nodes.node_type import AnyNodeType, NodeConfig, Ports

_ABSENT = object()


def read_partly(node_type: AnyNodeType, config: Mapping[str, Any], error: ValidationError) -> NodeConfig | None:
    """The config as far as it is right; to read what is wrong or missing in it raises AttributeError.

    None if not even that can be read.
    """
    model = _partial_config(node_type.config_model)
    try:
        read = model.model_validate(_without(config, error), context={"rendered": False})
    except ValidationError as deeper:
        # A part of which not even that can be read, such as one that does not say which of several models it is.
        wrong = {detail["loc"][0] for fault in (error, deeper) for detail in fault.errors(include_url=False)}
        right = {key: value for key, value in config.items() if key not in wrong}
        marks = {key: _ABSENT for key in config if key in wrong and key in _keys(model)}
        try:
            read = model.model_validate(right | marks, context={"rendered": False})
        except ValidationError:
            return None
    assert isinstance(read, NodeConfig)
    _strip(read)
    return read


def ports_known(node_type: AnyNodeType, config: NodeConfig | None) -> Ports | None:
    """The ports that a node has whatever its wrong keys should have said; None if they decide which it has."""
    if config is None:
        return node_type.fallback_ports
    try:
        return node_type.ports(config)
    except AttributeError:
        return node_type.fallback_ports


def defects_known(node_type: AnyNodeType, config: NodeConfig | None) -> Iterator[Issue]:
    """The defects of what could be read."""
    if config is None:
        return
    try:
        yield from node_type.defects(config)
    except AttributeError:
        return


def _without(config: Mapping[str, Any], error: ValidationError) -> Any:
    """The config with `_ABSENT` for each value that is wrong; of a list's element the key of the list is taken."""
    kept: Any = dict(config)
    for detail in error.errors(include_url=False):
        steps = steps_in(detail, config)
        if detail["type"] == "missing" or not steps:
            continue
        last = max(place for place, step in enumerate(steps) if isinstance(step, str))
        kept = _marked(kept, steps[: last + 1], is_unknown=detail["type"] == "extra_forbidden")
    return kept


def _marked(value: Any, steps: list[str | int], *, is_unknown: bool) -> Any:
    """The value with a mark at the end of the steps, or without that key if nobody knows it."""
    if not steps:
        return _ABSENT
    first, *rest = steps
    if isinstance(value, list):
        return [_marked(each, rest, is_unknown=is_unknown) if row == first else each for row, each in enumerate(value)]
    if not isinstance(value, dict):
        return value  # a mistake above it was marked already
    kept = {key: each for key, each in value.items() if key != first or rest or not is_unknown}
    if first in kept:
        kept[str(first)] = _marked(kept[str(first)], rest, is_unknown=is_unknown)
    return kept


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _take_absent(value: Any, rest: ValidatorFunctionWrapHandler) -> Any:
    return value if value is _ABSENT else rest(value)


def _partial_config(model: type[NodeConfig]) -> type[BaseModel]:
    return _partial(model)


@cache
def _partial(model: type[BaseModel]) -> type[BaseModel]:
    """The model whose fields, also those of models in it, may be absent."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            continue  # by it one of several models is chosen
        loose = copy(field)
        loose.metadata = [*field.metadata, WrapValidator(_take_absent)]
        if field.is_required():
            loose.default = _ABSENT
        fields[name] = (_partly(field.annotation), loose)
    made: type[BaseModel] = create_model(f"Partial{model.__name__}", __base__=model, **fields)
    return made


def _partly(annotation: Any) -> Any:
    """The annotation with each model in it partial."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _partial(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_partly(arguments[0]), *arguments[1:])]
    if origin in (Union, UnionType):
        return Union[tuple(_partly(argument) for argument in arguments)]  # noqa: UP007 - its members are values here
    if origin in (list, dict):
        return origin[tuple(_partly(argument) for argument in arguments)]
    return annotation


def _strip(value: Any) -> None:
    """Take the fields that are absent away, so that to read one is an AttributeError."""
    if isinstance(value, BaseModel):
        for name, each in list(value.__dict__.items()):
            if each is _ABSENT:
                del value.__dict__[name]
            else:
                _strip(each)
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            _strip(each)
