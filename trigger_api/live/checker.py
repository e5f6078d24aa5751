"""What every document that reaches this installation is checked with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graph_compiler.checking.validation import Checked, check
from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.language.loading import Syntax
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.database.engine import Engine, reading
from platform_core.errors import InvalidGraph
from platform_core.graphs.graph_library import OwnedGraphs
from platform_core.triggers.timer_store import NewTimer
from platform_core.triggers.trigger_store import NewTrigger


@dataclass(frozen=True)
class CheckedDocument:
    """What is saved of a valid document: its canonical form, what lies beside it, and the triggers it declares."""

    name: str
    canonical: str
    sha256: str
    annotations: str | None
    triggers: Sequence[NewTrigger]
    timers: Sequence[NewTimer]

    @classmethod
    def of(cls, spec: GraphSpec, canonical: str, sha256: str, annotations: str | None) -> CheckedDocument:
        triggers = [
            NewTrigger(trigger.id, trigger.type, trigger.model_dump(mode="json", exclude_none=True), trigger.enabled)
            for trigger in spec.triggers
        ]
        timers = [
            NewTimer(trigger.id, trigger.timing(), trigger.is_plain_cron)
            for trigger in spec.triggers
            if isinstance(trigger, ScheduleTrigger)
        ]
        return cls(spec.name, canonical, sha256, annotations, triggers, timers)


@dataclass(frozen=True)
class Checker:
    """The node types, the graphs of each owner, and what the operator allows documents; `cluster` None without one."""

    engine: Engine
    node_types: NodeTypes
    cluster: ClusterPolicy | None
    max_bytes: int
    code_network: Network = Network.ALL

    def check(self, text: bytes, syntax: Syntax | None, owner_id: str) -> Checked:
        """All issues of a document, and its spec when there are none; it may call the graphs of this owner."""
        return check(
            text,
            syntax=syntax,
            max_bytes=self.max_bytes,
            node_types=self.node_types,
            library=OwnedGraphs(lambda: reading(self.engine), owner_id),
            cluster=self.cluster,
            code_network=self.code_network,
        )

    def checked(self, text: bytes, syntax: Syntax | None, owner_id: str) -> CheckedDocument:
        """The document, valid as one of this owner's, each call in it pinned. Raises `InvalidGraph` with all issues."""
        result = self.check(text, syntax, owner_id)
        if result.issues or result.spec is None or result.document is None or result.sha256 is None:
            count = len(result.issues)
            raise InvalidGraph(
                f"The document has {count} issue{'s' if count != 1 else ''}.",
                [issue.as_dict() for issue in result.issues],
            )
        return CheckedDocument.of(result.spec, result.document, result.sha256, result.annotations)
