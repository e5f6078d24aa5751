"""Webhooks as they were when last read: what calls are checked with, without asking the database each time.

Nothing is decided for good by what is remembered: a refusal is repeated with what the database says now, and a
delivery is stored only if the same statement finds the webhook unchanged.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from graph_compiler.language.spec import GraphSpec
from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.values.canonical import canonical_json
from platform_core.database.engine import Connection, reading
from platform_core.errors import HookNotFound
from platform_core.triggers.hook_store import Hook, HookPlace, find_hook, read_hook
from platform_core.web.services import Services
from trigger_api.shared.graph_access import SpecCache

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownHook:
    """A webhook with its parsed trigger and its decrypted secrets by name."""

    hook: Hook
    spec: GraphSpec
    trigger: WebhookTrigger
    secrets: Mapping[str, str]

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


class KnownHooks:
    """Remembers the webhooks that were called last."""

    def __init__(self, services: Services, specs: SpecCache, size: int = 2048) -> None:
        self._services = services
        self._specs = specs
        self._size = size
        self._known: OrderedDict[str, KnownHook] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, hook_id: str) -> KnownHook | None:
        """The webhook as it was when last read, if that is remembered."""
        with self._lock:
            return self._known.get(hook_id)

    def read(self, hook_id: str) -> KnownHook:
        """The webhook as it is now. Raises `HookNotFound`."""
        with reading(self._services.engine) as connection:
            place = find_hook(connection, hook_id)
            known = None if place is None else self.describe(connection, place, hook_id)
        with self._lock:
            self._known.pop(hook_id, None)
            if known is not None:
                self._known[hook_id] = known
                if len(self._known) > self._size:
                    self._known.popitem(last=False)
        if known is None:
            raise HookNotFound("There is no webhook here.")
        return known

    def describe(self, connection: Connection, place: HookPlace, hook_id: str | None) -> KnownHook:
        """The webhook at a place, with its trigger of the present version."""
        spec = self._specs.spec(connection, place.graph_id, place.version)
        trigger = next(trigger for trigger in spec.triggers if trigger.id == place.trigger_id)
        assert isinstance(trigger, WebhookTrigger)
        hook = read_hook(connection, place, hook_id, trigger.secret_names())
        missing = set(hook.secret_names) - hook.ciphertexts.keys()
        if missing:
            _log.warning("secrets of webhook %s are not set: %s", place.trigger_id, ", ".join(sorted(missing)))
        keys = self._services.keys
        secrets = {name: keys.decrypt(ciphertext).decode() for name, ciphertext in hook.ciphertexts.items()}
        return KnownHook(hook, spec, trigger, secrets)
