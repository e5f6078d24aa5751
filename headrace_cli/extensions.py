"""The node types of this installation for the command line and the APIs: those that `definitions` executes."""

from __future__ import annotations

from definitions import extensions
from graph_compiler.node_type import NodeTypes
from headrace_cli.errors import CommandError


def installed_node_types() -> NodeTypes:
    """All node types by name. Raises `CommandError` if an installed one cannot be used."""
    try:
        return extensions.installed_node_types()
    except extensions.ExtensionBroken as error:
        raise CommandError(
            f"An installed package disturbs the node types: {error}.",
            hint="Upgrade or uninstall that package; it has the entry-point group headrace.node_types.",
        ) from error
