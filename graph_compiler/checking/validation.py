"""Text in, everything that is wrong with it out: all rules run, and each finding gets its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.drafts.draft import Draft, read_draft
from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.language.annotations import annotations_of, executed
from graph_compiler.language.issues import Issue
from graph_compiler.language.library import Calls, GraphLibrary
from graph_compiler.language.loading import MAX_BYTES, Loaded, Syntax, load
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.rules import (
    calls,
    control,
    edges,
    graph_tests,
    identity,
    names,
    network_wishes,
    nodes,
    order,
    params,
    placement,
    webhooks,
)
from graph_compiler.running.graph_node import with_calls
from graph_compiler.values.canonical import canonical_json, content_hash

Rule = Callable[[Draft], Iterable[Issue]]

RULES: tuple[Rule, ...] = (
    identity.duplicate_ids,
    edges.unknown_nodes,
    edges.repeated_after,
    edges.ports,
    edges.missing_inputs,
    order.waiting_in_a_circle,
    control.conditions,
    control.foreach_keys,
    control.repeats,
    control.repeatable_calls,
    control.hidden_ports,
    control.last_nodes,
    names.names_in_nodes,
    names.names_in_outputs,
    names.names_in_triggers,
    webhooks.webhook_templates,
    webhooks.webhook_pairs,
    names.names_in_schedules,
    params.params_schema,
    params.trigger_params,
    calls.unknown_graphs,
    calls.extent,
    calls.call_params,
    graph_tests.test_params,
    graph_tests.stand_ins,
    graph_tests.expectations,
)


@dataclass(frozen=True)
class Checked:
    """A document's spec, canonical JSON and SHA-256, or else the issues that keep it from having them.

    In all three each call names the version that it means. The canonical JSON and its SHA-256 are those of what runs
    execute; `annotations` has the rest, `tests` and `layout`. `notes` are places that could not be checked.
    """

    spec: GraphSpec | None
    document: str | None
    sha256: str | None
    issues: tuple[Issue, ...]
    notes: tuple[Issue, ...] = ()
    annotations: str | None = None


def check(
    source: bytes | str,
    *,
    syntax: Syntax | None = None,
    max_bytes: int = MAX_BYTES,
    node_types: NodeTypes | None = None,
    library: GraphLibrary | None = None,
    cluster: ClusterPolicy | None = None,
    code_network: Network = Network.ALL,
) -> Checked:
    """Everything about a document at once; never raises for what the text is.

    `node_types` are the built-in ones unless given. The spec is there exactly if there is no issue.
    `library` has the graphs that the document may call; without it calls are noted and not checked.
    `cluster` is what the operator allows the pods of runs, `code_network` the most that code may reach.
    """
    loaded = load(source, syntax=syntax, max_bytes=max_bytes)
    if loaded.data is None and loaded.issues:
        return Checked(None, None, None, loaded.issues)
    types = with_calls(builtin_node_types() if node_types is None else node_types, Calls(library))
    spec, draft, findings = read_draft(loaded.data)
    findings += nodes.resolve_nodes(draft, types)
    findings += [finding for rule in RULES for finding in rule(draft)]
    if cluster is not None:
        findings += placement.wishes(loaded.data, draft, cluster)
    findings += network_wishes.beyond(draft, code_network)
    issues = _issues(findings, loaded)
    notes = loaded.positions.located(calls.unchecked_calls(draft))
    if spec is None or issues:
        return Checked(None, None, None, issues, notes)
    data = calls.pinned(loaded.data, draft)
    if data != loaded.data:
        spec = GraphSpec.model_validate(data)
    document = canonical_json(executed(data))
    return Checked(spec, document, content_hash(document), (), notes, annotations_of(data))


def _issues(findings: Iterable[Issue], loaded: Loaded) -> tuple[Issue, ...]:
    """All issues in the order of the text; a value that could not be read is not also of a wrong type."""
    unread = {issue.path for issue in loaded.issues}
    located = loaded.positions.located(finding for finding in findings if finding.path not in unread)
    unique = dict.fromkeys((*loaded.issues, *located))
    return tuple(sorted(unique, key=lambda issue: (issue.line or 0, issue.column or 0, issue.code, issue.message)))
