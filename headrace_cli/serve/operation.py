"""Health and metrics of the services that serve no HTTP of their own, on HEADRACE_METRICS_PORT if it is set."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from definitions.execution.context import process_context
from definitions.shared import addresses
from platform_core.database.engine import Engine, build_engine, ping
from platform_core.errors import Unavailable
from platform_core.operation.health_server import Check, HealthServer
from platform_core.settings import Settings

_CONNECT_SECONDS = 2.0


@contextmanager
def daemon(settings: Settings) -> Iterator[None]:
    """Ready with the database; a daemon that waits for another to end its lead is ready, too."""
    if settings.metrics_port is None:
        yield
        return
    measures = process_context().measures
    with _engine(settings) as engine:
        measures.observe(engine)
        with _served(settings, measures.registry, {"database": lambda: ping(engine)}):
            yield


@contextmanager
def code_server(settings: Settings) -> Iterator[None]:
    """Ready with the database and the gRPC port."""
    if settings.metrics_port is None:
        yield
        return
    with _engine(settings) as engine:
        ready: dict[str, Check] = {"database": lambda: ping(engine), "grpc": lambda: _connect(settings)}
        with _served(settings, CollectorRegistry(), ready):
            yield


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    assert settings.database_url is not None
    engine = build_engine(settings.database_url, pool_size=1, max_overflow=2)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _served(settings: Settings, registry: CollectorRegistry, ready: dict[str, Check]) -> Iterator[None]:
    assert settings.metrics_port is not None
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    server = HealthServer(settings.host, settings.metrics_port, registry, ready=ready)
    try:
        yield
    finally:
        server.close()


def _connect(settings: Settings) -> None:
    address = addresses.code_server(settings)
    try:
        if address.socket is not None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_CONNECT_SECONDS)
                connection.connect(address.socket)
        else:
            # It listens on every address of its pod; the name is that of a Service, which may lead to another.
            socket.create_connection(("127.0.0.1", address.port or 0), _CONNECT_SECONDS).close()
    except OSError as error:
        raise Unavailable("The code server takes no connections.") from error
