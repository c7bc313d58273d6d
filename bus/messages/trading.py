"""What a strategy asks for, what comes of it, and what the outside world is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from bus.messages.scalars import Count, Nanos, Number, Price, ShortText, Size, Symbol

Intent: TypeAlias = Literal[
    "enter_long", "enter_short", "exit_long", "exit_short", "exit_all", "target", "adjust", "cancel"
]
OrderType: TypeAlias = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce: TypeAlias = Literal["day", "gtc", "ioc", "fok", "gtd"]


class Level(Struct, array_like=True, frozen=True, gc=False):
    """A stop or target: an absolute price, or a distance from the average entry."""

    kind: Literal["price", "pct", "ticks", "atr"]
    value: Price


class Trail(Struct, array_like=True, frozen=True, gc=False):
    """A trailing stop: its distance from the best price, percent of that, or in price.

    ``activation`` is how far in profit, in the same kind and from the entry, it arms; None at once.
    """

    kind: Literal["price", "pct", "ticks", "atr"]
    value: Price
    activation: Price | None = None


class Reason(Struct, array_like=True, frozen=True, gc=False):
    """Why: a short code for tables, and a sentence."""

    code: Annotated[str, Meta(max_length=64)]
    text: ShortText = ""


class Signal(Struct, array_like=True, frozen=True, kw_only=True):
    """What a strategy returns: what it wants, never who it is (docs/signals.md, schema 1).

    Identity, account, mode and code hash come from the connection. ``timeframe``, ``data_key``,
    ``generated_at``, ``data_as_of``, ``reference_price`` and ``number`` are stamped by the runtime:
    they tie the signal to the event that caused it, and so to its idempotency key.
    """

    schema_version: Literal[1] = 1
    symbol: Symbol
    intent: Intent
    reason: Reason | ShortText = ""
    quantity: Price | None = None
    notional: Price | None = None
    target_quantity: Number | None = None
    target_weight: Number | None = None
    risk_pct: Annotated[float, Meta(gt=0, le=100)] | None = None
    order_type: OrderType = "market"
    limit_price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForce = "day"
    good_till: Nanos | None = None
    stop_loss: Level | None = None
    take_profit: Level | None = None
    trailing_stop: Trail | None = None
    time_stop_s: Price | None = None
    reduce_only: bool = False
    max_slippage_bps: Size | None = None
    oco_group: Annotated[str, Meta(max_length=64)] | None = None
    leg: Annotated[str, Meta(max_length=64)] = ""
    ttl_ms: Annotated[int, Meta(gt=0, le=86_400_000)] | None = None
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    expected_return: Number | None = None
    horizon_s: Price | None = None
    tags: dict[Annotated[str, Meta(max_length=64)], ShortText] = {}
    indicators: dict[Annotated[str, Meta(max_length=64)], float | None] = {}
    correlation_id: Annotated[str, Meta(max_length=64)] | None = None
    parent_signal_id: Annotated[str, Meta(max_length=64)] | None = None
    # stamped by the runtime
    timeframe: Annotated[str, Meta(max_length=8)] = "tick"
    data_key: Count = 0
    data_as_of: Count = 0
    generated_at: Count = 0
    reference_price: Price | None = None
    number: Count = 0


Decision: TypeAlias = Literal["accepted", "modified", "rejected", "duplicate", "expired", "pending"]
"""``pending`` is no last word: a person is to approve the signal, and another verdict follows."""


class SignalAck(Struct, array_like=True, frozen=True):
    """The engine's answer to one signal. ``rule`` names why it was not accepted, else empty.

    After ``pending`` comes a second one with the same ``signal_id``, once somebody has decided, or nobody.
    """

    idempotency_key: str
    decision: Decision
    rule: str = ""
    detail: str = ""
    signal_id: str = ""
    number: int = 0
    decided_at: int = 0


class Fill(Struct, array_like=True, frozen=True):
    """One execution: ``quantity`` is signed, positive for a buy; ``fee`` and price in ``currency``.

    ``order_id`` names the order; ``role`` is ``signal``, or why the engine itself ordered an exit. ``live``
    says that it was at a venue, for real money.
    """

    fill_id: str
    signal_id: str
    deployment_id: str
    account_id: str
    symbol: str
    quantity: float
    price: float
    fee: float
    at: int
    leg: str = ""
    order_id: str = ""
    role: str = "signal"
    currency: str = ""
    live: bool = False


class Position(Struct, array_like=True, frozen=True):
    """Signed holding of one deployment in one symbol, from fills only; average-cost basis.

    ``realised`` is profit closed so far net of fees, ``unrealised`` at the last known price, None
    while no price is known: unknown is never taken for zero. Money is in ``currency``, that of the
    instrument ("": the account's). ``fifo_realised`` is as ``realised``, first lot in, first out; ``trip`` is
    what was realised, net of fees, since the position was last flat. ``account_id`` and ``live`` are those
    of its fills: what was bought on paper is sold on paper.
    """

    deployment_id: str
    symbol: str
    quantity: float = 0.0
    average_price: float = 0.0
    realised: float = 0.0
    unrealised: float | None = None
    fees: float = 0.0
    currency: str = ""
    multiplier: float = 1.0
    fifo_realised: float = 0.0
    trip: float = 0.0
    account_id: str = ""
    live: bool = False


class OrderUpdate(Struct, array_like=True, frozen=True, kw_only=True):
    """A change of one order at the broker; ``filled`` is the signed quantity so far.

    ``working``: it was placed, here or by its route; ``rejected``: that route refused it. ``detail`` says in
    words why it ended with something unfilled.
    """

    order_id: str
    signal_id: str
    symbol: str
    status: Literal["working", "partially_filled", "filled", "cancelled", "rejected", "expired"]
    filled: float = 0.0
    detail: str = ""
    at: int = 0


class AcceptedSignal(Struct, frozen=True, kw_only=True):
    """What the outside world reads on ``signals.out``: a MessagePack map. ``seq`` is the journal's."""

    seq: int
    signal_id: str
    idempotency_key: str
    deployment_id: str
    strategy: str
    version: str
    code_hash: str
    account_id: str
    mode: str
    symbol: str
    intent: Intent
    quantity: float | None
    decided_at: int
    data_as_of: int
    signal: dict[str, Any]
