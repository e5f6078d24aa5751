"""Trying one node: a short run of a document that has only it, executed by the workers like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from graph_compiler.checking.validation import check
from graph_compiler.language.annotations import whole
from graph_compiler.language.issues import Issue
from graph_compiler.language.library import Calls
from graph_compiler.language.params import apply
from graph_compiler.language.spec import GraphSpec, NodeSpec
from graph_compiler.running.graph_node import with_calls
from graph_compiler.running.trial import INPUTS, place_of, trial_of, with_outputs
from graph_compiler.values.binary import as_plain
from graph_compiler.values.canonical import canonical_json
from graph_compiler.values.errors import BadValue
from graph_compiler.values.values import as_json
from platform_core.audit.entry import Action
from platform_core.database.engine import Connection, reading, transaction
from platform_core.errors import (
    GraphNotFound,
    InvalidParams,
    InvalidRequest,
    NodeNotFound,
    Unavailable,
    VersionNotFound,
)
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_library import OwnedGraphs
from platform_core.graphs.graph_store import Graph, get_version, save_trial
from platform_core.identity.auth import Principal
from platform_core.runs.run_event_store import read_events
from platform_core.runs.run_store import NewRun, accept_run
from platform_core.web.dependencies import AUTH_ERRORS, RunWriterCredentials, ServicesDep
from platform_core.web.origin import Origin, OriginDep
from platform_core.web.problems import problems
from platform_core.web.services import Services
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.live.state import State, StateDep
from trigger_api.runs.answering import WaitQuery, answer_launch
from trigger_api.runs.launching import Launched
from trigger_api.runs.schemas import LaunchAnswer
from trigger_api.shared.graph_access import find_graph
from trigger_api.shared.links import LinksDep
from trigger_api.shared.schemas import Answer, RequestBody

router = APIRouter(prefix="/api/v1", tags=["graphs"], route_class=StrictJsonRoute)

TAG = "try"
"""The tag of a trial's run: graph and node."""
MOST_LINES = 1_000
"""Lines in the answer; the run's events have all."""
_SPOKEN = frozenset({"log", "stdout", "stderr"})


class TryNode(RequestBody):
    """What to give the node; without a version the current one's."""

    inputs: dict[str, Any] = Field(default_factory=dict, description="Sample values by input port.")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Params that the node's templates see; none has to be given."
    )
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)


class LineAnswer(Answer):
    """A line that the node wrote, or logged."""

    type: str
    item: int | None
    level: str
    message: str


class TryAnswer(LaunchAnswer):
    """The run that tries the node; once it has ended also what the node wrote."""

    lines: list[LineAnswer] | None = Field(default=None, description=f"The first {MOST_LINES:,} of them.")


@router.post(
    "/graphs/{graph}/nodes/{node}:try",
    status_code=202,
    operation_id="try_node",
    response_model=TryAnswer,
    response_model_exclude_unset=True,
    responses={
        200: {"model": TryAnswer, "description": "Ended in time"},
        **problems(
            *AUTH_ERRORS, InvalidRequest, Unavailable, GraphNotFound, VersionNotFound, NodeNotFound, InvalidParams
        ),
    },
)
async def try_node(
    credentials: RunWriterCredentials,
    graph: str,
    node: str,
    services: ServicesDep,
    state: StateDep,
    origin: OriginDep,
    links: LinksDep,
    response: Response,
    wanted: TryNode | None = None,
    wait: WaitQuery = None,
) -> TryAnswer:
    """Run one node with sample inputs, as a short run of its own: with the owner's secrets, in the sandbox, limited.

    Its retries, `cache`, `on_error` and `finally` are left out. What it does in the world, it does.
    """
    launched = await run_in_threadpool(
        _launched, services, state, credentials.principal, origin, graph, node, wanted or TryNode()
    )
    answer = await answer_launch(launched, services, state, links, response, wait)
    reported = answer.model_dump(exclude_unset=True)
    if answer.outputs is not None or answer.error is not None:
        reported["lines"] = await run_in_threadpool(_lines, services, answer.run_id, node)
    return TryAnswer.model_validate(reported)


def _launched(
    services: Services,
    state: State,
    identify: Callable[[Connection], Principal],
    origin: Origin,
    reference: str,
    name: str,
    wanted: TryNode,
) -> Launched:
    with reading(services.engine) as connection:
        principal = identify(connection)
        graph = find_graph(connection, principal, reference)
        version = get_version(connection, graph.id, wanted.version or graph.version)
    data = whole(version.document, None)
    spec = GraphSpec.model_validate(data)
    node = next((each for each in spec.nodes if each.id == name), None)
    if node is None:
        raise NodeNotFound(f"Version {version.version} of the graph {graph.name} has no node {name}.")
    params = _params(spec, wanted)
    document, sha256 = _document(services, state, graph, data, spec, node, list(wanted.inputs))
    with transaction(services.engine) as connection:
        trial_id, number = save_trial(connection, graph, f"{graph.name[:59]}-try", document, sha256, principal.user_id)
        new = NewRun(
            graph_id=trial_id,
            version=number,
            owner_id=graph.owner_id,
            params=params,
            trigger_kind=TriggerKind.MANUAL,
            tags={TAG: f"{graph.name}/{name}"},
            priority=spec.settings.priority,
        )
        run, is_new = accept_run(connection, new, origin.deed(principal, Action.NODE_TRIED))
    services.metrics.accepted_runs.labels("manual").inc()
    return Launched(run, is_new)


def _params(spec: GraphSpec, wanted: TryNode) -> dict[str, Any]:
    """The params with defaults; a node need not use all of them, so none has to be given."""
    filled, found = apply(spec, wanted.params)
    issues = [issue for issue in found if issue.code != "missing_param"]
    if issues:
        raise InvalidParams("The params do not fit the graph.", [issue.as_dict() for issue in issues])
    try:
        inputs = as_json(wanted.inputs, "inputs")
    except BadValue as error:
        raise InvalidParams(
            "The inputs are no values.", [Issue("bad_value", "/inputs", str(error)).as_dict()]
        ) from None
    plain: dict[str, Any] = as_plain({**filled, INPUTS: inputs})
    return plain


def _document(
    services: Services,
    state: State,
    graph: Graph,
    data: Mapping[str, Any],
    spec: GraphSpec,
    node: NodeSpec,
    inputs: list[str],
) -> tuple[str, str]:
    """The trial's canonical document and its hash. Raises `InvalidParams` for inputs that do not fit the node."""
    library = OwnedGraphs(lambda: reading(services.engine), graph.owner_id)
    trial = with_outputs(trial_of(data, spec, node, inputs), node, with_calls(state.checker.node_types, Calls(library)))
    checked = check(canonical_json(trial), syntax="json", node_types=state.checker.node_types, library=library)
    if checked.document is None or checked.sha256 is None:
        issues = [
            Issue(each.code, place_of(each.path, inputs), each.message, hint=each.hint) for each in checked.issues
        ]
        raise InvalidParams("The inputs do not fit the node.", [issue.as_dict() for issue in issues])
    return checked.document, checked.sha256


def _lines(services: Services, run_id: str, node: str) -> list[LineAnswer]:
    with reading(services.engine) as connection:
        events = read_events(connection, run_id, 0, MOST_LINES + 100)
    reported = [event for event in events if event.type in _SPOKEN and event.node == node]
    return [LineAnswer(type=each.type, item=each.item, level=each.level, message=each.message) for each in reported]
