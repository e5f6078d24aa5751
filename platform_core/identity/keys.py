"""The installation's master keys: they encrypt secrets and sign tokens; the first is active, the rest accepted."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from platform_core.errors import BadConfiguration
from platform_core.settings import Settings

_SHORTEST = 32


class KeyRing:
    """Purpose-bound keys derived from the master keys. Nothing prints it."""

    def __init__(self, masters: Sequence[str]) -> None:
        """Raises `BadConfiguration` when there is no key, or one shorter than 32 characters."""
        if not masters or any(len(master) < _SHORTEST for master in masters):
            raise BadConfiguration(
                f"A master key has at least {_SHORTEST} characters; `openssl rand -hex 32` makes one."
            )
        fernets = [Fernet(base64.urlsafe_b64encode(_derive(master, b"secrets"))) for master in masters]
        self._active, self._fernet = fernets[0], MultiFernet(fernets)
        self._signing = [_derive(master, b"tokens") for master in masters]

    @classmethod
    def load_or_create(cls, settings: Settings) -> KeyRing:
        """The ring of `HEADRACE_SECRET_KEY`, else of HOME/secret.key, which is created (mode 0600) when missing.

        Raises `BadConfiguration` when the file can be read by others or a key is too short.
        """
        if settings.secret_key is not None:
            return cls([key.strip() for key in settings.secret_key.get_secret_value().split(",") if key.strip()])
        path = settings.home / "secret.key"
        with contextlib.suppress(FileExistsError):
            _create(path)
        if path.stat().st_mode & 0o077:
            raise BadConfiguration(f"{path} can be read by others; run `chmod 600 {path}`.")
        return cls(path.read_text().split())

    def encrypt(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def decrypt(self, cipher: bytes) -> bytes:
        """Raises `BadConfiguration` when no key of the ring made the ciphertext."""
        try:
            return self._fernet.decrypt(cipher)
        except InvalidToken:
            raise BadConfiguration("A stored secret was encrypted with a master key that is not configured.") from None

    def renewed(self, cipher: bytes) -> bytes | None:
        """The same encrypted with the active key; None if it is. Raises `BadConfiguration` as `decrypt` does."""
        try:
            self._active.decrypt(cipher)
        except InvalidToken:
            return self.encrypt(self.decrypt(cipher))
        return None

    def signing_key(self) -> bytes:
        """The active key for passes between our own processes (HS256)."""
        return self._signing[0]

    def verification_keys(self) -> Sequence[bytes]:
        """All keys a valid pass may be signed with, the active one first."""
        return self._signing


def _derive(master: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"headrace " + purpose).derive(master.encode())


def _create(path: Path) -> None:
    """Put a new key in place at once and whole, so that processes that start together agree on one."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix="secret.key.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        os.link(draft, path)
    finally:
        Path(draft).unlink()
