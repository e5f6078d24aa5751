"""Random secrets of a trial installation in a cluster, made once by a Job in it, so that no file holds them.

A production installation gets its secrets from elsewhere (docs/operations.md).
"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.terminal import say
from platform_core.settings import Settings

NAME = "headrace"
RUN_KEYS = ("HEADRACE_DATABASE_URL", "HEADRACE_SECRET_KEY")
DATABASE_HOST = "headrace-postgres"
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def make(settings: Settings) -> None:
    """Create the Secrets of the services and of runs, each unless it exists. Raises `CommandError` outside a pod."""
    from kubernetes import client, config

    try:
        config.load_incluster_config()
        namespace = _NAMESPACE.read_text().strip()
    except (config.ConfigException, OSError) as error:
        raise CommandError(
            f"This is no pod with a token: {error}.", hint="Run it in a cluster, with a service account."
        ) from error
    api = client.CoreV1Api()
    values = _ensure(api, namespace, NAME, fresh(namespace))
    runs = {key: values[key] for key in RUN_KEYS}
    _ensure(api, settings.kubernetes_namespace, settings.kubernetes_secret, runs)


def fresh(namespace: str) -> dict[str, str]:
    """New random values; the database's host is the Service of the PostgreSQL in `namespace`."""
    password = secrets.token_urlsafe(24)
    host = f"{DATABASE_HOST}.{namespace}.svc"
    return {
        "POSTGRES_PASSWORD": password,
        "HEADRACE_DATABASE_URL": f"postgresql://headrace:{quote(password, safe='')}@{host}:5432/headrace",
        "HEADRACE_SECRET_KEY": secrets.token_hex(32),
        "HEADRACE_ADMIN_PASSWORD": secrets.token_urlsafe(24),
    }


def _ensure(api: Any, namespace: str, name: str, values: dict[str, str]) -> dict[str, str]:
    """The values of the Secret, which is made of `values` if there is none."""
    from kubernetes.client.rest import ApiException

    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
    try:
        api.create_namespaced_secret(namespace, body)
    except ApiException as error:
        if error.status != 409:
            raise
        found = api.read_namespaced_secret(name, namespace).data or {}
        say(f"secret {namespace}/{name} exists")
        return {key: base64.b64decode(value).decode() for key, value in found.items()}
    say(f"secret {namespace}/{name} made")
    return values
