"""A strategy's own books: its clock, its positions, its orders without a fill, its round trips.

Positions are the engine's word, carried by ``Welcome`` and ``Filled``; nothing is added up here but the
profit between two times flat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from bus.messages import Fill, OrderUpdate, Position, Signal, SignalAck

if TYPE_CHECKING:
    from strategies.snapshot import HostState

MAX_OPEN: Final = 1_000
"""Signals remembered while they wait for a verdict or a fill; beyond it the oldest are forgotten."""


class Account(Struct, frozen=True, kw_only=True):
    """This deployment's own money: None is unknown, never zero.

    ``realised`` is net of ``fees``. ``equity`` and ``free`` are of the allocation and stay None until the
    engine reports an allocation.
    """

    realised: float
    unrealised: float | None
    fees: float
    equity: float | None = None
    free: float | None = None


class OpenOrder(Struct, frozen=True):
    """A signal that was accepted and of which no fill has come yet."""

    signal_id: str
    number: int
    signal: Signal


class ClosedTrade(Struct, frozen=True, kw_only=True):
    """One round trip, flat to flat: ``quantity`` is the signed holding that the last fill closed.

    ``entry_price`` is its average cost, ``exit_price`` that of the last fill; ``realised`` is the profit
    since the position was opened, net of ``fees``. ``opened_at`` is event time, ns.
    """

    symbol: str
    quantity: float
    entry_price: float
    exit_price: float
    realised: float
    fees: float
    opened_at: int
    closed_at: int


class Books:
    """What the host writes and the context shows."""

    __slots__ = ("now", "open_orders", "opened", "pending", "positions", "unjudged")

    def __init__(self) -> None:
        self.now = 0
        self.positions: dict[str, Position] = {}
        self.open_orders: dict[str, OpenOrder] = {}
        self.pending: dict[str, OpenOrder] = {}
        """Signals that wait for a person's approval, by id."""
        self.opened: dict[str, tuple[int, float, float]] = {}
        """Symbol -> event time, realised and fees when its position was opened."""
        self.unjudged: dict[int, Signal] = {}
        """Signals that were sent and have no verdict yet, by number."""

    def welcome(self, positions: Iterable[Position]) -> None:
        """Take the holdings with which an instance begins, or goes on after the engine was away."""
        for position in positions:
            self.positions[position.symbol] = position
            if not position.quantity:
                self.opened.pop(position.symbol, None)
            else:
                self.opened.setdefault(position.symbol, (self.now, position.realised, position.fees))

    def remember(self, signals: Iterable[Signal]) -> None:
        """Keep what was sent until its verdict comes."""
        for signal in signals:
            self.unjudged[signal.number] = signal
        _trim(self.unjudged)

    def judge(self, ack: SignalAck) -> SignalAck | None:
        """Take a verdict: an accepted signal waits for its fill. None if no signal waits for this one.

        A signal that a restart sent again is answered twice: as it was the first time, from the tape, and
        then as the duplicate that it is. One that waits for approval is answered again by its id alone: the
        number may be another one's by then, in an instance that began anew.
        """
        waited = self.pending.pop(ack.signal_id, None)
        if waited is not None:
            number, signal = waited.number, waited.signal
        elif (found := self.unjudged.pop(ack.number, None)) is not None:
            number, signal = ack.number, found
        else:
            return None
        order = OpenOrder(ack.signal_id, number, signal)
        if ack.decision == "pending":
            self.pending[ack.signal_id] = order
            _trim(self.pending)
        if ack.decision in {"accepted", "modified"} and signal.intent != "cancel":
            self.open_orders[ack.signal_id] = order
            _trim(self.open_orders)
        return replace(ack, number=number)

    def put_back(self, state: HostState) -> None:
        """Go on where a checkpoint was taken."""
        self.now = state.now
        self.positions = {position.symbol: position for position in state.positions}
        self.opened = dict(state.opened)
        self.open_orders = {order.signal_id: order for order in state.open_orders}
        self.pending = {order.signal_id: order for order in state.pending}
        self.unjudged = {signal.number: signal for signal in state.unjudged}

    def change(self, order: OrderUpdate) -> None:
        """Take word of an order: one that has ended is open no more."""
        if order.status not in {"working", "partially_filled"}:
            self.open_orders.pop(order.signal_id, None)

    def fill(self, fill: Fill, position: Position, left: float = 0.0) -> ClosedTrade | None:
        """Take an execution, of an order that has ``left`` to fill.

        Return the round trip that it ended, if it did (through zero as well).
        """
        if not left:
            self.open_orders.pop(fill.signal_id, None)
        symbol, before = fill.symbol, self.positions.get(fill.symbol)
        held = before.quantity if before is not None else 0.0
        self.positions[symbol] = position
        trade = None
        if before is not None and held and held * position.quantity <= 0:
            at, realised, fees = self.opened.pop(symbol, (fill.at, before.realised, before.fees))
            trade = ClosedTrade(
                symbol=symbol,
                quantity=held,
                entry_price=before.average_price,
                exit_price=fill.price,
                realised=position.realised - realised,
                fees=position.fees - fees,
                opened_at=at,
                closed_at=fill.at,
            )
        if position.quantity and symbol not in self.opened:
            # The opening fill's own fee is part of the trip, so the marks are from before it; where one
            # fill closes and opens, its fee went to the trip that it closed.
            marks = position if trade is not None else before
            realised, fees = (marks.realised, marks.fees) if marks is not None else (0.0, 0.0)
            self.opened[symbol] = (fill.at, realised, fees)
        return trade

    def account(self) -> Account:
        """Add up the positions; unrealised is None while one open position has no price."""
        positions = self.positions.values()
        open_ = [p.unrealised for p in positions if p.quantity]
        return Account(
            realised=sum(p.realised for p in positions),
            unrealised=None if None in open_ else sum(u for u in open_ if u is not None),
            fees=sum(p.fees for p in positions),
        )


def _trim(waiting: dict[int, Signal] | dict[str, OpenOrder]) -> None:
    while len(waiting) > MAX_OPEN:
        del waiting[next(iter(waiting))]  # type: ignore[arg-type]  # the key is of this very dict
