"""What tests of routes begin with: orders, a courier over a route, and what it has told the engine."""

from __future__ import annotations

import asyncio
import time
from typing import Self

from msgspec.structs import replace

from strategies.trading.orders import Order
from supervisor.routes.courier import Courier
from supervisor.routes.route import Answer, Route, RouteError
from supervisor.routes.spec import RouteSpec
from supervisor.trading_control import OrderReport, RouteOrder
from tests.waiting import until

QUICK = RouteSpec(
    name="gateway",
    kind="http",
    timeout=15.0,  # on a busy host a connection takes long, and is no case of any test
    patience=20.0,
    poll_first=0.005,
    poll_most=0.02,
    wait_first=0.005,
    wait_most=0.02,
    failures=3,
    cool_down=60.0,
)


def order(order_id: str = "o1", *, seq: int = 1, quantity: float = 10.0, **fields: object) -> Order:
    plain = {
        "signal_id": "s1", "deployment_id": "d", "account_id": "A", "symbol": "X", "reduce_only": False,
        "leg": "enter", "data_as_of": 0, "accepted_at": time.time_ns(), "route": "gateway",
    }  # fmt: skip
    return Order(order_id=order_id, seq=seq, quantity=quantity, **(plain | fields))


def leave(order_id: str = "o2", *, seq: int = 2, quantity: float = -10.0, **fields: object) -> Order:
    return order(order_id, seq=seq, quantity=quantity, reduce_only=True, role="stop_loss", **fields)


def news(one: Order, **fields: bool) -> RouteOrder:
    return RouteOrder(one, "X.there", **fields)


class World:
    """A courier at work."""

    def __init__(self, route: Route, **changes: object) -> None:
        self.reports: list[OrderReport] = []
        self.events: list[tuple[str, str]] = []
        self.problem = ""
        self.courier = Courier(
            replace(QUICK, **changes), route, tell=self.reports.append, note=self._note, problem=self._problem
        )

    def _note(self, kind: str, detail: str = "", deployment_id: str = "") -> None:
        self.events.append((kind, detail))

    def _problem(self, sentence: str) -> None:
        self.problem = sentence

    def take(self, one: Order, **fields: bool) -> None:
        self.courier.take(news(one, **fields))

    def statuses(self, order_id: str = "o1") -> list[str]:
        return [report.status for report in self.reports if report.order_id == order_id]

    async def until(self, status: str, order_id: str = "o1") -> OrderReport:
        async def there() -> OrderReport | None:
            found = [one for one in self.reports if (one.order_id, one.status) == (order_id, status)]
            return found[-1] if found else None

        return await until(there, what=f"{order_id} {status}")

    async def __aenter__(self) -> Self:
        await self.courier.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.courier.stop()


class FakeRoute:
    """Answers by what its test puts in: ``sends``, ``queries``, ``cancels`` are answers, errors, or events.

    An empty list answers as a venue does: ``working`` for what was sent, None for what never was.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.sends: list[object] = []
        self.queries: list[object] = []
        self.cancels: list[object] = []
        self.states: dict[str, Answer] = {}
        self.down: RouteError | None = None
        self.told = None
        self.closed = False

    async def start(self, told) -> None:
        self.told = told

    async def send(self, sendable):
        order_id = sendable.order.order_id
        self.calls.append(("send", order_id))
        await self._happen(self.sends)
        return self.states.setdefault(order_id, Answer(status="working"))

    async def query(self, order_id):
        self.calls.append(("query", order_id))
        await self._happen(self.queries)
        return self.states.get(order_id)

    async def cancel(self, order_id):
        self.calls.append(("cancel", order_id))
        await self._happen(self.cancels)
        if order_id not in self.states:
            self.states[order_id] = Answer(status="cancelled")
            return None
        if self.states[order_id].status == "working":
            self.states[order_id] = replace(self.states[order_id], status="cancelled")
        return self.states[order_id]

    async def close(self) -> None:
        self.closed = True

    async def _happen(self, queue: list[object]) -> None:
        if self.down is not None:
            raise self.down
        thing = queue.pop(0) if queue else None
        if isinstance(thing, Exception):
            raise thing
        if isinstance(thing, asyncio.Event):
            await thing.wait()

    def did(self, *what: str) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] in what]
