"""What the nodes that read or write files have in common: their failures and the config fields that name files."""

from __future__ import annotations

from graph_compiler.nodes.node_type import FailureKind

FILE_FAILURES = (
    FailureKind("file_bad_path", "The path leads out of your files, or has a character that paths may not have."),
    FailureKind("file_missing", "There is no file of that name."),
    FailureKind("file_too_large", "The file is larger than the limit."),
    FailureKind("file_refused", "The store refuses: no rights, no such bucket, no such place."),
    FailureKind("file_unavailable", "The store cannot be reached, or this installation has no client for it.", True),
)
