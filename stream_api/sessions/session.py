"""One WebSocket: its client's messages, its subscriptions, and the one way it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from platform_core.database.engine import Connection, transaction
from platform_core.errors import BadMessage, Forbidden, HeadraceError
from platform_core.identity.auth import Principal
from platform_core.runs.run_store import request_cancel
from platform_core.web.services import Services
from stream_api.following.ending import BROKEN, REQUESTED, STOPPING, Ending
from stream_api.following.filters import EventFilter, parse_filter
from stream_api.following.follower import Follower
from stream_api.serving.access import SCOPE, find_graph, find_start, may_read, visible_run
from stream_api.serving.credentials import Credentials, identify
from stream_api.serving.rights import Demand, Right
from stream_api.serving.streams import Streams
from stream_api.sessions import closing, messages
from stream_api.sessions.closing import Closed, closed_by
from stream_api.sessions.group_subscription import GroupSubscription
from stream_api.sessions.messages import (
    Ack,
    Authenticate,
    Cancel,
    ClientMessage,
    Ping,
    ServerMessage,
    Subscribe,
    Unsubscribe,
)
from stream_api.sessions.run_group import RunGroup
from stream_api.sessions.subscription import Follow, Outlet, RunSubscription, Subscription
from stream_api.sessions.subscriptions import Kept, Subscriptions

AUTHENTICATION_SECONDS = 10.0
FAREWELL_SECONDS = 2.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Session:
    """Serves one accepted socket. `only_run` limits it to one run, whose events it sends as they are."""

    def __init__(self, websocket: WebSocket, services: Services, streams: Streams, only_run: str | None) -> None:
        self._websocket = websocket
        self._services = services
        self._streams = streams
        self._only_run = only_run
        self._identity: tuple[Principal, Credentials] | None = None
        self._subscriptions = Subscriptions()
        self._rights: set[Right] = set()
        self._lost: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._tasks = asyncio.TaskGroup()

    async def serve(
        self, bearer: str | None, ticket: str | None, opening: Subscribe | None, session_id: str | None = None
    ) -> None:
        """Until the client leaves, the server stops, the right is lost, or the run of `opening` has ended."""
        closed = Closed(closing.BROKEN, "internal_error", "Something broke here.")
        with self._streams.connected():
            try:
                async with self._tasks:
                    self._tasks.create_task(self._end_with_server())
                    self._tasks.create_task(self._end_with_right())
                    self._tasks.create_task(self._converse(bearer, ticket, opening, session_id))
            except* Closed as group:
                closed = _first(group)
            except* WebSocketDisconnect:
                closed = Closed(None, "left")
            finally:
                await self._say_goodbye(closed)

    async def _converse(
        self, bearer: str | None, ticket: str | None, opening: Subscribe | None, session_id: str | None
    ) -> None:
        try:
            await self._authenticate(bearer, ticket, session_id)
            await self._say(messages.Ready(user=self._principal.name))
            with self._held(may_read, self._lose):
                if opening is not None:
                    await self._subscribe(opening, None)
                while True:
                    await self._answer(await self._receive())
        except HeadraceError as error:
            raise closed_by(error) from error

    @property
    def _principal(self) -> Principal:
        assert self._identity is not None
        return self._identity[0]

    async def _authenticate(self, bearer: str | None, ticket: str | None, session_id: str | None) -> None:
        if bearer is None and ticket is None and session_id is None:
            try:
                async with asyncio.timeout(AUTHENTICATION_SECONDS):
                    first = messages.parse(await self._receive())
            except TimeoutError:
                raise Closed(closing.NO_AUTHENTICATION, "unauthorized", "No `authenticate` came in time.") from None
            if not isinstance(first, Authenticate):
                raise BadMessage("The first message is `authenticate`, unless the request carries credentials.")
            bearer = first.token
        await self._identify(bearer, ticket, session_id)

    async def _identify(self, bearer: str | None, ticket: str | None, session_id: str | None = None) -> None:
        keys, only_run = self._services.signing_keys, self._only_run
        identity = await self._read(
            lambda connection: identify(
                connection, keys, bearer=bearer, ticket=ticket, run_id=only_run, session_id=session_id
            )
        )
        principal, credentials = identity
        principal.demand(SCOPE)
        if self._identity is not None and principal.user_id != self._principal.user_id:
            raise BadMessage("A socket belongs to one user; open another for somebody else.")
        self._identity = identity
        for right in self._rights:
            right.principal, right.credentials = principal, credentials

    async def _receive(self) -> str:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise Closed(None, "left")
        text = message.get("text")
        if text is None:
            raise BadMessage("Messages are text, not bytes.")
        assert isinstance(text, str)
        return text

    async def _answer(self, text: str) -> None:
        """A text that is no message at all closes the socket; a message that is refused is answered by `error`."""
        label = messages.label_of(text)
        try:
            await self._obey(messages.parse(text))
        except HeadraceError as error:
            await self._say(messages.Refusal(id=label, code=error.code, detail=error.detail))

    async def _obey(self, message: ClientMessage) -> None:
        match message:
            case Subscribe():
                if self._only_run is not None:
                    raise BadMessage("This socket follows one run; /api/v1/ws takes subscriptions.")
                await self._subscribe(message, message.id)
            case Unsubscribe():
                leaving = self._subscriptions.find(message.id)
                if leaving is not None and not leaving.is_leaving:
                    leaving.is_leaving = True
                    leaving.task.cancel()
            case Ack():
                taking = self._subscriptions.find(message.id)
                if taking is not None:
                    taking.subscription.outlet.ack(message.count)
            case Ping():
                await self._say(messages.Pong(data=message.data))
            case Cancel():
                await self._read(lambda connection: self._cancel(connection, message.run))
                await self._say(messages.Canceling(run=message.run))
            case Authenticate():
                await self._identify(message.token, None)
                await self._say(messages.Ready(user=self._principal.name))

    def _cancel(self, connection: Connection, run_id: str) -> None:
        self._principal.demand("runs:write")
        visible_run(connection, self._principal, run_id)
        request_cancel(connection, run_id)

    async def _subscribe(self, message: Subscribe, label: str | None) -> None:
        self._subscriptions.demand_free(label)
        filters = message.filters
        wanted = parse_filter(filters.types, filters.nodes, filters.level)
        outlet = Outlet(label, message.window, self._websocket.send_text, self._streams.measures.websocket)
        with ExitStack() as taken:
            taken.enter_context(self._streams.rights.room(self._principal))
            if message.run is not None:
                subscription: Subscription = await self._to_run(outlet, message.run, message.cursor, wanted)
            else:
                subscription = await self._to_group(outlet, message, wanted)
            if label is not None:
                await self._say(messages.Subscribed(id=label))
            room = taken.pop_all()
        task = self._tasks.create_task(self._keep(subscription))
        # Also when the task is canceled before it begins.
        task.add_done_callback(lambda _: room.close())
        self._subscriptions.add(label, Kept(subscription, task, room))
        # A task that is canceled before it begins cannot say that the subscription has ended.
        await asyncio.sleep(0)

    async def _to_run(self, outlet: Outlet, run_id: str, cursor: str | None, wanted: EventFilter) -> RunSubscription:
        assert self._identity is not None
        principal, credentials = self._identity
        after, _, demand = await self._read(
            lambda connection: find_start(connection, principal, credentials, run_id, cursor)
        )
        return RunSubscription(outlet, self._following(demand), run_id, after, wanted)

    async def _to_group(self, outlet: Outlet, message: Subscribe, wanted: EventFilter) -> Subscription:
        assert self._identity is not None
        if self._identity[1].run_id is not None:
            raise Forbidden("These credentials are for one run.")
        principal = self._principal
        if message.graph is None:
            group = RunGroup(owner_id=principal.user_id, cursor=message.cursor)
            demand: Demand = may_read
        else:
            reference = message.graph
            graph_id, demand = await self._read(lambda connection: find_graph(connection, principal, reference))
            group = RunGroup(graph_id=graph_id, cursor=message.cursor)
        return GroupSubscription(
            outlet,
            self._streams.hub,
            group,
            wanted,
            hold=lambda on_lost: self._held(demand, on_lost),
            read=self._read,
            say=self._say,
        )

    def _following(self, demand: Demand) -> Follow:
        @contextmanager
        def follow(run_id: str, after: int, wanted: EventFilter) -> Iterator[Follower]:
            with (
                self._streams.hub.follow(run_id, after, wanted) as follower,
                self._held(demand, follower.end),
            ):
                yield follower

        return follow

    @contextmanager
    def _held(self, demand: Demand, on_lost: Callable[[Ending], None]) -> Iterator[None]:
        assert self._identity is not None
        right = Right(*self._identity, demand, on_lost)
        self._rights.add(right)
        try:
            with self._streams.rights.held(right):
                yield
        finally:
            self._rights.discard(right)

    async def _keep(self, subscription: Subscription) -> None:
        """Run a subscription to its end and report it to the client; what breaks in it breaks no other."""
        label = subscription.outlet.label
        try:
            ending = await subscription.run()
        except asyncio.CancelledError:
            if not self._subscriptions.get(label).is_leaving:
                raise
            ending = REQUESTED
        except Exception:
            if self._websocket.application_state is not WebSocketState.CONNECTED:
                raise Closed(None, "left") from None
            _log.exception("a subscription of a socket failed")
            ending = BROKEN
        if ending is STOPPING:
            return
        self._streams.measures.websocket.ended(ending.reason)
        if label is None:
            raise Closed(closing.code_of(ending.reason), ending.reason, ending.detail)
        self._subscriptions.remove(label)
        cursor = subscription.cursor
        await self._say(messages.Unsubscribed(id=label, reason=ending.reason, detail=ending.detail, cursor=cursor))

    def _lose(self, ending: Ending) -> None:
        if not self._lost.done():
            self._lost.set_result(ending)

    @property
    def _has_lost_its_right(self) -> bool:
        return self._lost.done() and not self._lost.cancelled()

    async def _end_with_right(self) -> None:
        ending = await self._lost
        raise Closed(closing.UNAUTHORIZED, ending.reason, ending.detail)

    async def _end_with_server(self) -> None:
        await self._streams.stopping.wait()
        raise Closed(closing.GOING_AWAY, "stopping", "This server is stopping; come back with your cursors.")

    async def _read(self, ask: Callable[[Connection], T]) -> T:
        def answer() -> T:
            with transaction(self._services.engine) as connection:
                return ask(connection)

        return await run_in_threadpool(answer)

    async def _say(self, message: ServerMessage) -> None:
        await self._websocket.send_text(message.model_dump_json())

    async def _say_goodbye(self, closed: Closed) -> None:
        """Tell why and where to go on, then close; not for long, because a client may have stopped reading."""
        if closed.code is None:
            return
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                if closed.code == closing.GOING_AWAY or (self._subscriptions and self._has_lost_its_right):
                    cursors = self._subscriptions.cursors(self._only_run)
                    await self._say(messages.GoingAway(reason=closed.reason, detail=closed.detail, cursors=cursors))
                elif closed.code != closing.NORMAL:
                    await self._say(messages.Refusal(id=None, code=closed.reason, detail=closed.detail))
                await self._websocket.close(closed.code, closed.reason)


def _first(group: BaseExceptionGroup[Closed]) -> Closed:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
