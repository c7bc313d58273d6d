"""One live order in its courier's hands, and what the engine is to know of it."""

from __future__ import annotations

import asyncio
import contextlib
from math import copysign
from typing import Literal

from strategies.trading.orders import Order
from supervisor.routes.order import Live, Stage
from supervisor.routes.route import Answer, Status
from supervisor.trading_control import OrderReport


class Post:
    """One live order in hand. ``deadline``: until when an entry may still be sent, in the loop's time."""

    def __init__(self, order: Order, symbol: str, live: Live, deadline: float) -> None:
        self.order = order
        self.symbol = symbol
        self.live = live
        self.deadline = deadline
        self.told: OrderReport | None = None
        self.task: asyncio.Task[None] | None = None
        self.wake = asyncio.Event()

    @property
    def exits(self) -> bool:
        """Whether it can only reduce what is held."""
        return self.order.reduce_only

    @property
    def party(self) -> tuple[str, str]:
        """Whose orders it keeps its place among."""
        return self.order.deployment_id, self.order.symbol

    async def woken(self, within: float) -> bool:
        """Wait until something happens to it, at most ``within`` seconds; whether something did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.wake.wait()
        happened = self.wake.is_set()
        self.wake.clear()
        return happened


def report(order: Order, live: Live) -> OrderReport | None:
    """Return what the engine is to know of an order, None as long as there is nothing to say. Pure."""
    answer = live.answer
    status: Literal[Status, "unknown"]
    if answer is not None and live.stage is not Stage.UNKNOWN and not live.lost:
        status, detail = answer.status, answer.detail or live.why
    elif live.lost or live.stage is Stage.UNKNOWN or live.doubted:
        status, detail = "unknown", live.why
    else:
        return None
    known = answer or Answer(status="sent")
    return OrderReport(
        order_id=order.order_id,
        deployment_id=order.deployment_id,
        symbol=order.symbol,
        status=status,
        filled=copysign(known.filled, order.quantity) if known.filled else 0.0,
        average_price=known.average_price,
        fees=known.fees,
        venue_id=known.venue_id,
        detail=detail,
    )
