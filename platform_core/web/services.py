"""What every request of an application may need, built once by the entry point and kept in `app.state`."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.engine import Engine
from starlette.requests import HTTPConnection

from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys
from platform_core.operation.metrics import Metrics
from platform_core.settings import Settings


@dataclass(frozen=True)
class Services:
    """The application's lifetime objects."""

    settings: Settings
    engine: Engine
    keys: KeyRing
    metrics: Metrics = field(default_factory=Metrics)
    signing_keys: SigningKeys = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signing_keys", SigningKeys(self.keys))


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application that answers this request or socket."""
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services
