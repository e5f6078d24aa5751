"""What is wrong with a document, as data: stable codes, a JSON pointer, a place in the text, and a hint.

`CODES` is the table of docs/reference/issue-codes.md; codes are never renamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

CODES: dict[str, str] = {
    # the text
    "not_utf8": "The document is not UTF-8 text.",
    "bad_syntax": "The text is not JSON, or not YAML.",
    "too_large": "The document has more bytes, values or nodes than the limit.",
    "too_deep": "Objects and lists are nested more than 64 levels deep.",
    "alias_expansion": "YAML aliases that contain themselves, or that would multiply the document beyond the limit.",
    "unsupported_yaml": "YAML that JSON cannot say: tags, merge keys, keys that are not text, several documents.",
    "duplicate_key": "A key is written twice in one object.",
    "bad_number": "NaN, an infinity, or an integer beyond 64 bits.",
    "bad_string": "Text that cannot be written as UTF-8 (a lone surrogate).",
    # its shape
    "missing_key": "A key that must be there is missing.",
    "unknown_key": "A key that has no meaning here.",
    "wrong_type": "A value of another JSON type than the one asked for.",
    "bad_value": "A value of the right type that is not allowed.",
    "bad_name": "A name or id that does not follow the rule for names.",
    "bad_duration": "Not a duration like 500ms, 30s, 2m, 1h, 1d or a number of seconds.",
    "name_mismatch": "The document's name is not the one it is saved under.",
    # nodes and edges
    "duplicate_id": "Two nodes or two triggers have one id, or two tests one name.",
    "unknown_node_type": "No node type has this name.",
    "unknown_node": "An edge, `after`, template or test names a node that does not exist.",
    "unknown_port": "An edge, template or stand-in names a port that the node does not have.",
    "unused_port": "An edge feeds an input that no template and no parameter of the node uses.",
    "missing_input": "An input the node needs has no edge.",
    "port_taken": "Two edges feed one input port.",
    "port_mismatch": "An edge joins ports whose types have no value in common.",
    "cycle": "Nodes wait for one another.",
    # control flow
    "needs_foreach": "`max_parallel` or `on_item_error` stands on a node without `foreach`.",
    "foreach_not_allowed": "A node of this type cannot run once per item.",
    "repeat_not_allowed": "`repeat` stands on a node with `foreach`, `cache` or `finally`.",
    "finally_order": "Something that does not run last uses a node with `finally: true`.",
    # calls of other graphs
    "unknown_graph": "A `graph` node names a graph that its owner does not have.",
    "unknown_version": "A `graph` node names a version that the graph does not have.",
    "recursive_graph": "A graph calls itself, or a graph that leads back to it, in whichever version.",
    "call_limit": "Calls go deeper than 8 graphs, or bring the nodes of all graphs to more than 5,000.",
    # templates
    "bad_template": "A text with {{ }} or {% %} is not a template.",
    "unknown_name": "A template names something that cannot exist where it stands.",
    "unknown_input": "A template names an input of its node that no edge feeds.",
    "secret_not_allowed": "A template names a secret where secrets are not allowed.",
    # python nodes
    "bad_code": "The code of a python node is not Python.",
    "missing_main": "The code of a python node defines no function `main`.",
    "bad_main": "`main` cannot be called by name: it is async or has positional-only parameters.",
    "unknown_argument": "`config.args` gives an argument that `main` does not take.",
    # timers
    "bad_cron": "Not a cron line of 5 fields, of 6 with seconds, or `@daily` and its like; or one that never fires.",
    "bad_rrule": "Not a recurrence rule of RFC 5545, one that never fires, or one beyond the limits.",
    "bad_time": "Not a time in ISO 8601.",
    "bad_timezone": "Not a timezone of the IANA database.",
    "bad_timing": "A timer without times, with two kinds of them, or with bounds that contradict.",
    # other nodes
    "bad_expression": "A JMESPath expression of a node cannot be read.",
    "unavailable": "A node type or a wish in `settings` that this installation does not offer.",
    # tests
    "bad_stand_in": "A stand-in of a test does not fit the outputs of its node.",
    "unknown_output": "A test expects an output that the graph does not have.",
    # params
    "bad_schema": "`params` is not a JSON Schema (2020-12) of an object.",
    "remote_ref": "`params` refers to a schema outside the document.",
    "missing_param": "A param that the schema requires is not given.",
    "unknown_param": "A param is given, or named, that the schema does not declare.",
    "bad_param": "A param does not fit its schema.",
}


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong. `path` is a JSON pointer; lines and columns count from 1."""

    code: str
    path: str
    message: str
    hint: str | None = None
    at_key: bool = False
    """The key is the culprit, not its value."""
    inside: tuple[int, int] | None = None
    """Line and column within the text at `path`."""
    place: tuple[int, int] | None = None
    """Line and column in the document; None until it was located, and if there is no text."""

    @property
    def line(self) -> int | None:
        """The line in the document."""
        return None if self.place is None else self.place[0]

    @property
    def column(self) -> int | None:
        """The column in the document."""
        return None if self.place is None else self.place[1]

    def within(self, path: str) -> Issue:
        """The same of a part of the document that is at `path`."""
        return replace(self, path=path + self.path)

    def at(self, place: tuple[int, int]) -> Issue:
        """The same with its place in the document known."""
        return Issue(self.code, self.path, self.message, self.hint, place=place)

    def as_dict(self) -> dict[str, Any]:
        """The issue as problem documents carry it."""
        return {
            "code": self.code,
            "path": self.path,
            "message": self.message,
            "line": self.line,
            "column": self.column,
            "hint": self.hint,
        }


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint for a word that is close to a known one, or that names the few known ones."""
    names = sorted(known)
    close = get_close_matches(word, names, 1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 12 else None
