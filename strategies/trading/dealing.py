"""What becomes of orders: placed, filled, changed, ended, and the exits that the engine orders itself.

Everything that trades comes through here, on paper and live: a ``Match`` says what an event, or a route, did
to an order; books, guards and the cell follow from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from bus.messages import Candle, Fill, Filled, OrderChanged, OrderUpdate, Position, Reason, Signal, Tick
from strategies.trading import protection
from strategies.trading.accounts import Settled
from strategies.trading.execution import WHY, Match, Offer, Setting, execute
from strategies.trading.identity import idempotency_key
from strategies.trading.orders import Order, Role, closing, combine
from strategies.trading.positions import marked
from strategies.trading.protection import Guard
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
from strategies.trading.watch import watch_bar
from strategies.trading.world import World

ENGINE: Final = "engine"
"""The ``timeframe`` of signals that the engine makes itself."""
_STATUS: Final = {"expired": "expired", "rejected": "rejected"}


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
        self._place(order)
        return order

    def cancel(self, order: Order, why: str) -> None:
        """Take an order back: a live one only once its route says that it is."""
        if order.route:
            self._turn.out.sends.append(Sending(order, cancel=True))
        else:
            self.end(order, "cancelled", why)

    def adjust(self, signal: Signal, verdict: Verdict, deployment_id: str) -> None:
        """Guard a position as an accepted ``adjust`` asks for."""
        world = self._world
        guard = self.guard(deployment_id, signal.symbol)
        if guard is None or verdict.adjust is None:
            return
        number = world.prices.number(signal.symbol)
        price = world.prices.price(signal.symbol)
        new = protection.adjust(guard, verdict.adjust, price, after=number)
        if isinstance(new, Guard):
            self._turn.write(Guarded, guard=new)

    def guard(self, deployment_id: str, symbol: str) -> Guard | None:
        """Return what guards a position: a bare guard where nothing does, None where nothing is held.

        None too while an exit of the engine is on its way: what is left is not to be held, however guarded.
        """
        state = self._world.state
        found = state.guards.of(deployment_id, symbol)
        position = state.books.position(deployment_id, symbol)
        leaving = any(order.role != "signal" for order in state.broker.waiting(deployment_id, symbol))
        if found is not None or not position.quantity or leaving:
            return found
        prices, account = self._world.prices, state.desk(deployment_id).grant.account_id
        return protection.bare(
            position,
            position.account_id or account,
            at=prices.at(symbol),
            seq=state.seq + 1,
            after=prices.number(symbol),
        )

    # ---- what an event or a route did -------------------------------------------------------------
    def by_bar(self, candle: Candle) -> None:
        """Let a closed candle act on guards and orders of its symbol: what was held before comes first."""
        broker, guards = self._world.state.broker, self._world.state.guards
        seen = {guard.seq for guard in guards.on(candle.symbol)}
        self._guard_by_bar(candle, seen)
        for match in broker.match_bar(candle, self._world.venue()):
            self.carry_out(match)
        opened = {guard.seq for guard in guards.on(candle.symbol)} - seen
        self._guard_by_bar(candle, opened)

    def _guard_by_bar(self, candle: Candle, which: set[int]) -> None:
        """Look at guards by a bar; what acts is closed where the bar says."""
        world = self._world
        for guard in world.state.guards.on(candle.symbol):
            if guard.seq not in which:
                continue
            after, role, price = watch_bar(guard, candle)
            world.state.guards.move(after)
            if role is None:
                continue
            order = self.acted(after, role, None, candle.close_time)
            if order is None or price is None or order.route:
                continue
            setting = Setting(world.setup.paper, world.setup.instrument(candle.symbol))
            match = execute(order, Offer(price=price, at=candle.close_time), setting)
            if match is not None:
                self.carry_out(match)

    def carry_out(self, match: Match) -> None:
        """Enter what happened to one order."""
        order = match.order
        if match.quantity and not self._fill(match):
            return
        if not (match.quantity or match.done):
            self._turn.write(Amended, order=order)
        if match.done in {"cancelled", "expired"}:
            self.end(order, match.why or match.done, WHY.get(match.why, ""), status=match.done)

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
        )
        self._update(order, status, detail or reason)

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
            )
        )
        self.settle(settled)
        left = 0.0 if match.done else order.left
        tick = world.prices.last(order.symbol)
        price = match.price if tick is None else tick.price
        turn.tell(order.deployment_id, Filled(fill, marked(entry.position, price), seq, left))
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

    # ---- the engine's own exits -------------------------------------------------------------------
    def exit(
        self, deployment_id: str, symbol: str, role: Role, why: str, *, key: int, at: int, leg: str = ""
    ) -> Order | None:
        """Order the exit from a position for a reason of the engine's own; None where none is needed.

        ``key`` tells one reason from another of its kind: the same one orders once, however often it is
        given. What other orders that trade at once will have closed is left out. ``at`` is event time.
        """
        world, turn = self._world, self._turn
        state = world.state
        position = state.books.position(deployment_id, symbol)
        on_the_way = state.broker.due(deployment_id, symbol)
        quantity = -combine(position.quantity, on_the_way)
        if not position.quantity or quantity * position.quantity >= 0:
            return None
        desk = state.desk(deployment_id)
        account = position.account_id or desk.grant.account_id
        signal = Signal(
            symbol=symbol,
            intent="exit_long" if position.quantity > 0 else "exit_short",
            reason=Reason(role, why[:256]),
            timeframe=ENGINE,
            data_key=key,
            data_as_of=at,
            generated_at=at,
            reference_price=world.prices.price(symbol),
            leg=f"{role}{leg}"[:64],
        )
        name = idempotency_key(deployment_id, signal)
        if state.keys.known(deployment_id, symbol, name):
            return None
        seq, signal_id = turn.next_id()
        grant = desk.grant
        judged = Judged(
            seq=seq,
            at=turn.now,
            deployment_id=deployment_id,
            generation=grant.generation,
            decision="accepted",
            rule="",
            detail=why,
            signal_id=signal_id,
            key=name.hex(),
            quantity=quantity,
            account_id=account,
            strategy=grant.strategy,
            version=grant.version,
            code_hash=grant.code_hash,
            trading_mode=grant.trading_mode,
            signal=signal,
        )
        turn.record(judged)
        seq, order_id = turn.next_id()
        order = Order(
            order_id=order_id,
            signal_id=signal_id,
            deployment_id=deployment_id,
            account_id=account,
            symbol=symbol,
            quantity=quantity,
            reduce_only=True,
            leg=signal.leg,
            data_as_of=at,
            accepted_at=turn.now,
            seq=seq,
            # The tick that made it act may fill it, also when it is seen again after a crash.
            after=max(0, world.prices.number(symbol) - 1),
            role=role,
            route=world.route(account, live=position.live),
            reference_price=signal.reference_price,
        )
        self._place(order)
        return order

    def acted(self, guard: Guard, role: Role, tick: Tick | None, at: int) -> Order | None:
        """Order what a guard demands: once, and then the position is guarded no more."""
        price = "" if tick is None else f" at {tick.price:g}" if tick.price else ""
        why = f"{role.replace('_', ' ')} of {guard.symbol}{price}{_level(guard, role)}"
        order = self.exit(guard.deployment_id, guard.symbol, role, why, key=guard.seq, at=at)
        if order is not None:
            self._turn.write(Unguarded, deployment_id=guard.deployment_id, symbol=guard.symbol, role=role)
            self._turn.note("position_protected", why, guard.deployment_id)
        return order

    # ---- inside -----------------------------------------------------------------------------------
    def _holder(self, judged: Judged, verdict: Verdict) -> tuple[str, bool]:
        """Return for which account an order trades, and whether live: who only reduces does it as it is held.

        A deployment may have been given another account, or have gone from paper to live, meanwhile.
        """
        held = self._world.state.books.position(judged.deployment_id, judged.signal.symbol)
        if verdict.reduce_only and held.quantity:
            return held.account_id or judged.account_id, held.live
        return judged.account_id, judged.trading_mode == "live"

    def _place(self, order: Order) -> None:
        self._turn.write(Placed, order=order)
        if order.route:
            self._turn.out.sends.append(Sending(order))

    def _update(self, order: Order, status: str, detail: str) -> None:
        change = OrderUpdate(
            order_id=order.order_id,
            signal_id=order.signal_id,
            symbol=order.symbol,
            status=status,  # type: ignore[arg-type]  # one of those that an order ends with
            filled=order.filled,
            detail=detail[:256],
            at=self._turn.now,
        )
        self._turn.tell(order.deployment_id, OrderChanged(change, self._turn.state.seq))


def _level(guard: Guard, role: Role) -> str:
    levels = {"stop_loss": guard.stop, "trailing_stop": guard.trail_stop, "take_profit": guard.target}
    level = levels.get(role)
    return "" if level is None else f", it stands at {level:g}"
