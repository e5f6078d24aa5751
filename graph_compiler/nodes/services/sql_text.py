"""Which colons of an SQL statement name a value: those outside of literals, quoted names, comments and casts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_STEP = re.compile(
    r"""
      (?P<quoted> (?<![\w$]) [eE] ' (?: [^'\\] | \\. | '' )* (?: ' | \Z )
                | ' [^']* (?: ' | \Z ) | " [^"]* (?: " | \Z ) | ` [^`]* (?: ` | \Z )
                | (?<![\w$]) \$ (?P<tag> (?: [^\W\d] \w* )? ) \$ .*? (?: \$ (?P=tag) \$ | \Z )
                | -- [^\n]* )
    | (?P<comment> /\* )
    | (?P<escaped> \\ : )
    | (?P<cast> :: | := )
    | (?<! [\w$] ) : (?P<name> [^\W\d] \w* ) (?! [\w$] )
    | (?P<other> : )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Bind:
    """A `:name` and where it stands (1-based)."""

    name: str
    line: int
    column: int


@dataclass(frozen=True)
class SqlText:
    """A statement, read."""

    binds: tuple[Bind, ...]
    escaped: str
    r"""The statement for SQLAlchemy's `text`: each colon that names no value is written `\:`."""

    @property
    def names(self) -> frozenset[str]:
        """The names of the values."""
        return frozenset(bind.name for bind in self.binds)


@lru_cache(maxsize=2048)
def read_sql(statement: str) -> SqlText:
    r"""The values that the statement names. `\:` outside of literals is a colon that names none."""
    binds: list[Bind] = []
    written: list[str] = []
    at = 0
    while (step := _STEP.search(statement, at)) is not None:
        written.append(statement[at : step.start()])
        at = step.end()
        if step["comment"]:
            at = _end_of_comment(statement, at)
        if step["name"]:
            binds.append(Bind(step["name"], *_place(statement, step.start())))
            written.append(step[0])
        elif step["escaped"]:
            # A space, so that the colon of a value may follow.
            written.append("\\: ")
        else:
            written.append(statement[step.start() : at].replace(":", "\\:"))
    return SqlText(tuple(binds), "".join([*written, statement[at:]]))


def _end_of_comment(statement: str, at: int) -> int:
    """Comments of PostgreSQL nest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(statement, at)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at if depth == 0 else len(statement)


def _place(statement: str, offset: int) -> tuple[int, int]:
    before = statement[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
