"""What the audit log says: an action, by whom and from where, on what, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from platform_core.facts.credential import Credential


class Action(StrEnum):
    """Everything that the log tells of; docs/how-to/audit.md says of each what `before` and `after` hold."""

    GRAPH_SAVED = "graph.saved"
    GRAPH_DELETED = "graph.deleted"
    NODE_TRIED = "node.tried"
    RUN_LAUNCHED = "run.launched"
    RUN_CANCELED = "run.canceled"
    WAIT_ANSWERED = "wait.answered"
    RUN_RETRIED = "run.retried"
    TRIGGER_ENABLED = "trigger.enabled"
    TRIGGER_DISABLED = "trigger.disabled"
    TRIGGER_FIRED = "trigger.fired"
    TRIGGER_BACKFILLED = "trigger.backfilled"
    WEBHOOK_ROTATED = "webhook.rotated"
    DELIVERY_REPLAYED = "delivery.replayed"
    SECRET_SET = "secret.set"
    SECRET_DELETED = "secret.deleted"
    SECRET_READ = "secret.read"
    SECRETS_RENEWED = "secrets.renewed"
    KEY_CREATED = "key.created"
    KEY_DELETED = "key.deleted"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    LOGIN_ACCEPTED = "login.accepted"
    LOGIN_REFUSED = "login.refused"
    LOGGED_OUT_EVERYWHERE = "login.ended"
    AUDIT_FORGOTTEN = "audit.forgotten"


class ActorKind(StrEnum):
    """What acted: a user, a run, Headrace itself, or somebody who did not prove who they are."""

    USER = "user"
    RUN = "run"
    SYSTEM = "system"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Author:
    """Who acts, by which credential, and where the request came from."""

    kind: ActorKind
    id: str | None = None
    name: str | None = None
    credential: Credential | None = None
    address: str | None = None
    request_id: str | None = None


SYSTEM = Author(ActorKind.SYSTEM, name="headrace")


@dataclass(frozen=True)
class Deed:
    """An action by somebody, of which the store that does it fills in the rest."""

    action: Action
    author: Author


class TargetKind(StrEnum):
    """What was acted upon."""

    GRAPH = "graph"
    RUN = "run"
    TRIGGER = "trigger"
    DELIVERY = "delivery"
    SECRET = "secret"
    KEY = "key"
    USER = "user"
    AUDIT = "audit"


@dataclass(frozen=True)
class Target:
    """What was acted upon, whose it is, and by which name people know it."""

    kind: TargetKind
    id: str | None = None
    name: str | None = None
    owner_id: str | None = None


@dataclass(frozen=True)
class Entry:
    """A row of the log. `place` and `hash` are those in the chain, and missing until the row is sealed."""

    id: int
    at: datetime
    action: Action
    actor_kind: ActorKind
    actor_id: str | None
    actor_name: str | None
    credential: Credential | None
    address: str | None
    request_id: str | None
    target_kind: TargetKind
    target_id: str | None
    target_name: str | None
    owner_id: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    place: int | None
    hash: bytes | None
    owner: str | None = None
    """The owner's name now, if there is such an owner; the chain does not hold it."""
