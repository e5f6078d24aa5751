"""Every failure of the cluster has its own kind, read from what API servers really send."""

from __future__ import annotations

import pytest

from definitions.kubernetes import reasons
from tests.unit.definitions import pods
from tests.unit.definitions.pods import Json

NOT_PULLED = 'Failed to pull image "nowhere/none:1": rpc error: code = Unknown desc = connection refused'
NO_ROOM = "0/1 nodes are available: 1 Insufficient cpu."
CORDONED = "0/1 nodes are available: 1 node(s) were unschedulable."


@pytest.mark.parametrize(
    ("pod", "kind", "said", "may_pass"),
    [
        (pods.waiting("ErrImagePull", NOT_PULLED), reasons.IMAGE, NOT_PULLED, True),
        (pods.waiting("ImagePullBackOff", 'Back-off pulling image "nowhere/none:1"'), reasons.IMAGE, "Back-off", True),
        (pods.waiting("ErrImageNeverPull", "not present with pull policy of Never"), reasons.IMAGE, "policy", False),
        (pods.waiting("InvalidImageName", 'couldn\'t parse image reference "A b"'), reasons.IMAGE, "parse", False),
        (pods.waiting("CreateContainerConfigError", 'secret "s" not found'), reasons.CONFIGURATION, "secret", True),
        (
            pods.waiting("CreateContainerConfigError", "couldn't find key K in ConfigMap headrace-runs/c"),
            reasons.CONFIGURATION,
            "couldn't find key K",
            True,
        ),
        (pods.waiting("CreateContainerError", "context deadline exceeded"), reasons.START, "deadline", True),
        (pods.waiting("RunContainerError", 'exec: "nope": not found in $PATH'), reasons.START, "nope", True),
        (pods.unschedulable(NO_ROOM), reasons.UNSCHEDULABLE, NO_ROOM, True),
        (pods.unschedulable(CORDONED), reasons.UNSCHEDULABLE, CORDONED, True),
    ],
)
def test_what_keeps_a_pod_from_starting_has_a_kind(pod: Json, kind: str, said: str, may_pass: bool) -> None:
    found = reasons.start_problem(pod)
    assert found is not None
    assert (found.kind, said in found.message, found.may_pass) == (kind, True, may_pass)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (
            pods.event("FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap "c" not found'),
            "config_missing",
        ),
        (pods.event("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "s" not found'), "config_missing"),
        (pods.event("FailedMount", "Unable to attach or mount volumes: timed out"), "volume_failed"),
        (pods.event("FailedAttachVolume", "Multi-Attach error for volume"), "volume_failed"),
        (pods.event("FailedCreatePodSandBox", "failed to set up pod network"), "container_start_failed"),
    ],
)
def test_what_only_events_tell_of_a_pod_that_does_not_start(event: Json, kind: str) -> None:
    creating = pods.waiting("ContainerCreating")
    found = reasons.start_problem(creating, [event])
    assert found is not None
    assert (found.kind, found.may_pass) == (kind, True)


@pytest.mark.parametrize("pod", [pods.pod(), pods.waiting("ContainerCreating"), pods.waiting("PodInitializing")])
def test_a_pod_on_its_way_has_no_problem(pod: Json) -> None:
    assert reasons.start_problem(pod, [pods.event("Scheduled", "assigned"), pods.event("Pulling", "x")]) is None


def test_a_pod_that_runs_has_no_start_problem_whatever_its_events_say() -> None:
    assert reasons.start_problem(pods.running(), [pods.event("FailedMount", "earlier")]) is None


@pytest.mark.parametrize(
    ("pod", "kind", "said"),
    [
        (pods.terminated(137, "OOMKilled"), reasons.MEMORY, "limit of 64Mi"),
        (pods.terminated(137), reasons.KILLED, "signal 9"),
        (pods.terminated(139), reasons.KILLED, "signal 11"),
        (
            pods.terminated(1, message="ModuleNotFoundError: no x\n"),
            reasons.EXITED,
            "status 1: ModuleNotFoundError: no x",
        ),
        (pods.terminated(128, "StartError", message="no such file"), reasons.START, "no such file"),
        (
            pods.terminated(127, "ContainerCannotRun", message="headrace: not found"),
            reasons.START,
            "headrace: not found",
        ),
        (pods.terminated(137, "ContainerStatusUnknown"), reasons.NODE, "lost sight"),
        (pods.evicted("The node was low on resource: memory. "), reasons.EVICTED, "low on resource: memory"),
        (pods.disrupted("EvictionByEvictionAPI", "Eviction API: evicting"), reasons.EVICTED, "evicting"),
        (pods.disrupted("PreemptionByScheduler"), reasons.PREEMPTED, "higher priority"),
        (pods.disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute"), reasons.NODE, "Taint"),
        (pods.pod(phase="Running", reason="NodeLost"), reasons.NODE, "lost"),
        (
            pods.pod(
                phase="Failed", reason="Terminated", message="Pod was terminated in response to imminent node shutdown."
            ),
            reasons.NODE,
            "node shutdown",
        ),
        (pods.pod(phase="Failed", reason="DeadlineExceeded", message="..."), reasons.DEADLINE, "deadline"),
        (
            pods.pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"),
            reasons.EXITED,
            "cpu",
        ),
        (pods.going(pods.terminated(143)), reasons.DELETED, "deleted while"),
    ],
)
def test_what_ended_a_pod_has_a_kind(pod: Json, kind: str, said: str) -> None:
    found = reasons.end_reason(pod)
    assert found is not None
    assert (found.kind, said in found.message) == (kind, True), found


def test_a_kill_beside_an_event_of_the_kernels_oom_killer_is_for_memory() -> None:
    found = reasons.end_reason(pods.terminated(137), [pods.event("OOMKilling", "Memory cgroup out of memory")])
    assert found is not None
    assert found.kind == reasons.MEMORY


@pytest.mark.parametrize("pod", [pods.running(), pods.terminated(0, "Completed"), pods.pod()])
def test_a_pod_that_goes_on_or_succeeded_has_no_end_reason(pod: Json) -> None:
    assert reasons.end_reason(pod) is None


def test_an_init_container_that_fails_is_told() -> None:
    status = {"name": "fetch", "state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no such host"}}}
    pod = pods.pod(
        initContainerStatuses=[status], containerStatuses=[pods.container(waiting={"reason": "PodInitializing"})]
    )
    found = reasons.start_problem(pod)
    assert found == reasons.Reason(reasons.INIT, "Init container fetch ended with 3: no such host")


@pytest.mark.parametrize(
    ("job", "events", "kind"),
    [
        (
            pods.job(pods.failed("DeadlineExceeded", "Job was active longer than specified deadline")),
            [],
            "deadline_exceeded",
        ),
        (pods.job(pods.failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")), [], "pod_lost"),
        (pods.job(), [pods.event("FailedCreate", 'pods "x" is forbidden: exceeded quota: q')], "pod_refused"),
        (
            pods.job(),
            [
                pods.event(
                    "FailedCreate", 'error looking up service account ns/nobody: serviceaccount "nobody" not found'
                )
            ],
            "config_missing",
        ),
        (
            pods.job(),
            [pods.event("FailedCreate", 'violates PodSecurity "restricted:latest": privileged')],
            "pod_refused",
        ),
    ],
)
def test_what_a_job_says(job: Json, events: list[Json], kind: str) -> None:
    found = reasons.job_reason(job, events)
    assert found is not None
    assert found.kind == kind


def test_a_job_that_goes_on_says_nothing() -> None:
    assert reasons.job_reason(pods.job(), [pods.event("SuccessfulCreate", "Created pod: x")]) is None


def test_a_long_message_is_cut() -> None:
    found = reasons.start_problem(pods.waiting("ErrImagePull", "x" * 5000))
    assert found is not None
    assert len(found.message) == 1001


def test_a_graphs_own_mistakes_are_not_worth_another_run() -> None:
    own = {reasons.MEMORY, reasons.CONFIGURATION, reasons.DEADLINE, reasons.INIT, reasons.START, reasons.EXITED}
    assert own & reasons.RETRYABLE == set()
