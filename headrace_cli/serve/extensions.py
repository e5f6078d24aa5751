"""The node types of this installation for the command line and the APIs: those that `definitions` executes."""

from __future__ import annotations

from definitions.shared import extensions
from graph_compiler.nodes.node_type import NodeTypes
from headrace_cli.terminal.errors import CommandError


def installed_node_types(*, containers: bool = False) -> NodeTypes:
    """All node types by name; `containers` says whether `container` nodes can run.

    Raises `CommandError` if an installed one cannot be used.
    """
    try:
        return extensions.installed_node_types(containers=containers)
    except extensions.ExtensionBroken as error:
        raise CommandError(
            f"An installed package disturbs the node types: {error}.",
            hint="Upgrade or uninstall that package; it has the entry-point group headrace.node_types.",
        ) from error
