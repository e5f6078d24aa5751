"""Bounds of what is to end: each is longer than what it contains."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from definitions.execution.graph_jobs import monitor_tags
from definitions.instance import instance_files
from definitions.kubernetes import job as kubernetes_job
from graph_compiler.language.spec import SettingsSpec
from platform_core import ending_times
from platform_core.ending_times import EndingTimes
from platform_core.facts.run_ref import RunRef
from platform_core.settings import Settings


@pytest.mark.parametrize("seconds", [0.5, 60.0, 3600.0])
def test_who_ends_a_run_from_outside_waits_longer_than_who_is_within(seconds: float) -> None:
    times = EndingTimes.of(Settings(finally_seconds=seconds))
    assert times.stop > ending_times.CONTAINER_STOP
    assert times.stop + times.last + times.stop < times.worker
    bounds = [times.last, times.worker, times.monitor, times.pod, times.job]
    assert bounds == sorted(set(bounds))
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(bounds[1:]))


def test_what_dagster_and_the_cluster_are_reported_is_derived(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, finally_seconds=300)
    times = EndingTimes.of(settings)
    instance = json.loads((instance_files.write(settings) / "dagster.yaml").read_text())
    assert instance["run_monitoring"]["cancel_timeout_seconds"] == times.monitor
    wanted = SettingsSpec.model_validate({"timeout": "90s", "kubernetes": {"start_deadline": "30s"}})
    assert monitor_tags(wanted, times) == {"dagster/max_runtime": str(90 + times.monitor)}
    run = RunRef(run_id="run", graph_id="id", graph="g", version=1, owner_id="ada-id", owner="ada")
    config = kubernetes_job.user_config(run, wanted, settings)
    assert config["pod_spec_config"]["termination_grace_period_seconds"] == times.pod
    assert config["job_spec_config"]["active_deadline_seconds"] == 90 + 30 + times.job


def test_run_without_a_timeout_is_not_watched_for_one() -> None:
    assert monitor_tags(SettingsSpec(), EndingTimes()) == {}


def test_services_end_before_those_that_would_kill_them() -> None:
    assert ending_times.POOL_STOP < ending_times.LIFELINE_STOP < ending_times.SUPERVISOR_STOP
