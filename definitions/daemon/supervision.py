"""Sees to it that every run in the cluster ends, with a reason, and that nothing in the cluster outlives its run.

Three watches (pods, Jobs, events) keep what the namespace holds; no run costs a request but those that make and
delete its Job. One loop looks whenever something changed, and every second for what only time shows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dagster import DagsterInstance, DagsterRun

from definitions.daemon.kubernetes_launcher import KubernetesRunLauncher, pinned_spec
from definitions.daemon.verdict import LAUNCH_GRACE, Act, Facts, is_gone, judge, problem
from definitions.instance.run_loss import failure_data
from definitions.kubernetes import job as jobs
from definitions.kubernetes import reasons
from definitions.kubernetes.api import ClusterAway, ClusterError, Json, KubernetesApi
from definitions.kubernetes.reasons import Reason
from definitions.kubernetes.watch import Watch
from platform_core.database.engine import DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.facts.run_status import RunStatus
from platform_core.loop import Loop
from platform_core.operation.daemon_metrics import DaemonMetrics
from platform_core.runs.supervision_store import (
    RunInProgress,
    list_in_progress,
    may_go_on,
    replace_lost,
    without_work,
)
from platform_core.settings import Settings

LOOK_EVERY = 1.0
REPEAT_AFTER = 5.0
"""Seconds after which a launch or a deletion that shows no effect is repeated."""
STRAY_GRACE = 5.0
"""Seconds in which a pod ends by itself once its run has ended."""
_logger = logging.getLogger("headrace.supervision")


@dataclass
class _Memory:
    """What was seen of a run before, which the cluster no longer shows."""

    facts: Facts
    worker: int
    repeated_at: float = 0.0


class KubernetesSupervision:
    """Its loops run in the daemon that leads, and only there."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        instance: DagsterInstance,
        launcher: KubernetesRunLauncher,
        measures: DaemonMetrics,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance
        self._launcher = launcher
        self._measures = measures
        for kind in reasons.KINDS:
            measures.failures.labels(kind)
        self._now = now
        self._api: KubernetesApi = launcher.api
        self._lock = threading.Lock()
        self._jobs: dict[str, Json] = {}
        self._pods: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        self._last_pods: dict[str, Json] = {}
        self._events: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        self._memories: dict[str, _Memory] = {}
        self._strays: dict[str, float] = {}
        selector = {"label_selector": jobs.RUN_LABEL}
        self._watches = (
            Watch(self._api, "jobs", self._on_job, self._on_state, **selector),
            Watch(self._api, "pods", self._on_pod, self._on_state, **selector),
            Watch(self._api, "events", self._on_event, self._on_state),
        )
        self._loop = Loop(
            "supervision", self._work, every=LOOK_EVERY, away=(*DatabaseError, Unavailable), logger=_logger
        )

    @property
    def loops(self) -> Sequence[Loop]:
        """To be started where the daemon leads."""
        return [*(watch.loop for watch in self._watches), self._loop]

    @property
    def is_synced(self) -> bool:
        """Whether what is known of the cluster is current."""
        return all(watch.is_synced for watch in self._watches)

    def close(self) -> None:
        self._loop.closing.set()
        for watch in self._watches:
            watch.close()
        self._loop.close(REPEAT_AFTER)

    def _on_state(self) -> None:
        for watch in self._watches:
            self._measures.watches.labels(watch.kind).set(watch.is_synced)
        self._loop.wake()

    def _on_job(self, name: str, before: Json | None, now: Json | None) -> None:
        with self._lock:
            if now is None:
                self._jobs.pop(name, None)
            else:
                self._jobs[name] = now
        self._loop.wake()

    def _on_pod(self, name: str, before: Json | None, now: Json | None) -> None:
        pod = now or before
        run_id = _run_of(pod)
        with self._lock:
            if now is not None:
                self._pods[run_id][name] = now
            else:
                self._pods[run_id].pop(name, None)
            if pod is not None and _is_run_pod(pod):
                known = self._last_pods.get(jobs.job_of(pod))
                if known is None or reasons.name_of(known) == name:
                    self._last_pods[jobs.job_of(pod)] = pod
        self._loop.wake()

    def _on_event(self, name: str, before: Json | None, now: Json | None) -> None:
        about = str(((now or before) or {}).get("involvedObject", {}).get("name", ""))
        with self._lock:
            if now is not None:
                self._events[about][name] = now
            elif about in self._events:
                self._events[about].pop(name, None)
                if not self._events[about]:
                    del self._events[about]
        self._loop.wake()

    def _work(self) -> None:
        if self.is_synced:
            self.look()

    def look(self) -> None:
        """Judge every run in progress, and delete what belongs to none."""
        with reading(self._engine) as connection:
            runs = list_in_progress(connection)
        current = {run.run_id for run in runs}
        for run in runs:
            try:
                self._judge(run)
            except (*DatabaseError, Unavailable):
                raise
            except ClusterAway as error:
                _logger.warning("The API server does not answer: %s", error)
            except Exception:
                _logger.exception("Run %s cannot be supervised.", run.run_id)
        for run_id in self._memories.keys() - current:
            del self._memories[run_id]
        self._sweep(current)

    def _judge(self, run: RunInProgress) -> None:
        now = self._now()
        memory = self._remember(run, now)
        verdict = judge(memory.facts, now, self._settings.kubernetes_start_patience)
        match verdict.act:
            case Act.FAIL:
                assert verdict.reason is not None
                if run.status == RunStatus.CANCELING:
                    self._cancel(run)
                elif not self._hand_over(run, verdict.reason):
                    self._fail(run, verdict.reason)
            case Act.CANCEL:
                self._cancel(run)
            case Act.LAUNCH if now - memory.repeated_at >= REPEAT_AFTER:
                memory.repeated_at = now
                self._launch(run)
            case Act.WAIT if self._is_to_be_deleted(run) and now - memory.repeated_at >= REPEAT_AFTER:
                memory.repeated_at = now
                self._launcher.delete(run.run_id, run.worker)

    def _remember(self, run: RunInProgress, now: float) -> _Memory:
        """What is known of the run by now."""
        memory = self._memories.get(run.run_id)
        status = RunStatus.STARTING if run.is_between_workers else run.status
        if memory is None or memory.worker != run.worker:
            grace = LAUNCH_GRACE if run.worker == 0 else 0.0
            facts = Facts(status, now, self._start_deadline(run), grace)
            memory = self._memories[run.run_id] = _Memory(facts, run.worker)
        facts = memory.facts
        if facts.status != status:
            facts.status, facts.since, facts.problem_since, facts.gone_since = status, now, None, None
        name = jobs.job_name(run.run_id, run.worker)
        with self._lock:
            all_pods = self._pods.get(run.run_id, {}).values()
            pods = [pod for pod in all_pods if _is_run_pod(pod) and jobs.job_of(pod) == name]
            facts.job = self._jobs.get(name)
            known = self._last_pods.get(name)
            if status == RunStatus.STARTING and pods and (known is None or known not in pods):
                known = self._last_pods[name] = pods[-1]
            names = [reasons.name_of(thing) for thing in (facts.job, known, *pods) if thing is not None]
            facts.events = {name: list(self._events.get(name, {}).values()) for name in names}
        facts.pods, facts.last_pod = pods, known
        facts.had_job = facts.had_job or facts.job is not None or bool(pods)
        facts.problem_since = (facts.problem_since or now) if problem(facts) is not None else None
        facts.gone_since = (facts.gone_since or now) if is_gone(facts, now) else None
        return memory

    def _start_deadline(self, run: RunInProgress) -> float:
        known = self._dagster_run(run.run_id)
        if known is None:
            return self._settings.kubernetes_start_deadline
        return jobs.start_deadline(pinned_spec(known)[1].settings, self._settings)

    def _is_to_be_deleted(self, run: RunInProgress) -> bool:
        """Whether the run is canceled, and its Job stays; one that it got only to end in is not asked to."""
        if run.status != RunStatus.CANCELING or run.is_between_workers:
            return False
        job = self._jobs.get(jobs.job_name(run.run_id, run.worker))
        return job is not None and "deletionTimestamp" not in job["metadata"]

    def _launch(self, run: RunInProgress) -> None:
        known = self._dagster_run(run.run_id)
        if known is not None and not known.is_finished:
            _logger.warning("Run %s has no Job; it is launched again.", run.run_id)
            self._launcher.launch(known, run.worker)

    def _hand_over(self, run: RunInProgress, reason: Reason) -> bool:
        """Give a run that the cluster lost in its midst to another worker, if it may go on; the next look launches."""
        if run.status != RunStatus.RUNNING or run.is_between_workers or not reason.is_retryable:
            return False
        with transaction(self._engine) as connection:
            goes_on = may_go_on(connection, run.run_id)
        if goes_on:
            _logger.warning("Run %s goes on in another pod: %s: %s", run.run_id, reason.kind, reason.message)
            self._measures.replacements.inc()
            self._launcher.delete(run.run_id, run.worker)
            self._loop.wake()
        return goes_on

    def _fail(self, run: RunInProgress, reason: Reason) -> None:
        known = self._dagster_run(run.run_id)
        if known is not None and not known.is_finished:
            _logger.warning("Run %s failed: %s: %s", run.run_id, reason.kind, reason.message)
            self._instance.report_run_failed(known, reason.message, failure_data(reason.kind, reason.message))
            self._measures.failures.labels(reason.kind).inc()
        # After the end is stored: what is deleted may be about to begin, and looks at the run's status first.
        self._launcher.delete(run.run_id, run.worker)
        if known is not None and reason.is_retryable:
            self._replace(run, known)

    def _replace(self, run: RunInProgress, known: DagsterRun) -> None:
        most = pinned_spec(known)[1].settings.kubernetes.retries
        with transaction(self._engine) as connection:
            accepted = replace_lost(connection, run.run_id, most)
        if accepted is not None:
            self._measures.replacements.inc()
            _logger.info("Run %s goes on as run %s.", run.run_id, accepted.run_id)

    def _cancel(self, run: RunInProgress) -> None:
        known = self._dagster_run(run.run_id)
        if known is not None and not known.is_finished:
            self._instance.report_run_canceled(known, "The run was canceled.")
        self._launcher.delete(run.run_id, run.worker)

    def _dagster_run(self, run_id: str) -> DagsterRun | None:
        return self._instance.get_run_by_id(run_id)

    def _sweep(self, current: set[str]) -> None:
        """Delete the Jobs and pods that still do something although their run has ended."""
        now = self._now()
        found = self._suspects(current)
        self._strays = {name: self._strays.get(name, now) for name in found}
        due = {name: thing for name, thing in found.items() if now - self._strays[name] >= STRAY_GRACE}
        if not due:
            return
        with reading(self._engine) as connection:
            idle = without_work(connection, {_run_of(thing) for _, thing in due.values()})
        for name, (kind, thing) in due.items():
            if _run_of(thing) in idle:
                self._delete_stray(kind, thing)
                self._strays[name] = now

    def _suspects(self, current: set[str]) -> Mapping[str, tuple[str, Json]]:
        found: dict[str, tuple[str, Json]] = {}
        with self._lock:
            for job in self._jobs.values():
                if _run_of(job) not in current and _is_active_job(job):
                    found[f"job/{reasons.name_of(job)}"] = ("job", job)
            for run_id in [run_id for run_id, pods in self._pods.items() if not pods and run_id not in current]:
                del self._pods[run_id]
            for name in [name for name, pod in self._last_pods.items() if _run_of(pod) not in self._pods]:
                del self._last_pods[name]
            for run_id, pods in self._pods.items():
                for name, pod in pods.items():
                    is_kept = reasons.is_over(pod) and _is_run_pod(pod)
                    if run_id not in current and not is_kept and "deletionTimestamp" not in pod["metadata"]:
                        found[f"pod/{name}"] = ("pod", pod)
        return found

    def _delete_stray(self, kind: str, thing: Json) -> None:
        name, uid = reasons.name_of(thing), str(thing["metadata"]["uid"])
        _logger.warning("%s %s is deleted: run %s has ended.", kind, name, _run_of(thing))
        try:
            is_deleted = self._api.delete_job(name, uid=uid) if kind == "job" else self._api.delete_pod(name, uid=uid)
        except (ClusterAway, ClusterError) as error:
            _logger.warning("%s %s is not deleted: %s", kind, name, error)
            return
        if is_deleted:
            self._measures.strays.labels(kind).inc()


def _run_of(thing: Json | None) -> str:
    return "" if thing is None else str(thing["metadata"].get("labels", {}).get(jobs.RUN_LABEL, ""))


def _is_run_pod(pod: Json) -> bool:
    return bool(pod["metadata"].get("labels", {}).get(jobs.ROLE_LABEL) == jobs.RUN_ROLE)


def _is_active_job(job: Json) -> bool:
    conditions = job.get("status", {}).get("conditions") or ()
    ended = any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions)
    return not ended and "deletionTimestamp" not in job["metadata"]
