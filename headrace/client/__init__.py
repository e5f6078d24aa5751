"""Following runs from Python: every event once and in order, through lost connections and restarts of the server."""

from headrace.client.aio import AsyncClient
from headrace.client.blocking import Client
from headrace.client.errors import ClientError, Refused, Silence, StreamBroken, Unreachable
from headrace.client.progress import Wanted

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Refused",
    "Silence",
    "StreamBroken",
    "Unreachable",
    "Wanted",
]
