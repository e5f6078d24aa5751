"""Plans of stored graph versions, as the engine goes through them; each made once per process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from definitions.execution.context import ProcessContext
from definitions.shared.patience import patiently
from graph_compiler.language.library import Calls
from graph_compiler.language.spec import GraphSpec
from graph_compiler.running.graph_node import with_calls
from graph_compiler.running.plan import plan_graph
from graph_engine.scope.index import PlanIndex
from platform_core.graphs.graph_library import OwnedGraphs

CACHED = 1000


class Plans:
    """The plans that were used last."""

    def __init__(self, process: ProcessContext) -> None:
        self._process = process
        self._known: OrderedDict[tuple[str, int], PlanIndex] = OrderedDict()

    def of(self, graph_id: str, version: int, owner_id: str, document: Callable[[], str]) -> PlanIndex:
        """The plan of a version; `document` reads it if it is not known. Raises `CompilationError`."""
        key = (graph_id, version)
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = self._made(document(), owner_id)
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return index

    def _made(self, document: str, owner_id: str) -> PlanIndex:
        library = OwnedGraphs(lambda: patiently(self._process.engine), owner_id)
        types = with_calls(self._process.node_types, Calls(library))
        return PlanIndex(plan_graph(GraphSpec.model_validate_json(document), types), types)
