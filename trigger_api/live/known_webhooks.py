"""Webhooks as they were when last read: what calls are checked with, without asking the database each time.

Nothing is decided for good by what is remembered: a refusal is repeated with what the database says now, and a
delivery is stored only if the same statement finds the webhook unchanged.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from graph_compiler.language.spec import GraphSpec
from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.values.canonical import canonical_json
from platform_core.database.engine import Connection, reading
from platform_core.errors import WebhookNotFound
from platform_core.secret_sources.outside import OutsideSecrets
from platform_core.secret_sources.vault import KEPT_SECONDS
from platform_core.triggers.webhook_store import Webhook, WebhookPlace, find_webhook, read_webhook
from platform_core.web.services import Services
from trigger_api.shared.graph_access import SpecCache

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownWebhook:
    """A webhook with its parsed trigger and its decrypted secrets by name."""

    webhook: Webhook
    spec: GraphSpec
    trigger: WebhookTrigger
    secrets: Mapping[str, str]
    until: float = math.inf
    """When it has to be read again, on the monotonic clock: what is kept elsewhere may change unseen."""

    @cached_property
    def is_light(self) -> bool:
        """Whether a call is checked without waiting and without loops."""
        trigger = self.trigger
        templates = canonical_json([trigger.delivery_id, trigger.filter, trigger.params])
        return trigger.rate_limit is None and not any(mark in templates for mark in ("{%", "|", "("))

    def verify_secrets(self) -> list[str]:
        """The secrets that hold for signatures, the present one first."""
        names = [getattr(self.trigger.verify, key, None) for key in ("secret", "previous_secret")]
        return [self.secrets[name] for name in names if name is not None and name in self.secrets]


class KnownWebhooks:
    """Remembers the webhooks that were called last; the one whose last call is longest ago is forgotten first."""

    def __init__(self, services: Services, specs: SpecCache, outside: OutsideSecrets, size: int = 2048) -> None:
        self._services = services
        self._specs = specs
        self._outside = outside
        self._size = size
        self._known: OrderedDict[str, KnownWebhook] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, webhook_id: str) -> KnownWebhook | None:
        """The webhook as it was when last read, if that is remembered."""
        with self._lock:
            known = self._known.get(webhook_id)
            if known is None or time.monotonic() >= known.until:
                return None
            self._known.move_to_end(webhook_id)
            return known

    def read(self, webhook_id: str) -> KnownWebhook:
        """The webhook as it is now. Raises `WebhookNotFound` and `SecretSourceAway`."""
        with reading(self._services.engine) as connection:
            place = find_webhook(connection, webhook_id)
            known = None if place is None else self.describe(connection, place, webhook_id)
        with self._lock:
            self._known.pop(webhook_id, None)
            if known is not None:
                self._known[webhook_id] = known
                if len(self._known) > self._size:
                    self._known.popitem(last=False)
        if known is None:
            raise WebhookNotFound("There is no webhook here.")
        return known

    def describe(self, connection: Connection, place: WebhookPlace, webhook_id: str | None) -> KnownWebhook:
        """The webhook at a place, with its trigger of the present version."""
        spec = self._specs.spec(connection, place.graph_id, place.version)
        trigger = next(trigger for trigger in spec.triggers if trigger.id == place.trigger_id)
        assert isinstance(trigger, WebhookTrigger)
        webhook = read_webhook(connection, place, webhook_id, trigger.secret_names())
        keys = self._services.keys
        secrets = {name: keys.decrypt(ciphertext).decode() for name, ciphertext in webhook.ciphertexts.items()}
        elsewhere = set(webhook.secret_names) - secrets.keys()
        for name in elsewhere:
            found = self._outside.read(place.owner, name)
            if found is not None:
                secrets[name] = found.value
        if missing := elsewhere - secrets.keys():
            _log.warning("secrets of webhook %s are not set: %s", place.trigger_id, ", ".join(sorted(missing)))
        until = time.monotonic() + KEPT_SECONDS if elsewhere else math.inf
        return KnownWebhook(webhook, spec, trigger, secrets, until)
