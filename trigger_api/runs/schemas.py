"""Shapes of runs."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from platform_core.facts.run_status import RunStatus
from platform_core.limits import LARGEST_BATCH
from platform_core.runs.run_files import files_in_outputs
from platform_core.runs.run_store import Run, RunWait
from trigger_api.files.schemas import FileAnswer
from trigger_api.shared.links import Links
from trigger_api.shared.schemas import Answer, RequestBody

Status = Annotated[RunStatus, WithJsonSchema({"enum": [*map(str, RunStatus)], "type": "string"})]
"""Written where it is used, as clients know it."""


_RESERVED_TAG = re.compile(r"\.?(dagster|headrace)[^/]*/", re.IGNORECASE)


def _own_tag(name: str) -> str:
    if _RESERVED_TAG.match(name):
        raise PydanticCustomError("bad_value", "tags that begin with dagster/ or headrace/ are set by the server only")
    return name


_TagText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_own_tag)]


class LaunchItem(RequestBody):
    """What to run, as one of many; without a version the current one."""

    params: dict[str, Any] = Field(default_factory=dict)
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    tags: Annotated[dict[_TagText, Annotated[str, Field(max_length=1000)]], Field(max_length=50)] = Field(
        default_factory=dict
    )


class Launch(LaunchItem):
    """What to run; without a version the current one."""

    live_monitoring: bool = Field(default=False, description="Also answer a ticket to follow the run with.")


class LaunchBatch(RequestBody):
    """Runs of one graph to start together, in this order."""

    runs: Annotated[list[LaunchItem], Field(min_length=1, max_length=LARGEST_BATCH)]


class Retry(RequestBody):
    """From where to run again."""

    from_: Literal["failure", "start"] = Field(
        default="failure",
        alias="from",
        description="`failure`: nodes that succeeded are not executed again, their stored outputs are taken.",
    )


class RunTrigger(Answer):
    """What started a run: `id` is the trigger's, null for a manual launch."""

    kind: str
    id: str | None


class RunAnswer(Answer):
    """A run."""

    run_id: str
    graph: str
    version: int
    owner: str
    status: Status
    trigger: RunTrigger
    params: dict[str, Any]
    tags: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: dict[str, Any] | None
    parent_run_id: str | None
    wake_at: datetime | None = Field(description="When a run goes on that is WAITING; null for any other.")
    position: int | None = Field(description="Place in the queue, from 1; null for a run that does not wait.")
    links: dict[str, str]

    @classmethod
    def of(cls, run: Run, links: Links, position: int | None = None) -> RunAnswer:
        return cls.model_validate(
            {
                **{
                    name: getattr(run, name)
                    for name in cls.model_fields
                    if name not in {"trigger", "position", "links"}
                },
                "trigger": {"kind": run.trigger_kind.value, "id": run.trigger_id},
                "position": position,
                "links": links.run(run.run_id),
            }
        )


class Wait(Answer):
    """Something that a run waits for."""

    node: str
    item: int | None = Field(description="Of a `foreach`, from 0.")
    kind: Literal["time", "event", "approval"] = Field(serialization_alias="for", description="What it waits for.")
    until: datetime | None
    url: str | None = Field(description="Where an approval is answered.")

    @classmethod
    def of(cls, wait: RunWait, run_id: str, links: Links) -> Wait:
        url = links.approval(run_id, wait.node) if wait.kind == "approval" else None
        return cls.model_validate({**dataclasses.asdict(wait), "url": url})


class OneRunAnswer(RunAnswer):
    """A run, and what it waits for."""

    waits: list[Wait]

    @classmethod
    def with_waits(cls, run: Run, links: Links, position: int | None, waits: list[RunWait]) -> OneRunAnswer:
        answer = RunAnswer.of(run, links, position).model_dump()
        found = [Wait.of(wait, run.run_id, links) for wait in waits]
        return cls(**answer, waits=found)


class OutputsAnswer(Answer):
    """What a run answered; null when it did not succeed."""

    run_id: str
    status: Status
    outputs: dict[str, Any] | None
    files: list[FileAnswer] = Field(description="Where the files in the outputs are; `found_in` is a place in them.")

    @classmethod
    def of(cls, run: Run, links: Links) -> OutputsAnswer:
        files = [FileAnswer.of(file, run.owner, links) for file in files_in_outputs(run.outputs)]
        return cls(run_id=run.run_id, status=run.status, outputs=run.outputs, files=files)


class LaunchAnswer(Answer):
    """An accepted run; `ticket` if asked for, `outputs` and `error` once it has ended."""

    run_id: str
    status: Status
    graph: str
    version: int
    links: dict[str, str]
    ticket: str | None = None
    outputs: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class BatchRefusal(Answer):
    """Why one of many runs was not accepted; paths of `issues` point into the request."""

    code: str
    detail: str
    issues: list[dict[str, Any]] | None = None


class BatchRun(Answer):
    """What became of one of many runs: an id, or an error."""

    index: int = Field(description="Its place in the request, from 0.")
    run_id: str | None = None
    status: Status | None = None
    version: int | None = None
    error: BatchRefusal | None = None


class BatchAnswer(Answer):
    """What became of each run, in the order of the request."""

    graph: str
    accepted: int = Field(description="Runs that this request has started.")
    repeated: int = Field(description="Runs that an earlier request with this key had started.")
    refused: int
    runs: list[BatchRun]
