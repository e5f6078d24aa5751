"""Every error the platform raises on purpose: a class carries its HTTP status and its stable code.

Entry points translate them: the web applications to RFC 9457 problem documents, the command line to an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class HeadraceError(Exception):
    """Base of all deliberate errors. A subclass that forgets its status is a loud 500."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions


class NotFound(HeadraceError):
    """The addressed thing does not exist, or the caller may not know that it does."""

    status = 404
    code = "not_found"
    title = "Not found"


class GraphNotFound(NotFound):
    code = "graph_not_found"


class VersionNotFound(NotFound):
    code = "version_not_found"


class NodeNotFound(NotFound):
    code = "node_not_found"


class RunNotFound(NotFound):
    code = "run_not_found"


class WaitNotFound(NotFound):
    code = "wait_not_found"


class WebhookNotFound(NotFound):
    code = "hook_not_found"


class TriggerNotFound(NotFound):
    code = "trigger_not_found"


class DeliveryNotFound(NotFound):
    code = "delivery_not_found"


class SubscriptionNotFound(NotFound):
    """A socket has no subscription of that label."""

    code = "subscription_not_found"


class UserNotFound(NotFound):
    code = "user_not_found"


class ApiKeyNotFound(NotFound):
    code = "api_key_not_found"


class SecretNotFound(NotFound):
    code = "secret_not_found"


class FileMissing(NotFound):
    """There is no such file among those the caller may read."""

    code = "file_not_found"


class MethodNotAllowed(HeadraceError):
    """The path exists, but not for this method."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class Conflict(HeadraceError):
    """The request contradicts the present state."""

    status = 409
    code = "conflict"
    title = "Conflict"


class GraphExists(Conflict):
    code = "graph_exists"


class IdempotencyKeyReused(Conflict):
    code = "idempotency_key_reused"


class RunNotFinished(Conflict):
    code = "run_not_finished"


class RunSucceeded(Conflict):
    """The run succeeded, so there is no failure to retry from."""

    code = "run_succeeded"


class RunEnded(Conflict):
    """The run has ended, so it cannot be canceled."""

    code = "run_ended"


class WaitAnswered(Conflict):
    """Somebody has answered before."""

    code = "wait_answered"


class WaitExpired(HeadraceError):
    """The time to answer is over."""

    status = 410
    code = "wait_expired"
    title = "Gone"


class SubscriptionExists(Conflict):
    """A socket has a subscription of that label already."""

    code = "subscription_exists"


class UserExists(Conflict):
    code = "user_exists"


class LastAdmin(Conflict):
    """Nobody would be left who may administer."""

    code = "last_admin"


class TriggerDisabled(Conflict):
    code = "trigger_disabled"


class NotAWebhook(Conflict):
    """The trigger has no address."""

    code = "not_a_webhook"


class DeliveryIncomplete(Conflict):
    """Only a part of the delivery's body was kept, so it cannot be replayed."""

    code = "delivery_incomplete"


class NoTimes(Conflict):
    """The trigger has no times: it is not a schedule."""

    code = "no_times"


class PreconditionFailed(HeadraceError):
    """If-Match names another state than the present one."""

    status = 412
    code = "precondition_failed"
    title = "Precondition failed"


class Unauthorized(HeadraceError):
    """No credentials, or credentials that are not valid."""

    status = 401
    code = "unauthorized"
    title = "Unauthorized"


class TokenExpired(Unauthorized):
    code = "token_expired"


class BadCredentials(Unauthorized):
    code = "bad_credentials"


class BadSignature(Unauthorized):
    code = "bad_signature"


class Forbidden(HeadraceError):
    """The principal is known but lacks the scope."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class ForeignPage(Forbidden):
    """A request with a browser's session that no page of ours sent."""

    code = "foreign_page"


class CallerNotAllowed(Forbidden):
    """The call does not come from a network that the webhook allows."""

    code = "caller_not_allowed"


class BadRequest(HeadraceError):
    """The request is malformed outside its document or params."""

    status = 400
    code = "bad_request"
    title = "Bad request"


class BadCursor(BadRequest):
    code = "bad_cursor"


class BadFilter(BadRequest):
    """A filter of a stream names a type or level that does not exist."""

    code = "bad_filter"


class BadMessage(BadRequest):
    """A message of a WebSocket client is not one of the protocol."""

    code = "bad_message"


class MissingDeliveryId(BadRequest):
    code = "missing_delivery_id"


class IncompleteBody(BadRequest):
    """The body ended before its announced length."""

    code = "incomplete_body"


class RangeNotSatisfiable(HeadraceError):
    """The range begins after the end of the file; `size` says how many bytes it has."""

    status = 416
    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class TooLarge(HeadraceError):
    """The body is larger than the limit."""

    status = 413
    code = "too_large"
    title = "Too large"


class UnsupportedMediaType(HeadraceError):
    """The body is of a content type that is not accepted here."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class Invalid(HeadraceError):
    """A document or its params have issues; `issues` names each with its place."""

    status = 422
    code = "invalid"
    title = "Invalid"

    def __init__(self, detail: str, issues: Sequence[dict[str, Any]]) -> None:
        super().__init__(detail, issues=list(issues))
        self.issues = list(issues)


class InvalidRequest(Invalid):
    """A part of the request has the wrong shape: its path, query, headers or body."""

    code = "invalid_request"


class InvalidGraph(Invalid):
    code = "invalid_graph"


class TooManyTimes(Invalid):
    """A period holds more times than a backfill may start."""

    code = "too_many_times"


class InvalidParams(Invalid):
    code = "invalid_params"


class InvalidAnswer(Invalid):
    """What a run is answered does not fit the schema that it gave."""

    code = "invalid_answer"


class TooManyRequests(HeadraceError):
    """The limit of calls, or of failed logins, is reached; `retry_after` says after how many seconds one may pass."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class RunFailed(HeadraceError):
    """The run that was to make the answer did not succeed."""

    status = 502
    code = "run_failed"
    title = "The run failed"


class TooManyStreams(HeadraceError):
    """The principal follows as many runs as one may at once."""

    status = 429
    code = "too_many_streams"
    title = "Too many requests"


class Unavailable(HeadraceError):
    """A dependency is away; nothing was acknowledged and the caller may try again."""

    status = 503
    code = "unavailable"
    title = "Unavailable"


class SecretSourceAway(Unavailable):
    """A place outside of the database that has secrets does not give them; which of them is in the message."""

    code = "secret_unavailable"


class SchemaTooNew(HeadraceError):
    """The database was migrated by a newer Headrace than this one."""

    code = "schema_too_new"
    title = "Database schema is newer than this code"


class SchemaTooOld(HeadraceError):
    """The database lacks migrations of this Headrace."""

    code = "schema_too_old"
    title = "Database schema is older than this code"


class BadConfiguration(HeadraceError):
    """A setting or a file it names cannot be used; the process must not start."""

    code = "bad_configuration"
    title = "Bad configuration"
