"""Dashboards and alerts name only series that the code has, and every alert has its place in the operations guide."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from platform_core.operation.daemon_metrics import DaemonMetrics, _families
from platform_core.operation.metrics import Metrics
from tests.unit.deploy.rendering import DEPLOY, ROOT

MONITORING = DEPLOY / "monitoring"
SERIES = re.compile(r"\bheadrace_\w+")


def exported() -> set[str]:
    """The names of all series of all services."""
    names = set()
    metrics = [*Metrics().registry.collect(), *DaemonMetrics().registry.collect(), *_families(None, {}, 0.0)]
    for metric in metrics:
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_count", "_sum"],
            "gauge": [""],
        }[metric.type]
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def expressions() -> list[tuple[str, str]]:
    """Where each expression is, and the expression."""
    found = []
    for path in sorted(MONITORING.rglob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            found += [(f"{path.name}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    for rule in rules():
        found.append((rule["alert"], rule["expr"]))
    return found


def rules() -> list[dict[str, str]]:
    return [
        rule for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"] for rule in group["rules"]
    ]


@pytest.mark.parametrize(("place", "expression"), expressions())
def test_every_series_that_is_named_exists(place: str, expression: str) -> None:
    named = set(SERIES.findall(expression))
    assert named
    assert named - exported() == set()


def test_the_series_for_scaling_exist() -> None:
    rules = yaml.safe_load((MONITORING / "kubernetes" / "adapter.yaml").read_text())["rules"]["custom"]
    assert {name for rule in rules for name in SERIES.findall(rule["seriesQuery"])} - exported() == set()
    offered = {rule["name"]["as"] for rule in rules}
    scaling = (DEPLOY / "k8s" / "components" / "scaling" / "autoscaling.yaml").read_text()
    assert set(re.findall(r"name: (headrace_\w+)", scaling)) == offered


def test_the_rules_of_the_operator_are_the_rules() -> None:
    own = yaml.safe_load((MONITORING / "rules.yaml").read_text())
    assert yaml.safe_load((MONITORING / "kubernetes" / "rules.yaml").read_text())["spec"] == own


def test_every_alert_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    explained = re.findall(r"^### (Headrace\w+)$", text, re.MULTILINE)
    assert explained == [rule["alert"] for rule in rules()]


@pytest.mark.parametrize("path", ["prometheus.yaml", "rules.yaml", "kubernetes-scrape.yaml"])
def test_promtool_finds_no_fault(path: str, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    what = ["check", "rules"] if path == "rules.yaml" else ["check", "config", "--syntax-only"]
    # Debian's build knows no discovery by Kubernetes: its block gives way to targets, all else is checked.
    content = yaml.safe_load((MONITORING / path).read_text())
    for scrape in content.get("scrape_configs", []):
        if scrape.pop("kubernetes_sd_configs", None):
            scrape["static_configs"] = [{"targets": ["daemon:9100"]}]
    given = tmp_path / path
    given.write_text(yaml.safe_dump(content))
    done = subprocess.run([promtool, *what, str(given)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
