"""The exceptions of the compiler: a node that failed, and a graph that cannot be compiled.

Findings in a document are issues, never exceptions (see `issues`).
"""

from __future__ import annotations


class CompilationError(Exception):
    """A spec that was never validated, or validated with other node types, was given to the compiler."""


class NodeError(Exception):
    """A node failed while it ran.

    `kind` is stable and documented (docs/reference/node-types.md), so documents may branch on it;
    `retryable` is false where another attempt would meet the same end.
    """

    def __init__(self, kind: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable

    def saying(self, message: str) -> NodeError:
        """The same error with another message."""
        return NodeError(self.kind, message, retryable=self.retryable)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class Stopped(NodeError):
    """The end of the run stopped a node; a node's own error may have the same kind, and is none of this."""

    def __init__(self, message: str) -> None:
        super().__init__("canceled", message, retryable=False)

    def saying(self, message: str) -> Stopped:
        return Stopped(message)


def node_error(error: Exception) -> NodeError:
    """What a node type raised, as the kind of error that documents know."""
    if isinstance(error, NodeError):
        return error
    return NodeError("internal_error", f"{type(error).__name__}: {error}")


class TemplateFailed(NodeError):
    """A template could not be rendered with the values it met."""

    def __init__(self, message: str) -> None:
        super().__init__("template_error", message, retryable=False)


class BadValue(NodeError):
    """A value is not JSON, or not of its port's type; the message names the place inside it."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_value", message, retryable=False)
