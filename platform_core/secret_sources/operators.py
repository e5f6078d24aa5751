"""Secrets of the operator: in the environment of the services, or in files as Kubernetes mounts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import SecretStr

from platform_core.errors import SecretSourceAway
from platform_core.secret_sources.source import Shared, SourceName

LARGEST = 65_536
"""Bytes of a file; the API takes as much."""


class EnvironmentSecrets:
    """`HEADRACE_SECRET_<NAME>`, for the owners that `shared` says."""

    name = SourceName.ENVIRONMENT

    def __init__(self, variables: Mapping[str, SecretStr], shared: Shared) -> None:
        """`variables` are the values by the secrets' names."""
        self._variables = variables
        self._shared = shared

    def read(self, owner: str, name: str) -> str | None:
        """As `SecretSource.read`."""
        value = self._variables.get(name) if self._shared.allows(owner, name) else None
        return None if value is None else value.get_secret_value()

    def names(self, owner: str) -> Iterable[str]:
        """As `SecretSource.names`."""
        return [name for name in self._variables if self._shared.allows(owner, name)]


class FileSecrets:
    """Files of a folder by the secrets' names, for the owners that `shared` says; read again each time."""

    name = SourceName.FILE

    def __init__(self, folder: Path, shared: Shared) -> None:
        self._folder = folder
        self._shared = shared

    def read(self, owner: str, name: str) -> str | None:
        """As `SecretSource.read`; one newline at the end is not part of the secret."""
        return self._content(name) if self._shared.allows(owner, name) else None

    def _content(self, name: str) -> str | None:
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise SecretSourceAway(f"The file of the secret {name} has more than {LARGEST} bytes.")
            return content.decode().removesuffix("\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SecretSourceAway(f"The file of the secret {name} cannot be read: {type(error).__name__}.") from None

    def names(self, owner: str) -> Iterable[str]:
        """As `SecretSource.names`."""
        return [name for name in self._shared.names(owner) if (self._folder / name).is_file()]
