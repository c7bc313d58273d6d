"""An order and an answer in JSON, as docs/routing.md has them: the same for every kind built in."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from supervisor.routes.route import Answer, Sendable, Status

LARGEST: Final = 64 * 1024
"""Bytes of an answer that are read."""
DETAIL: Final = 500
"""Characters kept of what the other end says in words."""


class Said(Struct, frozen=True, kw_only=True):
    """An answer on the wire; fields that are not known here are passed over."""

    order_id: str
    status: Status
    filled: float = 0.0
    average_price: float | None = None
    fees: float = 0.0
    venue_id: str = ""
    detail: str = ""

    def answer(self) -> Answer:
        """Return it as the courier knows it."""
        return Answer(
            status=self.status,
            filled=self.filled,
            average_price=self.average_price,
            fees=self.fees,
            venue_id=plain(self.venue_id),
            detail=plain(self.detail),
        )


_decode = msgspec.json.Decoder(Said).decode


def body(sendable: Sendable) -> dict[str, Any]:
    """Return an order as it is written; quantities are unsigned, ``side`` says which way."""
    order = sendable.order
    return {
        "order_id": order.order_id,
        "account": order.account_id,
        "deployment": order.deployment_id,
        "signal_id": order.signal_id,
        "symbol": sendable.symbol,
        "side": "buy" if order.quantity > 0 else "sell",
        "quantity": abs(order.quantity),
        "reduce_only": order.reduce_only,
        "type": order.kind,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "time_in_force": order.time_in_force,
        "expires_at": order.expires_at or None,
        "role": order.role,
        "oco_group": order.oco_group or None,
        "reference_price": order.reference_price,
        "max_slippage_bps": order.max_slippage_bps,
    }


def read(text: bytes, order_id: str) -> Answer | None:
    """Read an answer about one order; None for what is no such answer."""
    try:
        said = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said.answer() if said.order_id == order_id else None


def plain(text: str) -> str:
    """Return one bounded line without control characters: it is shown on terminals."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).strip()[:DETAIL]
