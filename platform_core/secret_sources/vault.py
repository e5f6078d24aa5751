"""Secrets in Vault or OpenBao: the KV store, version 2, by its HTTP API.

https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../auth/kubernetes
"""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_core.errors import SecretSourceAway
from platform_core.secret_sources.source import SourceName, is_secret_name

if TYPE_CHECKING:
    import httpx

KEPT_SECONDS = 30.0
"""How long a secret that was read is used again without asking."""
AWAY_SECONDS = 5.0
"""How long nobody waits for it again after it gave no answer."""
_MOST_KEPT = 1_000
_TIMEOUT = 5.0
_POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True)
class VaultPlace:
    """Where an owner's secrets are: `{mount}/{path}/{owner}/{name}`, in the field `value`."""

    url: str
    mount: str
    path: str
    ca_file: Path | None = None


class FixedToken:
    """A token that was given."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, _: httpx.Client, *, renewed: bool) -> str:
        """The token; Vault refusing it cannot be mended here."""
        return self._token


class KubernetesLogin:
    """A token that Vault gives for the pod's service account."""

    def __init__(self, role: str, mount: str, pod_token: Path = _POD_TOKEN) -> None:
        self._role = role
        self._mount = mount
        self._pod_token = pod_token
        self._token: str | None = None

    def token(self, client: httpx.Client, *, renewed: bool) -> str:
        """The token, another one if `renewed`. Raises `SecretSourceAway`."""
        if self._token is None or renewed:
            try:
                proof = self._pod_token.read_text("ascii").strip()
            except (OSError, UnicodeDecodeError):
                raise SecretSourceAway(f"There is no token of a service account at {self._pod_token}.") from None
            body = {"role": self._role, "jwt": proof}
            answer = client.post(f"/v1/auth/{self._mount}/login", json=body)
            if answer.status_code != 200:
                raise SecretSourceAway(f"Vault refuses the login as {self._role} ({answer.status_code}).")
            self._token = str(answer.json()["auth"]["client_token"])
        return self._token


class VaultSecrets:
    """Reads each secret at most every `KEPT_SECONDS`; safe from any thread."""

    name = SourceName.VAULT

    def __init__(
        self, place: VaultPlace, login: FixedToken | KubernetesLogin, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._place = place
        self._login = login
        self._clock = clock
        self._lock = threading.Lock()
        self._away: tuple[float, str] | None = None
        self._kept: dict[tuple[str, str], tuple[float, str | None]] = {}

    def read(self, owner: str, name: str) -> str | None:
        """As `SecretSource.read`."""
        with self._lock:
            until, value = self._kept.get((owner, name), (-math.inf, None))
            if self._clock() < until:
                return value
            value = self._asked(owner, name)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[(owner, name)] = self._clock() + KEPT_SECONDS, value
            return value

    def _asked(self, owner: str, name: str) -> str | None:
        found = self._get(f"data/{self._place.path}/{owner}/{name}")
        if found is None:
            return None
        value = (found.get("data") or {}).get("value")
        if not isinstance(value, str):
            raise SecretSourceAway(f"Vault's secret {name} has no text in the field `value`.")
        return value

    def names(self, owner: str) -> Iterable[str]:
        """As `SecretSource.names`."""
        with self._lock:
            found = self._get(f"metadata/{self._place.path}/{owner}", list="true")
        return [] if found is None else [name for name in found["keys"] if is_secret_name(name)]

    def _get(self, path: str, **query: str) -> dict[str, Any] | None:
        import httpx

        if self._away is not None and self._clock() < self._away[0]:
            raise SecretSourceAway(self._away[1])
        try:
            with httpx.Client(
                base_url=self._place.url, timeout=_TIMEOUT, verify=self._context, trust_env=False
            ) as client:
                return self._answered(client, path, query)
        except httpx.HTTPError as error:
            self._away = self._clock() + AWAY_SECONDS, f"Vault cannot be asked: {type(error).__name__}."
            raise SecretSourceAway(self._away[1]) from None
        except (ValueError, KeyError, TypeError):
            raise SecretSourceAway("Vault's answer is not what its API describes.") from None

    def _answered(self, client: httpx.Client, path: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        for renewed in (False, True):
            headers = {"X-Vault-Token": self._login.token(client, renewed=renewed), "X-Vault-Request": "true"}
            answer = client.get(f"/v1/{self._place.mount}/{path}", params=query, headers=headers)
            if answer.status_code != 403:
                break
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise SecretSourceAway(f"Vault answers {answer.status_code}.")
        data: dict[str, Any] = answer.json()["data"]
        return data

    @cached_property
    def _context(self) -> ssl.SSLContext:
        ca_file = self._place.ca_file
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
