"""What code asks of the network beyond what the operator of this installation allows."""

from __future__ import annotations

from collections.abc import Iterator

from graph_compiler.drafts.draft import Draft
from graph_compiler.language.issues import Issue
from graph_compiler.nodes.code.python import CodeConfig
from graph_compiler.nodes.network import Network


def beyond(draft: Draft, most: Network) -> Iterator[Issue]:
    """An issue for each node whose `network` is more than `most`."""
    for node in draft.nodes:
        wish = node.config.wish if isinstance(node.config, CodeConfig) else None
        if wish is not None and wish.exceeds(most):
            message = f"this installation does not allow `network: {wish}`"
            yield Issue("unavailable", f"{node.path}/config/network", message, hint=f"at most: {most}")
