"""Every manifest is valid from Kubernetes 1.29 on, and holds what the security model promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from headrace_cli.main import app
from headrace_cli.serve.applications import STREAM_PATH
from platform_core.ending_times import POOL_STOP, SUPERVISOR_STOP
from platform_core.settings import Settings
from tests.unit.deploy.rendering import DEPLOY, OVERLAYS, named, pod_specs, render

OPERATORS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator, whose schemas are not Kubernetes'."""
OLDEST = (1, 29)
COMPOSE_GRACE = 10
"""Seconds between SIGTERM and SIGKILL where a compose file names none."""


def versions() -> list[str]:
    """From the oldest that we promise to the newest that has a schema."""
    known = {tuple(int(part) for part in version.split(".")[:2]) for version in utils.all_versions()}
    return [f"{major}.{minor}" for major, minor in sorted(known) if (major, minor) >= OLDEST]


@pytest.fixture(scope="module", autouse=True)
def _each_schema_is_read_once() -> Iterator[None]:
    """The library reads megabytes of JSON for every object that it validates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", lru_cache(maxsize=64)(utils.schema_contents))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", versions())
def test_every_manifest_is_valid(overlay: str, version: str) -> None:
    for manifest in render(overlay):
        if manifest["kind"] not in OPERATORS:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_restricted(overlay: str) -> None:
    for name, pod in pod_specs(render(overlay)).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name


@pytest.mark.parametrize(("overlay", "expected"), [("local", {"daemon", "secrets"}), ("production", {"daemon"})])
def test_only_those_have_a_token_who_speak_to_the_api_server(overlay: str, expected: set[str]) -> None:
    pods = pod_specs(render(overlay))
    with_token = {name.partition("/headrace-")[2] for name, pod in pods.items() if pod["automountServiceAccountToken"]}
    assert with_token == expected
    accounts = named(render(overlay), "ServiceAccount")
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_account_and_role_that_is_named_is_there(overlay: str) -> None:
    objects = render(overlay)
    accounts, roles = named(objects, "ServiceAccount"), named(objects, "Role")
    for name, pod in pod_specs(objects).items():
        assert pod["serviceAccountName"] in accounts, name
    for name, binding in named(objects, "RoleBinding").items():
        prefix = name.rpartition("/")[0]
        assert "/".join(filter(None, [prefix, binding["roleRef"]["name"]])) in roles
        for subject in binding["subjects"]:
            there = "" if subject["namespace"] == "headrace" else f"{subject['namespace']}/"
            assert f"{there}{subject['name']}" in accounts


def test_no_manifest_holds_a_secret() -> None:
    for overlay in OVERLAYS:
        assert named(render(overlay), "Secret") == {}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_setting_is_one(overlay: str) -> None:
    known = {f"HEADRACE_{name.upper()}" for name in Settings.model_fields}
    for name, config in named(render(overlay), "ConfigMap").items():
        assert set(config["data"]) - known == set(), name
        values = {key.removeprefix("HEADRACE_").lower(): value for key, value in config["data"].items()}
        environment = {f"HEADRACE_{key.upper()}": value for key, value in values.items()}
        with pytest.MonkeyPatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            Settings()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_and_the_pods_of_their_runs_agree(overlay: str) -> None:
    configs = named(render(overlay), "ConfigMap")
    services, runs = configs["headrace"]["data"], configs["headrace-runs/headrace-run"]["data"]
    for key in ("NAMESPACE", "ALLOWED_IMAGES", "MAX_CPU", "MAX_MEMORY"):
        assert services[f"HEADRACE_KUBERNETES_{key}"] == runs[f"HEADRACE_KUBERNETES_{key}"]
    assert services["HEADRACE_KUBERNETES_CONFIG_MAP"] in configs["headrace-runs/headrace-run"]["metadata"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_role_is_a_command_and_an_image(overlay: str) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", (DEPLOY / "docker" / "Dockerfile").read_text(), re.MULTILINE))
    for pod in pod_specs(render(overlay)).values():
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            image = container["image"].rpartition("/")[2].rpartition(":")[0].removeprefix("headrace-")
            assert image in targets
    commands = set(_commands())
    used = re.findall(r'^CMD \["([a-z-]+)"', (DEPLOY / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    assert set(used) - commands == set()


def test_the_ingress_sends_to_the_stream_api_what_the_embedded_form_does() -> None:
    ingress = named(render("production"), "Ingress")["headrace"]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    streams = [path for path in paths if path["backend"]["service"]["name"] == "headrace-stream-api"]

    def is_stream(request: str) -> bool:
        return any(_matches(path, request) for path in streams)

    for request in (
        "/api/v1/runs/x/events",
        "/api/v1/runs/x/ws",
        "/api/v1/ws",
        "/watch/x",
        "/asyncapi.json",
        "/api/v1/runs/x",
        "/api/v1/graphs",
        "/docs",
        "/hooks/x",
    ):
        assert is_stream(request) == bool(STREAM_PATH.fullmatch(request)), request


def _matches(path: dict[str, Any], request: str) -> bool:
    if path["pathType"] == "Exact":
        return bool(request == path["path"])
    if path["pathType"] == "Prefix":
        return bool(request == path["path"] or request.startswith(path["path"] + "/"))
    return bool(re.fullmatch(path["path"], request))


def test_what_has_two_replicas_is_spread_and_guarded_in_production() -> None:
    objects = render("production")
    guarded = set(named(objects, "PodDisruptionBudget"))
    several = {name for name, each in named(objects, "Deployment").items() if each["spec"]["replicas"] > 1}
    assert several == guarded == {"headrace-trigger-api", "headrace-stream-api", "headrace-daemon"}
    assert set(named(objects, "HorizontalPodAutoscaler")) == {"headrace-trigger-api", "headrace-stream-api"}


def _commands() -> list[str]:
    import typer

    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return list(group.commands)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_have_the_time_that_they_take_to_end(overlay: str) -> None:
    for name, deployment in named(render(overlay), "Deployment").items():
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > SUPERVISOR_STOP, name


def test_workers_of_the_compose_file_have_the_time_that_they_take_to_end() -> None:
    workers = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["workers"]
    assert int(str(workers.get("stop_grace_period", COMPOSE_GRACE)).removesuffix("s")) > POOL_STOP


def test_dagsters_ui_is_reached_by_the_trigger_api_and_the_daemon_alone() -> None:
    text = (DEPLOY / "k8s" / "base" / "network-policies.yaml").read_text()
    (policy,) = [each for each in yaml.safe_load_all(text) if each["metadata"]["name"] == "headrace-ui"]
    (rule,) = policy["spec"]["ingress"]
    sources = [source["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for source in rule["from"]]
    assert sorted(sources) == ["daemon", "trigger-api"]
    assert "ports" not in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["ui"]


def test_the_compose_file_names_what_there_is() -> None:
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = content["services"]
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", (DEPLOY / "docker" / "Dockerfile").read_text(), re.MULTILINE))
    for name, service in services.items():
        if "build" in service:
            assert service["build"]["target"] in targets, name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in content["volumes"], volume
        for port in service.get("ports", ()):
            assert name == "caddy" or port.startswith("127.0.0.1:"), "only Caddy is open to others"
    needed = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    offered = set(re.findall(r"^(\w+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))
    assert needed <= offered


def test_the_compose_file_is_valid() -> None:
    """By the compose specification's own schema, which check-jsonschema carries."""
    schema = json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    jsonschema.validate(content, schema)
    content["services"]["daemon"]["no-such-key"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)
