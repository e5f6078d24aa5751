"""The one reader of the environment: built by an entry point and passed down, never read at import."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_home() -> Path:
    return Path.home() / ".headrace"


def _default_concurrency() -> int:
    return max(8, 4 * (os.cpu_count() or 1))


_VAULT_PATH = r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$"
_SECRET_PREFIX = "HEADRACE_SECRET_"  # noqa: S105 - the beginning of names


def secret_variables() -> dict[str, SecretStr]:
    """The secrets in the environment by their names: `HEADRACE_SECRET_GH_PUSH` is `gh_push`. Settings are none."""
    own = {f"HEADRACE_{name.upper()}" for name in Settings.model_fields}
    return {
        name.removeprefix(_SECRET_PREFIX).lower(): SecretStr(value)
        for name, value in os.environ.items()
        if name.startswith(_SECRET_PREFIX) and name.upper() not in own
    }


def _days(value: Any) -> Any:
    return value.removesuffix("d") if isinstance(value, str) else value


class Settings(BaseSettings):
    """All settings of all processes; each is read from `HEADRACE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=_default_home, description="Folder of the local state.")
    database_url: str | None = Field(
        default=None,
        pattern=r"^postgres(ql)?(\+\w+)?://",
        description="postgresql:// address of a server to use; without it an embedded one lives in the home.",
    )
    host: str = Field(default="127.0.0.1", description="Address the HTTP interfaces listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of both APIs; 0 takes a free one.")
    tls_cert: Path | None = Field(
        default=None,
        description="PEM file of a certificate, with what it was signed by: both APIs speak TLS and follow it.",
    )
    tls_key: Path | None = Field(default=None, description="PEM file of its key, without a password.")
    ui_host: str = Field(default="127.0.0.1", description="Address of `ui_port`.")
    ui_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description=(
            "Port of its own for Dagster's UI beside /dagster of the APIs, with the same session; 0 takes a free one."
            " Of the service `headrace ui` alone: where it listens (3000) for the trigger API."
        ),
    )
    ui_names: str | None = Field(
        default=None,
        description="Host names (comma separated) by which browsers reach Dagster's UI, beside HEADRACE_PUBLIC_URL.",
    )
    code_server_host: str | None = Field(
        default=None, description="Host of the Dagster code server; without it a socket in HOME/run is used."
    )
    code_server_port: int = Field(default=4266, gt=0, le=65535, description="Port of the Dagster code server.")
    public_url: str | None = Field(
        default=None, description="Address under which users reach the APIs; links are built from it."
    )
    values_url: str | None = Field(
        default=None, description="Folder or object store for large values between nodes; without it HOME/values."
    )
    ui_url: str | None = Field(
        default=None,
        description="Where the services reach Dagster's UI if it is a service of its own; else HOME/run/ui.sock.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Master keys (comma separated, the first one active); without it HOME/secret.key is used.",
    )
    shared_secrets: dict[str, list[str]] = Field(
        default_factory=dict,
        description=(
            "JSON: for each secret in the environment or in a file, by its name, the owners who may read it;"
            ' `["*"]` for everybody. What is not named nobody may read.'
        ),
    )
    secrets_folder: Path = Field(
        default=Path("/etc/headrace/secrets"),
        description="Folder of files that are secrets by their names, as Kubernetes mounts them.",
    )
    vault_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Address of Vault or OpenBao, if secrets are read from it."
    )
    vault_token: SecretStr | None = Field(default=None, description="Token for it; goes before a role.")
    vault_role: str | None = Field(
        default=None, description="Role of its Kubernetes login, by which the pod's service account gets a token."
    )
    vault_auth_mount: str = Field(
        default="kubernetes", pattern=_VAULT_PATH, description="Where its Kubernetes login is mounted."
    )
    vault_mount: str = Field(
        default="secret", pattern=_VAULT_PATH, description="Where its KV store (version 2) is mounted."
    )
    vault_path: str = Field(
        default="headrace",
        pattern=_VAULT_PATH,
        description="Path in the store: a secret of an owner is the field `value` at PATH/OWNER/NAME.",
    )
    vault_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities for its certificate, in place of the system's.",
    )
    token_ttl: int = Field(default=8 * 3600, gt=0, le=86_400, description="Seconds a bearer token lives.")
    watch_ttl: int = Field(
        default=8 * 3600, gt=0, le=86_400, description="Seconds that a page that watches a run may go on."
    )
    session_ttl: int = Field(
        default=7 * 86_400,
        gt=0,
        le=366 * 86_400,
        description="Seconds after which a browser signs in again at the latest.",
    )
    session_idle: int = Field(
        default=12 * 3600,
        ge=120,
        le=366 * 86_400,
        description="Seconds without a request that end a browser's session.",
    )
    failed_logins_per_user: int = Field(
        default=10, gt=0, description="Logins of one user name that may fail in 5 minutes before all are refused."
    )
    failed_logins_per_network: int = Field(
        default=100, gt=0, description="Logins from one IPv4 address or IPv6 /64 that may fail in 5 minutes."
    )
    max_document_bytes: int = Field(default=1024 * 1024, gt=0, description="Largest graph document, in bytes.")
    max_body_bytes: int = Field(default=8 * 1024 * 1024, gt=0, description="Largest request body, in bytes.")
    delivery_body_bytes: int = Field(
        default=1024 * 1024, ge=0, description="Bytes of a webhook's body that the delivery log keeps."
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses or networks (comma separated) whose X-Forwarded-For and -Proto are believed.",
    )
    max_concurrent_runs: int = Field(
        default_factory=_default_concurrency, gt=0, description="Runs executed at once by this installation."
    )
    max_concurrent_runs_per_user: int | None = Field(
        default=None, gt=0, description="Runs of one user executed at once; an administrator may set a user's own."
    )
    runs_per_worker: int = Field(
        default=500,
        gt=0,
        description="Runs one warm worker executes before it is replaced; one that a run has made large is at once.",
    )
    niceness: int = Field(
        default=10, ge=0, le=19, description="How far run workers step back for the APIs where processors are short."
    )
    finally_seconds: float = Field(
        default=60.0, gt=0, description="Seconds that `finally` nodes have in a run that was canceled or timed out."
    )
    suspend_over: float = Field(
        default=5.0,
        gt=0,
        description="Seconds: a run that waits for longer, and for nothing else, gives up its worker until then.",
    )
    idle_workers: int = Field(default=2, ge=0, description="Warm workers kept ready for the next run.")
    tick_retention: int = Field(default=90, gt=0, description="Days that the ticks of timers are kept.")
    audit_retention: Annotated[int, BeforeValidator(_days)] = Field(
        default=400, gt=0, description="Days that the audit log is kept; `400d` is the same as 400."
    )
    max_wait: float = Field(default=60.0, gt=0, description="Longest `?wait=` in seconds.")
    heartbeat: float = Field(default=15.0, gt=0, description="Seconds between comments on an idle event stream.")
    streams_per_user: int = Field(
        default=250, gt=0, description="Runs one user may follow at once in one process of the stream API."
    )
    right_check: float = Field(
        default=5.0, gt=0, description="Seconds between checks that the followers of streams still have the right."
    )
    http_allow_private: bool = Field(
        default=False,
        description=(
            "Let http.request and web addresses of files reach private, loopback and link-local addresses."
            " `headrace up` sets it where it listens on loopback only, without HEADRACE_PUBLIC_URL."
        ),
    )
    files_url: str | None = Field(
        default=None,
        description="Where users' files are: a folder, or s3:// or gs:// with a prefix; without it HOME/files.",
    )
    max_file_bytes: int = Field(
        default=1024 * 1024 * 1024, gt=0, description="Largest file that a node may write, in bytes."
    )
    services_allow_private: bool = Field(
        default=False,
        description=(
            "Let sql.query, email.send, publish and endpoints of s3 and gs reach private, loopback and link-local"
            " addresses. `headrace up` sets it where it listens on loopback only, without HEADRACE_PUBLIC_URL."
        ),
    )
    code_network: Literal["none", "public", "all"] = Field(
        default="all", description="What code nodes reach that do not say: `none`, `public` (the internet) or `all`."
    )
    code_network_most: Literal["none", "public", "all"] = Field(
        default="all", description="The most that code nodes may reach, whatever they say."
    )
    allow_weak_sandbox: bool = Field(
        default=False,
        description=(
            "Run the code nodes of all owners even where the machine cannot keep them apart (`headrace doctor` says"
            " whether); else there only those of the first administrator. In a cluster each run has a pod of its own."
        ),
    )
    code_folders: list[str] = Field(
        default_factory=list,
        description=(
            "JSON list of folders that code nodes read although they are in a place that is closed to them: the home,"
            " and where an ordinary user runs `up`, that user's home folder."
        ),
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_json: bool = Field(default=False, description="Write log lines as JSON.")
    admin_password: SecretStr | None = Field(
        default=None,
        description="Password of the first administrator; without it a random one is written to HOME/admin.json.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of health and metrics of the daemon, the code server and run pods; without it, none.",
    )
    launcher: Literal["warm", "kubernetes"] = Field(
        default="warm", description="Where runs execute: `warm` workers of this machine, or `kubernetes` Jobs."
    )
    kubernetes_config_file: str | None = Field(
        default=None, description="kubeconfig by which the daemon reaches the cluster; without it, as its pod may."
    )
    kubernetes_namespace: str = Field(default="headrace-runs", description="Namespace of the pods of runs.")
    kubernetes_image: str = Field(default="headrace-run:latest", description="Image of run pods.")
    kubernetes_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When images of pods are pulled: Always, IfNotPresent or Never."
    )
    kubernetes_service_account: str = Field(default="headrace-run", description="ServiceAccount of run pods.")
    kubernetes_config_map: str = Field(
        default="headrace-run", description="ConfigMap in the namespace of runs with the settings of run pods."
    )
    kubernetes_secret: str = Field(
        default="headrace-run", description="Secret in the namespace of runs with HEADRACE_DATABASE_URL and so on."
    )
    kubernetes_pod: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON: the operator's own dagster-k8s configuration of all run pods (`run_k8s_config`).",
    )
    kubernetes_allowed_images: list[str] = Field(
        default_factory=list,
        description="JSON list of patterns: images that graphs may name for runs and container nodes.",
    )
    kubernetes_allowed_service_accounts: list[str] = Field(
        default_factory=list, description="JSON list of patterns: ServiceAccounts that graphs may name."
    )
    kubernetes_allowed_node_labels: list[str] = Field(
        default_factory=list, description="JSON list of patterns: node labels by which graphs may choose nodes."
    )
    kubernetes_allowed_tolerations: list[str] = Field(
        default_factory=list, description="JSON list of patterns: keys of taints that graphs may tolerate."
    )
    kubernetes_max_cpu: str | None = Field(default=None, description="Most processors one pod of a graph may ask for.")
    kubernetes_max_memory: str | None = Field(default=None, description="Most memory one pod of a graph may ask for.")
    kubernetes_start_deadline: float = Field(
        default=300.0, gt=0, description="Seconds a run pod may take to start, unless its graph says otherwise."
    )
    kubernetes_suspend_over: float = Field(
        default=60.0,
        gt=0,
        description="As `suspend_over`, of runs in a cluster: their next pod takes seconds to start.",
    )
    kubernetes_start_patience: float = Field(
        default=5.0,
        ge=0,
        description="Seconds for trouble that may pass, such as an image that cannot be pulled or no node with room.",
    )
    kubernetes_run_deadline: int = Field(
        default=86_400, gt=0, description="Seconds after which the pod of a graph without `timeout` is ended."
    )
    kubernetes_run_ttl: int = Field(default=300, ge=0, description="Seconds that the Job of an ended run is kept.")
    pod_name: str | None = Field(default=None, description="Name of the pod this process is in; set by its Job.")
    pod_uid: str | None = Field(default=None, description="Uid of that pod; it owns the pods of `container` nodes.")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        # What is none of both would be taken for the name of a host, and nobody be believed.
        for part in [] if value is None else value.split(","):
            ip_network(part.strip())
        return value

    @property
    def has_containers(self) -> bool:
        """Whether `container` nodes can run."""
        return self.launcher == "kubernetes"
