"""The one reader of the environment: built by an entry point and passed down, never read at import."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_home() -> Path:
    return Path.home() / ".headrace"


def _default_concurrency() -> int:
    return max(8, 4 * (os.cpu_count() or 1))


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
    ui_host: str = Field(default="127.0.0.1", description="Address Dagster's UI listens on; it has no login.")
    ui_port: int = Field(default=3000, ge=0, le=65535, description="Port of Dagster's UI; 0 takes a free one.")
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
    ui_url: str | None = Field(default=None, description="Address of Dagster's UI, for links and reloads.")
    secret_key: SecretStr | None = Field(
        default=None,
        description="Master keys (comma separated, the first one active); without it HOME/secret.key is used.",
    )
    token_ttl: int = Field(default=8 * 3600, gt=0, description="Seconds a bearer token lives.")
    max_document_bytes: int = Field(default=1024 * 1024, gt=0, description="Largest graph document, in bytes.")
    max_body_bytes: int = Field(default=8 * 1024 * 1024, gt=0, description="Largest request body, in bytes.")
    max_concurrent_runs: int = Field(
        default_factory=_default_concurrency, gt=0, description="Runs executed at once by this installation."
    )
    runs_per_worker: int = Field(default=50, gt=0, description="Runs one warm worker executes before it is replaced.")
    idle_workers: int = Field(default=2, ge=0, description="Warm workers kept ready for the next run.")
    max_wait: float = Field(default=60.0, gt=0, description="Longest `?wait=` in seconds.")
    heartbeat: float = Field(default=15.0, gt=0, description="Seconds between comments on an idle event stream.")
    streams_per_user: int = Field(
        default=250, gt=0, description="Runs one user may follow at once in one process of the stream API."
    )
    right_check: float = Field(
        default=5.0, gt=0, description="Seconds between checks that those who follow streams still may."
    )
    http_allow_private: bool = Field(
        default=False, description="Let http.request reach private, loopback and link-local addresses."
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
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_json: bool = Field(default=False, description="Write log lines as JSON.")
