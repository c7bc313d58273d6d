"""The ``zmq`` route: a trading gateway behind a 0MQ ROUTER, asked and answered in JSON (docs/routing.md).

A question has a number and its answer repeats it; what a gateway says without one is a report. What could not
be handed to a connection was certainly not taken; after that, silence is doubt.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final, Literal, TypeAlias

import msgspec
import structlog
from msgspec import Struct

from bus.sockets import GatewayLink, NobodyThere
from supervisor.routes import wire
from supervisor.routes.order import believable
from supervisor.routes.route import (
    Answer,
    NotTaken,
    Refused,
    RouteUnusable,
    Sendable,
    Told,
    Unreachable,
)
from supervisor.routes.spec import RouteSpec

A_TURN: Final = 1_000
"""Messages taken before the loop goes on with something else: a gateway may say more than it was asked."""
Verb: TypeAlias = Literal["send", "query", "cancel"]
log = structlog.get_logger()


class Reply(Struct, frozen=True, kw_only=True):
    """What every message of a gateway has, beside the answer of ``wire.Said`` about ``order_id``.

    ``request`` 0 is a report. ``unheard``: there never was such an order, and after a ``cancel`` there never
    will be. ``refused``: why not, ever. ``wait``: not now, seconds until it may be tried again.
    """

    order_id: str
    request: int = 0
    unheard: bool = False
    refused: str | None = None
    wait: float | None = None


_decode = msgspec.json.Decoder(Reply).decode


class ZmqRoute:
    """One gateway."""

    def __init__(self, spec: RouteSpec) -> None:
        self._spec = spec
        self._link: GatewayLink | None = None
        self._told: Told | None = None
        self._number = 0
        self._asked: dict[int, tuple[str, asyncio.Future[Answer | None]]] = {}
        self.unreadable = 0
        """Messages that said nothing that can be."""

    async def start(self, told: Told) -> None:
        """Connect; nothing waits for the gateway."""
        self._told = told
        try:
            self._link = GatewayLink(self._spec.url, self._spec.key, most=wire.LARGEST)
        except OSError:  # its text has the endpoint, which is a secret here
            why = "url or key: 0MQ takes an endpoint like tcp://HOST:PORT and a CURVE key of 40 characters"
            raise RouteUnusable(why) from None
        asyncio.get_running_loop().add_reader(self._link.descriptor, self._read)

    async def send(self, order: Sendable) -> Answer:
        """``do: send``."""
        answer = await self._ask("send", order.order.order_id, order=wire.body(order))
        if answer is None:
            raise Unreachable("the gateway was sent an order and says that it never heard of it")
        return answer

    async def query(self, order_id: str) -> Answer | None:
        """``do: query``."""
        return await self._ask("query", order_id)

    async def cancel(self, order_id: str) -> Answer | None:
        """``do: cancel``."""
        return await self._ask("cancel", order_id)

    async def close(self) -> None:
        """Disconnect."""
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link.descriptor)
            self._link.close()
            self._link = None

    async def _ask(self, do: Verb, order_id: str, **more: Any) -> Answer | None:
        if self._link is None:
            raise NotTaken("the route is not open")
        self._number += 1
        number, answered = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = order_id, answered
        try:
            self._link.send(msgspec.json.encode({"request": number, "do": do, "order_id": order_id, **more}))
            self._read()  # sending may have taken the news of an answer off the descriptor
            answer: Answer | None = await answered
        except NobodyThere:
            raise NotTaken("no gateway is connected") from None
        finally:
            del self._asked[number]
        return answer

    # ---- what the gateway says ----------------------------------------------------------------------
    def _read(self) -> None:
        """Take what has come, so much of it; what is left has its turn behind everybody else's."""
        taken = 0
        for message in itertools.islice(self._link.messages(), A_TURN) if self._link is not None else ():
            self._take(message)
            taken += 1
        if taken == A_TURN:  # the descriptor says nothing of it again (zmq_getsockopt(3), ZMQ_FD)
            asyncio.get_running_loop().call_soon(self._read)

    def _take(self, message: bytes) -> None:
        try:
            reply = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._unread("no JSON of a gateway's form")
            return
        if reply.request == 0:
            self._report(message, reply.order_id)
            return
        order_id, answered = self._asked.get(reply.request, ("", None))
        if answered is None or answered.done() or order_id != reply.order_id:
            return  # too late, or not what was asked: whoever asked asks again
        if reply.refused is not None:
            answered.set_exception(Refused(wire.plain(reply.refused) or "no reason given"))
        elif reply.wait is not None:
            answered.set_exception(
                NotTaken("the gateway asks for patience", retry_after=max(reply.wait, 0.0), busy=True)
            )
        elif reply.unheard:
            answered.set_result(None)
        elif (answer := wire.read(message, order_id)) is not None:
            answered.set_result(answer)
        else:
            answered.set_exception(Unreachable("the gateway's answer cannot be read"))

    def _report(self, message: bytes, order_id: str) -> None:
        answer = wire.read(message, order_id)
        if answer is None or not believable(answer):
            self._unread("a report that cannot be")
        elif self._told is not None:
            self._told(order_id, answer)

    def _unread(self, what: str) -> None:
        self.unreadable += 1
        log.warning("report unreadable", route=self._spec.name, what=what, unreadable=self.unreadable)


def open_route(spec: RouteSpec) -> ZmqRoute:
    """Return the route. Raises ``RouteUnusable``."""
    if spec.url.partition("://")[0] not in {"tcp", "ipc"} or not spec.url.partition("://")[2]:
        raise RouteUnusable("url: must be an endpoint that begins with tcp:// or ipc://")
    return ZmqRoute(spec)
