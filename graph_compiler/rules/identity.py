"""Ids that are there twice."""

from __future__ import annotations

from collections.abc import Iterator

from graph_compiler.drafts.draft import Draft
from graph_compiler.language.issues import Finding


def duplicate_ids(draft: Draft) -> Iterator[Finding]:
    """Two nodes, or two triggers, of one id; each but the first is named."""
    for kind, ids in (("node", draft.ids), ("trigger", draft.trigger_ids)):
        first: dict[str, str] = {}
        for identifier, path in ids:
            if identifier in first:
                message = f"another {kind} has the id `{identifier}`: {first[identifier]}"
                yield Finding("duplicate_id", path, message)
            first.setdefault(identifier, path)
