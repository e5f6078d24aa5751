"""What a forked child does with a user's code: compile it, call `main`, give back strict JSON or a described failure.

Standard library only: child.py loads it by its path in an interpreter that knows nothing of Headrace.
"""

from __future__ import annotations

import base64
import inspect
import io
import itertools
import json
import linecache
import math
import os
import resource
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

# Types of the frames that end a call; publisher has those that come before.
RESULT = b"R"
ERROR = b"E"

FILENAME = "<code>"
MODULE = "node_code"
MAX_DEPTH = 100
BYTES = "$bytes"  # as in graph_compiler/values/binary.py, which this process does not have
MAX_MESSAGE = 4000
MAX_TRACE = 20
INTEGER_BOUND = 10**4300  # Python refuses to read longer ones back (sys.set_int_max_str_digits)


class Failure(Exception):
    """The call failed; `retryable` is false where another attempt would meet the same end."""

    def __init__(self, kind: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable


class NotJson(Exception):
    """A part of the result is not JSON; `path` grows on the way up, so that good values cost no place names."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


def execute(code: str, arguments: dict[str, Any], output_bytes: int, env: dict[str, str]) -> tuple[bytes, bytes]:
    """Run `code` with the variables of `env` and call its `main`.

    Returns the type (`RESULT` or `ERROR`) and the JSON of the frame to write.
    """
    try:
        os.environ.update(env)
        return RESULT, encode(_call(code, arguments), output_bytes)
    except Failure as failure:
        return _frame(failure)
    except SystemExit as leaving:
        return _frame(Failure("code_exit", f"The code called sys.exit({leaving.code!r:.200})."))
    except MemoryError as error:
        _lend_reserve()
        message = _with_trace("The code used all the memory that it may have.", error, code)
        error.__traceback__ = None  # its frames hold what filled the memory
        return _frame(Failure("code_memory", message))
    except BaseException as error:
        return _frame(_describe(error, code))


def refusal(kind: str, message: str) -> tuple[bytes, bytes]:
    """The frame of a call whose code does not run, also when it is tried again."""
    return _frame(Failure(kind, message, retryable=False))


def _call(code: str, arguments: dict[str, Any]) -> Any:
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module  # dataclasses, enums and pickle look up a class's module there
    linecache.cache[FILENAME] = (len(code), None, _lines(code), FILENAME)
    exec(compile(code, FILENAME, "exec"), module.__dict__)  # noqa: S102  running users' code is the purpose
    main = module.__dict__.get("main")
    if not callable(main):
        raise Failure("code_error", "The code defines no function named main.", retryable=False)
    if inspect.iscoroutinefunction(main):
        raise Failure("code_error", "main is a coroutine; write def, not async def.", retryable=False)
    _check_arguments(main, arguments)
    return main(**arguments)


def _check_arguments(main: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raise `Failure` naming every argument that is missing, unexpected or cannot be given by name."""
    parameters = inspect.signature(main).parameters.values()
    kinds = {parameter.kind for parameter in parameters}
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    needed = [name for name, p in named.items() if p.default is p.empty and name not in arguments]
    faults = [f"needs the argument {name!r}, which nothing gives" for name in needed]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        faults += [f"has no parameter {name!r}" for name in arguments if name not in named]
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        faults.append("has positional-only parameters, but arguments are given by name")
    if faults:
        raise Failure("code_error", f"main {'; main '.join(faults)}.", retryable=False)


def decode(request: bytes) -> Any:
    """The JSON of a request, with bytes where objects stand for them."""
    return json.loads(request, object_hook=_restored if f'"{BYTES}"'.encode() in request else None)


def _restored(data: dict[str, Any]) -> Any:
    is_mark = len(data) == 1 and isinstance(data.get(BYTES), str)
    return base64.b64decode(data[BYTES]) if is_mark else data


def _written(value: bytes) -> dict[str, str]:
    return {BYTES: base64.b64encode(value).decode("ascii")}


def encode(value: Any, output_bytes: int) -> bytes:
    """Strict JSON of a result; raises `Failure` bad_value or code_output."""
    try:
        check(value)
    except NotJson as refused:
        place = "result" + "".join(reversed(refused.path))
        raise Failure("bad_value", f"{place}: {refused.reason}", retryable=False) from None
    encoded = json.dumps(value, allow_nan=False, separators=(",", ":"), default=_written).encode("ascii")
    if len(encoded) > output_bytes:
        reason = f"The result is {len(encoded)} bytes of JSON; {output_bytes} are allowed."
        raise Failure("code_output", reason, retryable=False)
    return encoded


def check(value: Any, depth: int = 0) -> None:
    """Raise `NotJson` unless the value is null, a boolean, a finite number, text, bytes, a list or an object."""
    if value is None or isinstance(value, (bool, str, bytes)):
        return
    if isinstance(value, int):
        if not -INTEGER_BOUND < value < INTEGER_BOUND:
            raise NotJson("an integer of more than 4300 digits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson(f"{value!r} is not a JSON number")
    elif depth >= MAX_DEPTH:
        raise NotJson(f"nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, dict):
        _check_keys(value)
        _check_items(((f".{key}", item) for key, item in value.items()), depth)
    elif isinstance(value, (list, tuple)):
        _check_items(((f"[{index}]", item) for index, item in enumerate(value)), depth)
    else:
        raise NotJson(f"{_type_name(value)} is not a JSON value")


def _check_keys(value: dict[Any, Any]) -> None:
    for key in value:
        if not isinstance(key, str):
            raise NotJson(f"the key {key!r:.100} is not text")


def _check_items(items: Iterable[tuple[str, Any]], depth: int) -> None:
    for place, item in items:
        try:
            check(item, depth + 1)
        except NotJson as refused:
            refused.path.append(place)
            raise


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ in ("builtins", MODULE) else f"{kind.__module__}.{kind.__name__}"


def _describe(error: BaseException, code: str) -> Failure:
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:  # a user's __str__ may do anything
        text = "(its message cannot be read)"
    said = _shortened(f"{_type_name(error)}: {text}", MAX_MESSAGE) if text else _type_name(error)
    return Failure("code_error", _with_trace(said, error, code), retryable=not isinstance(error, SyntaxError))


def _shortened(text: str, most: int) -> str:
    # The ellipsis tells the masking that a part of a secret may be left before it.
    return text if len(text) <= most else text[:most] + "…"


def _with_trace(said: str, error: BaseException, code: str) -> str:
    """The message, then the lines of the user's own code that the error went through, outermost first."""
    lines = _lines(code)
    places = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILENAME:
            places.append((step.tb_lineno, f" in {step.tb_frame.f_code.co_name}"))
        step = step.tb_next
    if isinstance(error, SyntaxError) and error.filename == FILENAME and error.lineno:
        places.append((error.lineno, ""))
    steps = itertools.groupby(
        _shortened(f"line {number}{where}: {lines[number - 1].strip() if number <= len(lines) else ''}", 200)
        for number, where in places
    )
    trace = [step if (count := len(list(same))) == 1 else f"{step} ({count} times)" for step, same in steps]
    if len(trace) > MAX_TRACE:
        half = MAX_TRACE // 2
        trace[half:-half] = [f"({len(trace) - MAX_TRACE} more)"]
    return "\n  ".join([said, *trace])


def _lines(code: str) -> list[str]:
    """The lines as Python counts them: `str.splitlines` also ends one at U+2028 and its like."""
    return io.StringIO(code, newline=None).readlines()


def _frame(failure: Failure) -> tuple[bytes, bytes]:
    # NUL and lone surrogates cannot be stored as text in PostgreSQL.
    message = failure.message.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
    body = {"kind": failure.kind, "message": message, "retryable": failure.retryable}
    return ERROR, json.dumps(body).encode("ascii")


def _lend_reserve() -> None:
    """Lift the memory limits to their hard values, so that running out of memory can still be reported."""
    for limit in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (hard, hard))
