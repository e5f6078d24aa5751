"""JMESPath expressions: checked before a run, and bounded in what they may build and how long they work.

Internals used: `jmespath.visitor.TreeInterpreter` and `jmespath.functions.Functions` (jmespath 1), because the
library itself bounds nothing: `[@,@][]` repeated doubles its list each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jmespath import exceptions
from jmespath.functions import Functions, signature
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter, Visitor

from graph_compiler.values.binary import compact
from graph_compiler.values.errors import NodeError
from graph_compiler.values.texts import shortened

MAX_LENGTH = 5_000
"""Characters of an expression."""
MAX_WORK = 16_000_000
"""Steps of one evaluation: items and characters looked at or built."""
VISIT = 20
"""Steps of visiting one part of the expression once."""


_ORDERING = frozenset(["sort", "sort_by", "min_by", "max_by", "min", "max"])


class BadQuery(ValueError):
    """The text is no JMESPath expression; `column` (1-based) is where that shows."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Query:
    """A checked expression."""

    text: str
    _tree: Any

    def of(self, value: Any) -> Any:
        """What the expression finds in the JSON value. Raises `NodeError`: query_error, query_too_large."""
        try:
            return _Interpreter().visit(self._tree, value)
        except exceptions.JMESPathError as error:
            raise NodeError(
                "query_error", f"{shortened(self.text, 80)}: {_short(str(error))}", retryable=False
            ) from None
        except (TypeError, ValueError, ArithmeticError, RecursionError, AttributeError) as error:
            # jmespath lets Python's own errors through, e.g. when `sort_by` meets keys of two types.
            said = f"{shortened(self.text, 80)}: {type(error).__name__}: {_short(str(error))}"
            raise NodeError("query_error", said, retryable=False) from None


@lru_cache(maxsize=4096)
def read_query(text: str) -> Query:
    """The expression of a text; raises `BadQuery`."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(f"an expression of {len(text)} characters; {MAX_LENGTH} are the limit")
    try:
        tree = Parser().parse(text).parsed
        _FunctionNames().check(tree)
    except exceptions.EmptyExpressionError:
        raise BadQuery("the expression is empty") from None
    except exceptions.IncompleteExpressionError:
        raise BadQuery("the expression ends too early", len(text) + 1) from None
    except exceptions.LexerError as error:
        raise BadQuery(str(error.message), error.lex_position + 1) from None
    except exceptions.ParseError as error:
        raise BadQuery(f"`{error.token_value}` is not expected here", error.lex_position + 1) from None
    except (RecursionError, ValueError) as error:
        raise BadQuery(_short(str(error)) or "nested too deeply") from None
    return Query(text, tree)


class _FunctionNames:
    """Refuses functions that do not exist before any data is there to call them with."""

    def check(self, tree: Any) -> None:
        pending = [tree]
        while pending:
            node = pending.pop()
            if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
                raise BadQuery(f"there is no function `{node['value']}`")
            pending.extend(child for child in node.get("children", ()) if isinstance(child, dict))


class _Work:
    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, amount: int = 1) -> None:
        self.left -= amount
        if self.left < 0:
            raise NodeError("query_too_large", f"the query took more than {MAX_WORK} steps", retryable=False)

    def weigh(self, value: Any) -> None:
        """Spend what the value would be as JSON, counting each part as often as it is referred to."""
        pending = [value]
        while pending:
            part = pending.pop()
            if isinstance(part, dict):
                self.spend(len(part))
                pending.extend(part.values())
            elif isinstance(part, list):
                self.spend(len(part))
                pending.extend(part)
            else:
                self.spend(len(part) if isinstance(part, str) else 1)


class _BoundedFunctions(Functions):
    def __init__(self, work: _Work) -> None:
        self._work = work

    @signature({"types": []})
    def _func_to_string(self, arg: Any) -> Any:
        self._work.weigh(arg)
        return arg if isinstance(arg, str) else compact(arg)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> Any:
        self._work.spend(len(separator) * len(array) + sum(map(len, array)))
        return separator.join(array)


class _Interpreter(TreeInterpreter):
    def __init__(self) -> None:
        self._work = _Work()
        self._called = _BoundedFunctions(self._work)
        super().__init__(Options(custom_functions=self._called))

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._work.spend(VISIT)
        return Visitor.visit(self, node, *args, **kwargs)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        """Functions look at the whole of what they are given, some more than once."""
        given = [self.visit(child, value) for child in node["children"]]
        self._work.weigh(given)
        if node["value"] in _ORDERING:
            self._work.spend(sum(map(_order_work, given)))
        return self._called.call_function(node["value"], given)

    def visit_slice(self, node: Any, value: Any) -> Any:
        self._work.spend(len(value) if isinstance(value, list) else 0)
        return super().visit_slice(node, value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._work.spend(sum(len(item) if isinstance(item, list) else 1 for item in base))
        return [part for item in base for part in (item if isinstance(item, list) else [item])]

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        self._work.weigh([left, right])
        compare = self.COMPARATOR_FUNC[node["value"]]
        if node["value"] in ("eq", "ne") or (_is_comparable(left) and _is_comparable(right)):
            return compare(left, right)
        return None

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        made = super().visit_multi_select_dict(node, value)
        self._work.weigh(made)
        return made

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        made = super().visit_multi_select_list(node, value)
        self._work.weigh(made)
        return made


def _is_comparable(value: Any) -> bool:
    """Whether `<` and its like take the value, as in `jmespath.visitor`."""
    return isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool))


def _order_work(value: Any) -> int:
    """What it takes to bring the items into an order, beside looking at each."""
    return len(value) * len(value).bit_length() if isinstance(value, list) else 0


def _short(text: str) -> str:
    line = " ".join(text.split())
    return shortened(line, 200)
