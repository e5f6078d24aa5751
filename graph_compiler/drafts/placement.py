"""What an operator lets graphs ask of the cluster; the same rule holds when a document is saved and when it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from graph_compiler.language.spec import KubernetesSpec, ResourcesSpec, SettingsSpec

_UNITS = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}


def quantity(text: str) -> float:
    """The number that a Kubernetes quantity such as `500m` or `2Gi` stands for. Raises ValueError for other text."""
    digits = text.rstrip("mkMGTi")
    unit = text[len(digits) :]
    if unit not in _UNITS:
        raise ValueError(f"{text!r} is no quantity")
    return float(digits) * _UNITS[unit]


@dataclass(frozen=True)
class Refusal:
    """One wish that is not granted: its JSON pointer in a document, and why."""

    path: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class ClusterPolicy:
    """The operator's allow-list. Lists hold shell patterns; an empty one allows nothing of its kind."""

    images: Sequence[str] = ()
    service_accounts: Sequence[str] = ()
    node_labels: Sequence[str] = ()
    tolerations: Sequence[str] = ()
    max_cpu: str | None = None
    max_memory: str | None = None

    def refusals(self, settings: SettingsSpec) -> list[Refusal]:
        """Everything in the settings that the operator does not allow."""
        return [*self._of_pod(settings.kubernetes), *self._of_resources(settings.resources, "/settings/resources")]

    def allows_image(self, image: str) -> bool:
        """Whether a pod of a graph may be of this image."""
        return _matches(image, self.images)

    def resource_refusals(self, cpu: str | None, memory: str | None, path: str) -> list[Refusal]:
        """What is too large of the resources that are written below `path`."""
        wanted = (("cpu", cpu, self.max_cpu), ("memory", memory, self.max_memory))
        return [
            Refusal(f"{path}/{name}", f"`{name}` is more than the {limit} that a pod may have here")
            for name, value, limit in wanted
            if value is not None and limit is not None and quantity(value) > quantity(limit)
        ]

    def _of_resources(self, resources: ResourcesSpec | None, path: str) -> list[Refusal]:
        return [] if resources is None else self.resource_refusals(resources.cpu, resources.memory, path)

    def _of_pod(self, wanted: KubernetesSpec) -> Iterator[Refusal]:
        base = "/settings/kubernetes"
        if wanted.image is not None and not self.allows_image(wanted.image):
            yield _refusal(f"{base}/image", f"the image `{wanted.image}`", self.images)
        account = wanted.service_account
        if account is not None and not _matches(account, self.service_accounts):
            yield _refusal(f"{base}/service_account", f"the ServiceAccount `{account}`", self.service_accounts)
        for label in wanted.node_selector:
            if not _matches(label, self.node_labels):
                yield _refusal(f"{base}/node_selector/{_token(label)}", f"the node label `{label}`", self.node_labels)
        for row, toleration in enumerate(wanted.tolerations):
            if not _matches(toleration.key, self.tolerations):
                what = f"tolerating `{toleration.key}`"
                yield _refusal(f"{base}/tolerations/{row}/key", what, self.tolerations)


def _refusal(path: str, what: str, allowed: Sequence[str]) -> Refusal:
    hint = f"allowed: {', '.join(allowed)}" if allowed else "the operator allows none; see docs/how-to/kubernetes.md"
    return Refusal(path, f"this installation does not allow {what}", hint)


def _matches(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _token(key: str) -> str:
    """A key as a JSON pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")
