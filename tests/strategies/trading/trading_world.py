"""A small world for tests of the core: one clock, two deployments, signals and ticks made short."""

from __future__ import annotations

from typing import Any

from bus.messages import Acked, Position, Signal, SignalAck, Tick
from strategies.trading.core import Core, Grant, Outcome

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND


def grant(deployment_id: str = "d", generation: int = 1, **fields: Any) -> Grant:
    granted: dict[str, Any] = {
        "strategy": "s", "version": "1.0.0", "code_hash": "h", "account_id": "A",
        "symbols": ["X", "Y"], "timeframes": ["1m"],
    }  # fmt: skip
    return Grant(deployment_id=deployment_id, generation=generation, **(granted | fields))


def running_core(*grants: Grant, price: float | None = 100.0, **fields: Any) -> Core:
    """Return a core whose deployments (one named ``d`` unless given) are warm, with prices of X and Y."""
    core = Core(**fields)
    for each in grants or (grant(),):
        core.attach(each)
        core.running(each.deployment_id, each.generation)
    for symbol in ("X", "Y"):
        core.set_price(symbol, price, T0)
    return core


def signal(intent: str = "enter_long", key: int = 1, symbol: str = "X", **fields: Any) -> Signal:
    """Return a signal as the runtime stamps it; an entry is of one unit unless a size is given."""
    defaults: dict[str, Any] = {
        "reason": "why", "timeframe": "1m", "data_key": key, "data_as_of": T0, "generated_at": T0,
        "reference_price": 100.0, "number": key,
    }  # fmt: skip
    if intent.startswith("enter") and not {"notional", "quantity"} & set(fields):
        defaults["quantity"] = 1.0
    return Signal(symbol=symbol, intent=intent, **(defaults | fields))


def holding(
    symbol: str, quantity: float, average: float, *, realised: float = 0.0, **fields: Any
) -> Position:
    """Return a position of deployment ``d`` in account ``A``, of which both costs agree."""
    return Position(
        "d", symbol, quantity, average, realised,
        currency="USD", fifo_realised=realised, account_id="A", **fields,
    )  # fmt: skip


def tick(price: float = 100.0, symbol: str = "X", ts: int = T0 + 1) -> Tick:
    return Tick(symbol, ts, last=price)


def acks(outcome: Outcome) -> list[SignalAck]:
    return [body.ack for _, _, body in outcome.commands if isinstance(body, Acked)]


def verdicts(outcome: Outcome) -> list[str]:
    """Return the rule of each answer, or its decision where no rule is named."""
    return [ack.rule or ack.decision for ack in acks(outcome)]
