"""The answer to a launch: awaited if asked for, with links, tickets and what has become of the run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response

from platform_core.runs.run_store import Run
from platform_core.web.services import Services
from trigger_api.live.state import State
from trigger_api.runs.launching import Launched
from trigger_api.runs.schemas import LaunchAnswer
from trigger_api.shared.links import Links

WaitQuery = Annotated[
    float | None,
    Query(ge=0, allow_inf_nan=False, description="Seconds to wait for the run's end, at most the server's limit."),
]


async def answer_launch(
    launched: Launched, services: Services, state: State, links: Links, response: Response, wait: float | None
) -> LaunchAnswer:
    """The body of the answer; the status becomes 200 for a run that has ended or was launched before."""
    run = launched.run
    if wait and not run.has_ended:
        seconds = min(wait, services.settings.max_wait)
        run = await state.endings.wait(run.run_id, seconds) or run
    if run.has_ended or (not launched.is_new and wait is None):
        response.status_code = 200
    return launch_answer(run, launched, links)


def launch_answer(run: Run, launched: Launched, links: Links) -> LaunchAnswer:
    """What is reported of an accepted run."""
    answer: dict[str, Any] = {
        "run_id": run.run_id,
        "status": run.status,
        "graph": run.graph,
        "version": run.version,
        "links": links.run(run.run_id),
    }
    if launched.ticket is not None:
        answer["ticket"] = launched.ticket
        answer["links"]["watch"] += f"?ticket={launched.watch_ticket}"
    if run.has_ended:
        answer |= {"outputs": run.outputs, "error": run.error}
    return LaunchAnswer.model_validate(answer)
