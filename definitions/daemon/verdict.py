"""What is to become of a run that is a Job: decided from its status and from what the cluster shows of it.

Pure, so that every case can be tested; `supervision` gathers the facts and does what is decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from definitions.kubernetes import reasons
from definitions.kubernetes.reasons import Object, Reason
from platform_core.facts.run_status import RunStatus

LAUNCH_GRACE = 5.0
"""Seconds in which a launch may still be on its way before a run without a Job is launched again."""

GONE_GRACE = 3.0
"""Seconds in which the last events of a pod that ended may still be on their way into the database."""

NODE_GRACE = 20.0
"""Seconds after its grace period in which a pod that is being deleted must be gone, or else its node is."""


class Act(Enum):
    """What to do."""

    WAIT = "wait"
    LAUNCH = "launch"
    FAIL = "fail"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Verdict:
    """What to do with a run, and the reason if it is to fail."""

    act: Act
    reason: Reason | None = None


WAIT = Verdict(Act.WAIT)


@dataclass
class Facts:
    """What is known of one run. Times are seconds of one clock; `since` is when each was first seen."""

    status: RunStatus
    """STARTING, RUNNING or CANCELING."""
    since: float
    """When the run was first seen with this status."""
    start_deadline: float
    launch_grace: float = LAUNCH_GRACE
    job: Object | None = None
    had_job: bool = False
    """Whether a Job of it was ever seen, or its pods were."""
    pods: Sequence[Object] = ()
    last_pod: Object | None = None
    """The pod that has the run, as it was last seen, also when it is gone."""
    events: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    """By the name of the object they are about."""
    problem_since: float | None = None
    """When the problem that the run has now was first seen."""
    gone_since: float | None = None
    """When it was first seen that nothing of the run is left that could go on."""


def problem(facts: Facts) -> Reason | None:
    """What keeps the run's pod from starting now."""
    for pod in facts.pods:
        found = reasons.start_problem(pod, facts.events.get(reasons.name_of(pod), ()))
        if found is not None:
            return found
    if facts.job is not None and not facts.pods:
        return reasons.job_reason(facts.job, facts.events.get(reasons.name_of(facts.job), ()))
    return None


def is_gone(facts: Facts, now: float) -> bool:
    """Whether no pod of the run is left that could still end it by itself."""
    if facts.status == RunStatus.STARTING and not facts.had_job:
        return False
    if facts.job is not None and not facts.pods and facts.last_pod is None and not _has_failed(facts.job):
        return False  # the Job's pod is still to come
    executing = _executing(facts)
    return executing is None or reasons.is_over(executing) or _is_lost(executing, now)


def judge(facts: Facts, now: float, patience: float) -> Verdict:
    """What to do now; `patience` is how long what may pass is waited for."""
    if facts.gone_since is not None and now - facts.gone_since >= GONE_GRACE:
        return _of_gone(facts)
    if facts.status != RunStatus.STARTING:
        return WAIT
    found = problem(facts)
    if found is not None and (not found.may_pass or _lasted(facts.problem_since, now, patience)):
        return Verdict(Act.FAIL, found)
    waited = now - facts.since
    if waited >= facts.start_deadline:
        is_running = any(pod.get("status", {}).get("phase") == "Running" for pod in facts.pods)
        unsaid = "it runs, but its process has not begun the run" if is_running else "it did not say why"
        said = found.message if found is not None else unsaid
        return Verdict(
            Act.FAIL, Reason(reasons.SLOW_START, f"The pod did not start in {facts.start_deadline:g} s: {said}")
        )
    if not facts.had_job and facts.job is None and not facts.pods and waited >= facts.launch_grace:
        return Verdict(Act.LAUNCH)
    return WAIT


def _of_gone(facts: Facts) -> Verdict:
    if facts.status == RunStatus.CANCELING:
        return Verdict(Act.CANCEL)
    return Verdict(Act.FAIL, _why_gone(facts))


def _why_gone(facts: Facts) -> Reason:
    pod = facts.last_pod
    if facts.job is not None:
        said = reasons.job_reason(facts.job, facts.events.get(reasons.name_of(facts.job), ()))
        if said is not None and said.kind == reasons.DEADLINE:
            return said
    if pod is None:
        return Reason(reasons.LOST, "The run's Job was deleted before its pod was seen.")
    events = facts.events.get(reasons.name_of(pod), ())
    ended = reasons.end_reason(pod, events)
    if ended is not None:
        return ended
    if reasons.is_over(pod):
        return Reason(reasons.EXITED, f"Pod {reasons.name_of(pod)} ended without saying how its run ended.")
    if pod in facts.pods:
        node = pod.get("spec", {}).get("nodeName")
        return Reason(reasons.NODE, f"Pod {reasons.name_of(pod)} is to end and does not; its node {node} is lost.")
    return reasons.deletion_reason(pod)


def _executing(facts: Facts) -> Object | None:
    """The pod that has the run: the first that started; one that came to replace it finds the run taken."""
    present = sorted(facts.pods, key=lambda pod: str(pod.get("metadata", {}).get("creationTimestamp", "")))
    if facts.last_pod is None:
        return present[0] if present else None
    if facts.status == RunStatus.STARTING:
        return present[-1] if present else None
    name = reasons.name_of(facts.last_pod)
    return next((pod for pod in present if reasons.name_of(pod) == name), None)


def _is_lost(pod: Object, now: float) -> bool:
    """Whether a pod that is being deleted is overdue, so that nobody on its node does it."""
    metadata: Mapping[str, Any] = pod.get("metadata", {})
    until = reasons.moment(metadata.get("deletionTimestamp"))
    # The time stamp already has the grace period in it.
    return until is not None and now > until + NODE_GRACE


def _has_failed(job: Object) -> bool:
    return any(
        condition.get("type") in ("Failed", "Complete") and condition.get("status") == "True"
        for condition in job.get("status", {}).get("conditions", ())
    )


def _lasted(since: float | None, now: float, patience: float) -> bool:
    return since is not None and now - since >= patience
