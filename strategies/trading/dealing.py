"""What becomes of orders: placed, filled, changed, ended.

Everything that trades comes through here, on paper and live: a ``Match`` says what an event, or a route, did
to an order; books, guards and the cell follow from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from bus.messages import Fill, Filled, OrderChanged, OrderUpdate, Position
from strategies.trading import protection
from strategies.trading.accounts import Settled
from strategies.trading.execution import WHY, Match
from strategies.trading.orders import Order, closing, combine
from strategies.trading.positions import marked
from strategies.trading.recent import likeness
from strategies.trading.records import (
    Amended,
    Closed,
    Executed,
    Guarded,
    Judged,
    Parted,
    Placed,
    Unguarded,
)
from strategies.trading.turn import Sending, Turn
from strategies.trading.view import Verdict
from strategies.trading.world import World


class Dealing:
    """Deals in one turn."""

    __slots__ = ("_turn", "_world")

    def __init__(self, turn: Turn, world: World) -> None:
        self._turn = turn
        self._world = world

    # ---- orders of strategies ---------------------------------------------------------------------
    def place(self, judged: Judged, verdict: Verdict, quantity: float) -> Order:
        """Let the order of an accepted signal wait, or send it by its route."""
        world, turn, signal = self._world, self._turn, judged.signal
        account, live = self._holder(judged, verdict)
        held = world.state.books.held(judged.deployment_id, signal.symbol)
        buying, selling, _ = world.state.broker.pending(judged.deployment_id, signal.symbol)
        pending = buying if quantity > 0 else selling
        seq, order_id = turn.next_id()
        order = Order(
            order_id=order_id,
            signal_id=judged.signal_id,
            deployment_id=judged.deployment_id,
            account_id=account,
            symbol=signal.symbol,
            quantity=quantity,
            reduce_only=verdict.reduce_only,
            leg=signal.leg,
            data_as_of=signal.data_as_of,
            accepted_at=turn.now,
            seq=seq,
            after=world.prices.number(signal.symbol),
            kind=verdict.kind,
            limit_price=verdict.limit_price,
            stop_price=verdict.stop_price,
            time_in_force=verdict.time_in_force,
            expires_at=verdict.expires_at,
            oco_group=verdict.oco_group,
            route=world.route(account, live=live),
            protect=verdict.protect,
            max_slippage_bps=verdict.max_slippage_bps,
            reference_price=signal.reference_price,
            like=0 if verdict.reduce_only else likeness(signal),
            day=world.day(account, turn.now),
            closes=0.0 if verdict.reduce_only else closing(quantity, held, pending),
        )
        self.put(order)
        return order

    def cancel(self, order: Order, why: str) -> None:
        """Take an order back: a live one only once its route says that it is."""
        if order.route:
            if not order.cancelling:  # written down, for an engine that dies before its route has heard
                order = replace(order, cancelling=True)
                self._turn.write(Amended, order=order)
            self._turn.out.sends.append(Sending(order, cancel=True))
        else:
            self.end(order, "cancelled", why)

    # ---- what an event or a route did -------------------------------------------------------------
    def carry_out(self, match: Match) -> bool:
        """Enter what happened to one order; False where the books refuse its fill: then it has ended."""
        order = match.order
        if match.quantity and not self._fill(match):
            return False
        if not (match.quantity or match.done):
            self._turn.write(Amended, order=order)
        if match.done in {"cancelled", "expired"}:
            self.end(order, match.why or match.done, WHY.get(match.why, ""), status=match.done)
        return True

    def end(self, order: Order, reason: str, detail: str, status: str = "cancelled") -> None:
        """End an order that will not fill any further, and say so."""
        turn = self._turn
        turn.write(
            Closed,
            deployment_id=order.deployment_id,
            symbol=order.symbol,
            order_id=order.order_id,
            order_seq=order.seq,
            reason=reason,
            detail=detail,
            signal_id=order.signal_id,
            filled=order.filled,
            account_id=order.account_id,
        )
        self._update(order, status, detail or reason)
        self._had_so_far(order)

    def _had_so_far(self, order: Order) -> None:
        """Write down that the guard of a position has had each tick that came while ``order`` was closing it.

        It let them pass, since its exit was on the way; seen again after a crash, they would find none.
        """
        guard = self._world.state.guards.of(order.deployment_id, order.symbol)
        number = self._world.prices.number(order.symbol)
        if guard is not None and order.quantity * guard.side < 0 and guard.after < number:
            self._turn.write(Guarded, guard=replace(guard, after=number))

    def _fill(self, match: Match) -> bool:
        """Enter a fill; False where the books refuse it, and the order has ended for that."""
        world, turn, order = self._world, self._turn, match.order
        books = world.state.books
        before = books.position(order.deployment_id, order.symbol)
        seq, fill_id = turn.next_id()
        theirs = world.setup.currency(order.symbol, order.account_id)
        currency = before.currency if before.quantity else theirs
        fill = Fill(
            fill_id,
            order.signal_id,
            order.deployment_id,
            order.account_id,
            order.symbol,
            match.quantity,
            match.price,
            match.fee,
            match.at,
            order.leg,
            order.order_id,
            order.role,
            currency,
            bool(order.route),
        )
        multiplier = world.setup.instrument(order.symbol).multiplier
        if problem := books.refusal(fill, multiplier):
            turn.note("fill_refused", problem, order.deployment_id)
            self.end(replace(order, filled=combine(order.filled, -match.quantity)), "refused", problem)
            return False
        entry = books.entry(fill, seq, multiplier)
        settled = books.settled()
        turn.record(
            Executed(
                seq=seq,
                at=turn.now,
                order_id=order.order_id,
                order_seq=order.seq,
                fill=fill,
                position=entry.position,
                order=None if match.done == "filled" else order,
                lots=entry.lots,
                closed=entry.closed,
                role=order.role,
                filled=order.filled,
            )
        )
        self.settle(settled)
        left = 0.0 if match.done else order.left
        tick = world.prices.last(order.symbol)
        price = match.price if tick is None else tick.price
        status: Literal["filled", "partially_filled"] = (
            "filled" if match.done == "filled" else "partially_filled"
        )
        position = marked(entry.position, price)
        turn.tell(order.deployment_id, Filled(fill, position, seq, left, order.filled, status))
        self._guard(order, fill, entry.position)
        return True

    def settle(self, before: Sequence[Settled]) -> None:
        """Write down what accounts realised in positions that are gone, where that is not as ``before``."""
        for settled in self._world.state.books.settled():
            if settled not in before:
                self._turn.write(Parted, settled=settled)

    def _guard(self, order: Order, fill: Fill, position: Position) -> None:
        """Let the guard of a position follow a fill."""
        turn, guards = self._turn, self._world.state.guards
        guard = guards.of(order.deployment_id, order.symbol)
        number = self._world.prices.number(order.symbol)
        new = protection.after_fill(
            guard, fill, position, order.protect, seq=turn.state.seq + 1, after=number
        )
        if new is None and guard is not None:
            turn.write(Unguarded, deployment_id=order.deployment_id, symbol=order.symbol)
        elif new is not None and new is not guard:
            turn.write(Guarded, guard=new)

    # ---- inside -----------------------------------------------------------------------------------
    def _holder(self, judged: Judged, verdict: Verdict) -> tuple[str, bool]:
        """Return for which account an order trades, and whether live: who only reduces does it as it is held.

        A deployment may have been given another account, or have gone from paper to live, meanwhile.
        """
        held = self._world.state.books.position(judged.deployment_id, judged.signal.symbol)
        if verdict.reduce_only and held.quantity:
            return held.account_id or judged.account_id, held.live
        return judged.account_id, judged.trading_mode == "live"

    def put(self, order: Order) -> None:
        """Let an order wait, or send it by its route."""
        self._turn.write(Placed, order=order)
        self._update(order, "working", "")
        if order.route:
            self._turn.out.sends.append(Sending(order))

    def _update(self, order: Order, status: str, detail: str) -> None:
        change = order_update(order, status, detail, self._turn.now)
        self._turn.tell(order.deployment_id, OrderChanged(change, self._turn.state.seq))


def order_update(order: Order, status: str, detail: str, at: int) -> OrderUpdate:
    """Return what a strategy is told of an order that was placed or has ended."""
    return OrderUpdate(
        order_id=order.order_id,
        signal_id=order.signal_id,
        symbol=order.symbol,
        status=status,  # type: ignore[arg-type]  # one of those that an order has
        filled=order.filled,
        detail=detail[:256],
        at=at,
    )
