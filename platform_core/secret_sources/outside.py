"""All places outside of the database, asked in one order after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from platform_core.errors import BadConfiguration
from platform_core.secret_sources.operators import EnvironmentSecrets, FileSecrets
from platform_core.secret_sources.source import FoundSecret, SecretSource, Shared, SourceName, is_secret_name
from platform_core.secret_sources.vault import FixedToken, KubernetesLogin, VaultPlace, VaultSecrets
from platform_core.settings import Settings, secret_variables


class OutsideSecrets:
    """The sources; the first that has a secret of a name gives it."""

    def __init__(self, sources: Sequence[SecretSource]) -> None:
        self._sources = sources

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those that the settings name."""
        shared = Shared(settings.shared_secrets)
        sources: list[SecretSource] = [
            EnvironmentSecrets(secret_variables(), shared),
            FileSecrets(settings.secrets_folder, shared),
        ]
        if settings.vault_url is not None:
            place = VaultPlace(settings.vault_url, settings.vault_mount, settings.vault_path, settings.vault_ca_file)
            sources.append(VaultSecrets(place, _login(settings)))
        return cls(sources)

    def read(self, owner: str, name: str) -> FoundSecret | None:
        """The secret of that name for the owner of that name. Raises `SecretSourceAway`."""
        if not is_secret_name(name):
            return None
        for source in self._sources:
            value = source.read(owner, name)
            if value:
                return FoundSecret(value, source.name)
        return None

    def names(self, owner: str) -> dict[str, SourceName]:
        """All names for the owner, each with the source that gives it. Raises `SecretSourceAway`."""
        return {name: source.name for source in reversed(self._sources) for name in source.names(owner)}


def _login(settings: Settings) -> FixedToken | KubernetesLogin:
    if settings.vault_token is not None:
        return FixedToken(settings.vault_token.get_secret_value())
    if settings.vault_role is None:
        raise BadConfiguration("HEADRACE_VAULT_URL needs HEADRACE_VAULT_TOKEN or HEADRACE_VAULT_ROLE.")
    return KubernetesLogin(settings.vault_role, settings.vault_auth_mount)
