"""TLS of a server: a certificate and its key from files, read again when they change, while connections go on."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from platform_core.errors import BadConfiguration
from platform_core.settings import Settings

LOOK_SECONDS = 2.0
"""How often the files are looked at."""

_log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int]


class ServerTls:
    """`context` serves the newest certificate that could be used; connections keep the one that they began with."""

    def __init__(self, cert: Path, key: Path) -> None:
        """`cert` has the certificate and what it was signed by, in PEM. Raises `BadConfiguration` if they do not do."""
        self._files = cert, key
        self._stamps = self._present()
        self.context = self._load(_new_context())

    def refresh(self) -> bool:
        """Serve what the files have now, if that is something else; whether it was.

        Files that cannot be used, as in the midst of their change, are reported and looked at again.
        """
        try:
            stamps = self._present()
            if stamps == self._stamps:
                return False
            # Tried first elsewhere: a pair that does not fit would leave the context without a key.
            self._load(_new_context())
            self._load(self.context)
        except BadConfiguration as error:
            _log.warning("The certificate stays the one before: %s", error.detail)
            return False
        self._stamps = stamps
        _log.info("The certificate of %s is served.", self._files[0])
        return True

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        cert, key = self._files
        try:
            # Without the function it would ask on the terminal for the password of an encrypted key.
            context.load_cert_chain(cert, key, password=_refuse)
        except (OSError, ValueError) as error:
            raise BadConfiguration(f"The certificate {cert} with the key {key} cannot be used: {error}.") from None
        return context

    def _present(self) -> tuple[_Stamp, ...]:
        return tuple(_stamp(path) for path in self._files)


def tls_of(settings: Settings) -> ServerTls | None:
    """What the settings say. Raises `BadConfiguration` for files that do not do, or one without the other."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise BadConfiguration("TLS needs a certificate and its key: HEADRACE_TLS_CERT and HEADRACE_TLS_KEY.")
    return ServerTls(settings.tls_cert, settings.tls_key)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _refuse() -> str:
    raise ValueError("the key has a password")


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read: {error.strerror}.") from None
    return found.st_mtime_ns, found.st_size, found.st_ino
