"""What becomes of a run is decided from facts alone, for every fault on the list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from definitions.daemon.verdict import WAIT, Act, Facts, is_gone, judge, problem
from definitions.kubernetes import reasons
from tests.unit.definitions import pods

NOW = 1_795_428_000.0  # 2026-11-23T10:00:00Z, when the pods were made
PATIENCE = 5.0


def facts(status: str = "STARTING", age: float = 0.0, **known: Any) -> Facts:
    found = Facts(status, NOW - age, 300.0, **known)
    found.had_job = found.job is not None or bool(found.pods) or found.last_pod is not None
    return found


def see(found: Facts, at: float) -> None:
    """What supervision notes each time it looks."""
    found.problem_since = (found.problem_since or at) if problem(found) is not None else None
    found.gone_since = (found.gone_since or at) if is_gone(found, at) else None


def decide(found: Facts, *moments: float) -> Any:
    verdict = WAIT
    for moment in moments:
        see(found, NOW + moment)
        verdict = judge(found, NOW + moment, PATIENCE)
        if verdict != WAIT:
            return verdict, moment
    return verdict, None


def test_a_run_whose_launch_got_lost_is_launched_again() -> None:
    assert decide(facts(), 0, 4) == (WAIT, None)
    verdict, at = decide(facts(), 0, 4, 5)
    assert (verdict.act, at) == (Act.LAUNCH, 5)


@pytest.mark.parametrize(
    "pod",
    [
        pods.waiting("ErrImagePull", "connection refused"),
        pods.unschedulable("0/1 nodes are available: 1 Insufficient memory."),
        pods.waiting("CreateContainerConfigError", 'secret "s" not found'),
    ],
)
def test_what_may_pass_is_given_its_time_and_then_ends_the_run_within_ten_seconds(pod: pods.Json) -> None:
    verdict, at = decide(facts(job=pods.job(), pods=[pod], last_pod=pod), *range(11))
    assert (verdict.act, at) == (Act.FAIL, PATIENCE)
    assert verdict.reason == problem(facts(job=pods.job(), pods=[pod]))


def test_what_passes_ends_nothing() -> None:
    pod = pods.unschedulable("no room")
    found = facts(job=pods.job(), pods=[pod], last_pod=pod)
    assert decide(found, 0, 4) == (WAIT, None)
    found.pods, found.last_pod = [pods.running()], pods.running()
    assert decide(found, 5, 6) == (WAIT, None)
    found.pods, found.last_pod = [pod], pod
    assert decide(found, 7, 11) == (WAIT, None)


def test_what_cannot_pass_ends_the_run_at_once() -> None:
    pod = pods.waiting("InvalidImageName", "x")
    verdict, at = decide(facts(job=pods.job(), pods=[pod], last_pod=pod), 0)
    assert (verdict.act, verdict.reason.kind, at) == (Act.FAIL, reasons.IMAGE, 0)


def test_a_pod_that_never_starts_fails_at_its_deadline_and_says_why() -> None:
    pod = pods.waiting("ContainerCreating")
    verdict, at = decide(facts(age=290, job=pods.job(), pods=[pod], last_pod=pod), 0, 9, 10)
    assert (verdict.act, verdict.reason.kind, at) == (Act.FAIL, reasons.SLOW_START, 10)


@pytest.mark.parametrize("status", ["STARTING", "RUNNING"])
@pytest.mark.parametrize(
    ("pod", "kind"),
    [
        (pods.terminated(137, "OOMKilled"), reasons.MEMORY),
        (pods.terminated(137), reasons.KILLED),
        (pods.evicted("The node was low on resource: memory."), reasons.EVICTED),
        (pods.terminated(0, "Completed"), reasons.EXITED),
    ],
)
def test_a_pod_that_ended_and_left_its_run_open_fails_it_with_its_reason(
    pod: pods.Json, kind: str, status: str
) -> None:
    verdict, at = decide(facts(status, job=pods.job(), pods=[pod], last_pod=pod), 0, 2, 3)
    assert (verdict.act, verdict.reason.kind, at) == (Act.FAIL, kind, 3)


def test_a_deleted_pod_fails_its_run_although_its_job_makes_another() -> None:
    old = pods.going(pods.running())
    replacement = pods.pod("headrace-run-x-other")
    replacement["metadata"]["creationTimestamp"] = "2026-11-23T10:00:30Z"
    verdict, at = decide(facts("RUNNING", job=pods.job(), pods=[replacement], last_pod=old), 0, 3)
    assert (verdict.act, verdict.reason.kind, at) == (Act.FAIL, reasons.DELETED, 3)


def test_a_pod_that_is_replaced_before_it_began_costs_nothing() -> None:
    replacement = pods.waiting("ContainerCreating")
    assert decide(facts(job=pods.job(), pods=[replacement], last_pod=replacement), 0, 60) == (WAIT, None)


def test_a_pod_that_ends_in_its_grace_period_is_waited_for() -> None:
    pod = pods.going(pods.running(), "2026-11-23T10:00:30Z")
    assert decide(facts("RUNNING", job=pods.job(), pods=[pod], last_pod=pod), 0, 30, 49) == (WAIT, None)


def test_a_pod_that_nobody_ends_has_lost_its_node() -> None:
    pod = pods.going(pods.running(), "2026-11-23T10:00:30Z")
    verdict, _ = decide(facts("RUNNING", job=pods.job(), pods=[pod], last_pod=pod), 51, 54)
    assert (verdict.act, verdict.reason.kind) == (Act.FAIL, reasons.NODE)
    assert "node-1" in verdict.reason.message


def test_the_jobs_deadline_is_the_reason_for_a_pod_that_it_deleted() -> None:
    gone = pods.going(pods.running())
    job = pods.job(pods.failed("DeadlineExceeded"), deadline=60)
    verdict, _ = decide(facts("RUNNING", job=job, pods=[], last_pod=gone), 0, 3)
    assert verdict.reason == reasons.Reason(reasons.DEADLINE, "The run's pod was ended after its deadline of 60 s.")


def test_a_job_without_a_pod_says_why_there_is_none() -> None:
    job = pods.job()
    refused = pods.event("FailedCreate", "exceeded quota: q", about=job["metadata"]["name"])
    found = facts(job=job, events={job["metadata"]["name"]: [refused]})
    verdict, at = decide(found, 0, 4, 5)
    assert (verdict.act, verdict.reason.kind, at) == (Act.FAIL, reasons.REFUSED, 5)


def test_a_run_of_which_nothing_is_left_fails() -> None:
    verdict, _ = decide(facts("RUNNING"), 0, 3)
    assert (verdict.act, verdict.reason.kind) == (Act.FAIL, reasons.LOST)


def test_a_canceled_run_ends_when_its_pod_is_gone_and_not_before() -> None:
    pod = pods.going(pods.running(), "2026-11-23T10:00:30Z")
    found = facts("CANCELING", job=pods.job(), pods=[pod], last_pod=pod)
    assert decide(found, 0, 20) == (WAIT, None)
    found.pods, found.job = [], None
    verdict, _ = decide(found, 21, 24)
    assert (verdict.act, verdict.reason) == (Act.CANCEL, None)


def test_a_run_canceled_before_its_job_was_made_ends() -> None:
    verdict, _ = decide(facts("CANCELING"), 0, 3)
    assert verdict.act == Act.CANCEL


@given(st.floats(0, 10_000), st.sampled_from(["STARTING", "RUNNING"]))
def test_a_run_whose_pod_runs_is_left_alone(at: float, status: str) -> None:
    pod = pods.running()
    found = Facts(status, NOW + at, 300.0, job=pods.job(), had_job=True, pods=[pod], last_pod=pod)
    see(found, NOW + at)
    assert judge(found, NOW + at, PATIENCE) == WAIT
