"""Settings as run tags."""

from __future__ import annotations

import json

from graph_compiler.jobs.tags import run_tags
from graph_compiler.language.spec import SettingsSpec


def test_no_settings_no_tags() -> None:
    assert run_tags(SettingsSpec()) == {}


def test_settings_become_the_tags_that_dagster_reads() -> None:
    settings = SettingsSpec.model_validate(
        {"timeout": "1500ms", "priority": -2, "resources": {"cpu": "500m", "memory": "1Gi"}, "retention": "30d"}
    )
    tags = run_tags(settings)
    resources = {"cpu": "500m", "memory": "1Gi"}
    assert json.loads(tags.pop("dagster-k8s/config")) == {
        "container_config": {"resources": {"requests": resources, "limits": resources}}
    }
    assert tags == {"dagster/priority": "-2", "dagster/max_runtime": "62", "headrace/timeout": "1.5"}
