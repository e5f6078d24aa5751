"""The params of a called graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_compiler.language import params as graph_params
from graph_compiler.language.spec import GraphSpec
from graph_compiler.values.errors import NodeError


def called_params(spec: GraphSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The params of a called graph with its defaults. Raises `NodeError` bad_params."""
    applied, issues = graph_params.apply(spec, given)
    if issues:
        found = "; ".join(f"{issue.path}: {issue.message}" for issue in issues[:5])
        raise NodeError("bad_params", f"the graph `{spec.name}`: {found}", retryable=False)
    return applied
