"""The exits that the engine orders itself: by a guard, a square-off, a latch; once for each reason.

An exit is a signal of the engine's own, with a verdict and a key as any other: so it is listed with them,
and is not ordered twice whatever dies meanwhile.
"""

from __future__ import annotations

from typing import Final

from bus.messages import Candle, Reason, Signal, Tick
from strategies.trading import protection
from strategies.trading.dealing import Dealing
from strategies.trading.execution import Offer, Setting, execute
from strategies.trading.identity import idempotency_key
from strategies.trading.orders import Order, Role, combine
from strategies.trading.protection import Guard
from strategies.trading.records import Guarded, Unguarded
from strategies.trading.turn import Turn
from strategies.trading.view import Verdict
from strategies.trading.watch import watch_bar
from strategies.trading.world import World

ENGINE: Final = "engine"
"""The ``timeframe`` of signals that the engine makes itself."""


def guarding(world: World, deployment_id: str, symbol: str) -> Guard | None:
    """Return what guards a position: a bare guard where nothing does, None where nothing is held.

    None too while an exit of the engine is on its way: what is left is not to be held, however guarded.
    """
    state = world.state
    found = state.guards.of(deployment_id, symbol)
    position = state.books.position(deployment_id, symbol)
    leaving = any(order.role != "signal" for order in state.broker.waiting(deployment_id, symbol))
    if found is not None or not position.quantity or leaving:
        return found
    prices, account = world.prices, state.desk(deployment_id).grant.account_id
    return protection.bare(
        position,
        position.account_id or account,
        at=prices.at(symbol),
        seq=state.seq + 1,
        after=prices.number(symbol),
    )


class Exits:
    """Orders exits in one turn."""

    __slots__ = ("_dealing", "_turn", "_world")

    def __init__(self, turn: Turn, world: World) -> None:
        self._turn = turn
        self._world = world
        self._dealing = Dealing(turn, world)

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
        on_the_way = state.broker.due(deployment_id, symbol, position.quantity)
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
        verdict = Verdict("accepted", detail=why, quantity=quantity)
        judged = turn.entered(desk, desk.grant.generation, signal, name.hex(), verdict, account=account)
        seq, order_id = turn.next_id()
        order = Order(
            order_id=order_id,
            signal_id=judged.signal_id,
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
            after=max(0, world.prices.number(symbol) - turn.of_tick),
            role=role,
            route=world.route(account, live=position.live),
            reference_price=signal.reference_price,
        )
        self._dealing.put(order)
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

    def adjust(self, signal: Signal, verdict: Verdict, deployment_id: str) -> None:
        """Guard a position as an accepted ``adjust`` asks for."""
        world = self._world
        guard = guarding(world, deployment_id, signal.symbol)
        if guard is None or verdict.adjust is None:
            return
        number = world.prices.number(signal.symbol)
        price = world.prices.price(signal.symbol)
        new = protection.adjust(guard, verdict.adjust, price, after=number)
        if isinstance(new, Guard):
            self._turn.write(Guarded, guard=new)

    def by_bar(self, candle: Candle) -> None:
        """Let a closed candle act on guards and orders of its symbol: what was held before comes first."""
        broker, guards = self._world.state.broker, self._world.state.guards
        seen = {guard.seq for guard in guards.on(candle.symbol)}
        self._guard_by_bar(candle, seen)
        for match in broker.match_bar(candle, self._world.venue()):
            self._dealing.carry_out(match)
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
                self._dealing.carry_out(match)


def _level(guard: Guard, role: Role) -> str:
    levels = {"stop_loss": guard.stop, "trailing_stop": guard.trail_stop, "take_profit": guard.target}
    level = levels.get(role)
    return "" if level is None else f", it stands at {level:g}"
