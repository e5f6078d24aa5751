"""The manifests of an overlay as `kubectl kustomize` renders them."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
OVERLAYS = ("local", "production")
Json = dict[str, Any]


@cache
def _command() -> list[str] | None:
    """A kustomize of version 4 or newer: kubectl's before 1.21 knows neither components nor folders as resources."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl") is None:
        return None
    said = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Kustomize Version: v(\d+)", said)
    return ["kubectl", "kustomize"] if found and int(found.group(1)) >= 4 else None


@cache
def render(overlay: str) -> list[Json]:
    """All objects of the overlay; the test is skipped where no kustomize is."""
    command = _command()
    if command is None:
        pytest.skip("neither kustomize nor a kubectl with kustomize 4 is installed")
    folder = DEPLOY / "k8s" / "overlays" / overlay
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def named(objects: list[Json], kind: str) -> dict[str, Json]:
    """The objects of a kind by name, with the namespace before it if it is not the services'."""
    found = {}
    for each in objects:
        if each["kind"] == kind:
            namespace = each["metadata"].get("namespace", "headrace")
            prefix = "" if namespace == "headrace" else f"{namespace}/"
            found[f"{prefix}{each['metadata']['name']}"] = each
    return found


def pod_specs(objects: list[Json]) -> dict[str, Json]:
    """The pod templates of all workloads by `Kind/name`."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["spec"]["template"]["spec"]
        for each in objects
        if each["kind"] in kinds
    }
