"""Runs pinned to their version."""

from __future__ import annotations

import sys
from pathlib import Path

from dagster import DagsterRun
from dagster._core.code_pointer import CustomPointer, ModuleCodePointer
from dagster._serdes import deserialize_value, serialize_value

from definitions.shared.names import GRAPH_ID_TAG, LOCATION, REPOSITORY, VERSION_TAG
from definitions.shared.pinning import code_origin, pinned, remote_origin
from platform_core.settings import Settings


def test_run_of_a_graph_is_pinned_to_the_version_of_its_tags() -> None:
    run = DagsterRun(job_name="ada__mill", tags={GRAPH_ID_TAG: "g", VERSION_TAG: "3", "team": "x"})
    assert pinned(run) == run._replace(job_code_origin=code_origin("ada__mill", "g", 3))
    assert pinned(pinned(run)) == pinned(run)


def test_foreign_run_is_left_alone() -> None:
    for tags in ({}, {GRAPH_ID_TAG: "g"}, {VERSION_TAG: "1"}):
        run = DagsterRun(job_name="other", tags=tags)
        assert pinned(run) is run


def test_origin_names_graph_and_version_and_survives_dagsters_storage() -> None:
    origin = code_origin("ada__mill", "g", 3)
    assert deserialize_value(serialize_value(origin)) == origin
    pointer = origin.repository_origin.code_pointer
    assert isinstance(pointer, CustomPointer)
    assert pointer.reconstructor_pointer == ModuleCodePointer("definitions.jobs", "pinned_job", None)
    assert (pointer.reconstructable_args, pointer.reconstructable_kwargs) == (["g", 3], [])
    assert origin.repository_origin.executable_path == sys.executable


def test_ui_finds_the_job_in_our_location(tmp_path: Path) -> None:
    origin = remote_origin("ada__mill", Settings(home=tmp_path))
    assert (origin.job_name, origin.repository_origin.repository_name) == ("ada__mill", REPOSITORY)
    assert origin.repository_origin.code_location_origin.location_name == LOCATION
