"""dagster-k8s's K8sRunLauncher with Jobs of ours: one per run, named by it, placed as its graph's version says.

The graph's wishes are read from the pinned version, never from the run's tags, which any starter of runs may write.
Jobs are made by threads beside the queue, several at once: a request to the API server takes longer than a turn.
Launching does not fail when the API server is away: the run stays STARTING, and supervision launches it again, which
is harmless, because the Job's name is the run's. Internals used: `_launch_k8s_job_with_args`' parts (dagster-k8s 0.29).
"""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from dagster import DagsterRun, DagsterRunStatus
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import UserDefinedDagsterK8sConfig, construct_dagster_k8s_job
from kubernetes import client

from definitions.execution.context import process_context
from definitions.instance.run_loss import failure_data
from definitions.kubernetes import job as jobs
from definitions.kubernetes.api import ClusterAway, ClusterError, KubernetesApi
from definitions.shared.names import GRAPH_ID_TAG, VERSION_TAG
from definitions.shared.patience import read_patiently
from graph_compiler.language.spec import GraphSpec
from platform_core.database.engine import DatabaseError, reading, transaction
from platform_core.errors import Unavailable
from platform_core.runs.execution_store import PinnedVersion, read_version
from platform_core.runs.supervision_store import next_worker, worker_of

CACHED = 2_000
AT_ONCE = 4
"""Requests for Jobs that are under way at once."""
_logger = logging.getLogger("headrace.launcher")


@lru_cache(maxsize=CACHED)
def _pinned(graph_id: str, version: int) -> tuple[PinnedVersion, GraphSpec]:
    engine = process_context().engine
    stored = read_patiently(engine, lambda connection: read_version(connection, graph_id, version))
    return stored, GraphSpec.model_validate_json(stored.document)


def pinned_spec(run: DagsterRun) -> tuple[PinnedVersion, GraphSpec]:
    """The version that the run executes. Raises `VersionNotFound`."""
    return _pinned(run.tags[GRAPH_ID_TAG], int(run.tags[VERSION_TAG]))


class KubernetesRunLauncher(K8sRunLauncher):
    """Configured as its parent; the daemon alone has it (see instance_files)."""

    def __init__(self, inst_data: Any = None, **config: Any) -> None:
        super().__init__(inst_data=inst_data, **config)
        self.api = KubernetesApi(self.job_namespace, count=process_context().measures.count_request)
        self._templates: dict[tuple[str, int, str], tuple[str, str]] = {}
        self._launches = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="launch")

    def launch_run(self, context: LaunchRunContext) -> None:
        self._launches.submit(self._launch, context.dagster_run)

    def _launch(self, run: DagsterRun) -> None:
        try:
            with reading(process_context().engine) as connection:
                worker = worker_of(connection, run.run_id)
            self.launch(run, worker)
        except (*DatabaseError, Unavailable) as error:
            _logger.warning("The database does not answer (%s); run %s is launched again later.", error, run.run_id)
        except Exception as error:
            _logger.exception("Run %s cannot be launched.", run.run_id)
            self._instance.report_run_failed(run, f"The run could not be launched: {error}")

    def launch(self, run: DagsterRun, worker: int) -> bool:
        """Make the Job of this worker of the run.

        False, and a line in the log, when the cluster does not take it now.

        A run whose Job the cluster refuses fails with the reason.
        """
        stored, spec = pinned_spec(run)
        refusals = self._refusals(spec)
        if refusals:
            self._fail(run, "not_allowed", refusals)
            return True
        try:
            job = self.job(run, stored, spec)
            self.api.create_job(jobs.of_next_worker(job, run.run_id, worker) if worker else job)
        except ClusterAway as error:
            _logger.warning("The API server does not answer (%s); run %s is launched again later.", error, run.run_id)
            return False
        except ClusterError as error:
            if error.status != 409:
                self._fail(run, "job_refused", f"The cluster refused the run's Job: {error.message}")
        return True

    def job(self, run: DagsterRun, stored: PinnedVersion, spec: GraphSpec) -> dict[str, Any]:
        """The run's Job as JSON, of the operator's configuration and the graph's settings.

        Jobs of one version differ in the run's id alone, and making the first is most of the work.
        """
        key = (stored.graph_id, stored.version, run.job_name)
        template = self._templates.get(key)
        if template is None:
            template = run.run_id, json.dumps(self._job(run, stored, spec))
            if len(self._templates) >= CACHED:
                self._templates.clear()
            self._templates[key] = template
        run_id, text = template
        made: dict[str, Any] = json.loads(text.replace(run_id, run.run_id))
        return made

    def _job(self, run: DagsterRun, stored: PinnedVersion, spec: GraphSpec) -> dict[str, Any]:
        config = jobs.user_config(
            stored.of_run(run.run_id),
            spec.settings,
            process_context().settings,
            uses_containers=any(node.type == "container" for node in spec.nodes),
        )
        wanted = UserDefinedDagsterK8sConfig.from_dict(config)  # type: ignore[no-untyped-call]  # not annotated there
        context = K8sContainerContext.create_for_run(run, self, include_run_tags=False).merge(
            K8sContainerContext(run_k8s_config=wanted)
        )
        job = construct_dagster_k8s_job(
            job_config=context.get_k8s_job_config(job_image=None, run_launcher=self),
            args=None,
            job_name=jobs.job_name(run.run_id),
            pod_name=jobs.job_name(run.run_id),
            component=jobs.RUN_ROLE,
            user_defined_k8s_config=context.run_k8s_config,
            labels={"dagster/run-id": run.run_id, "dagster/job": run.job_name},
        )
        made: dict[str, Any] = client.ApiClient().sanitize_for_serialization(job)
        [container] = made["spec"]["template"]["spec"]["containers"]
        # A folder of dagster-k8s's own images; ours write the instance's files in their home.
        container["env"] = [each for each in container["env"] if each["name"] != "DAGSTER_HOME"]
        return made

    def delete(self, run_id: str, worker: int) -> bool:
        """Delete the Job of that worker of the run with its pods; False if the API server does not answer now."""
        try:
            self.api.delete_job(jobs.job_name(run_id, worker))
        except ClusterAway as error:
            _logger.warning("The API server does not answer (%s); the Job of run %s is deleted later.", error, run_id)
            return False
        return True

    def terminate(self, run_id: str) -> bool:
        """Ask the run's pod to end; the pod, or supervision if there is none, reports the end.

        A run that waits gets a pod, in which its nodes end and what runs last does.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        is_waiting = run.status == DagsterRunStatus.SUSPENDED
        with transaction(process_context().engine) as connection:
            worker = next_worker(connection, run_id) if is_waiting else worker_of(connection, run_id)
        if run.status != DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        if is_waiting:
            self._launches.submit(self._launch, run)
        else:
            self.delete(run_id, worker)
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Always well: supervision sees what happens to the pod at once, without a request for each run."""
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    @property
    def supports_resume_run(self) -> bool:
        return False

    @property
    def supports_run_worker_crash_recovery(self) -> bool:
        return False

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        return None

    def _refusals(self, spec: GraphSpec) -> str:
        policy = jobs.policy(process_context().settings)
        return "" if policy is None else "; ".join(refusal.message for refusal in policy.refusals(spec.settings))

    def _fail(self, run: DagsterRun, kind: str, message: str) -> None:
        self._instance.report_run_failed(run, message, failure_data(kind, message))
