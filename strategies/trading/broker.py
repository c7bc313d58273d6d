"""The paper broker: orders wait here for the event that fills them.

What an event does to one order is ``matching``'s; here is what orders have to do with each other:

- The orders of a deployment are looked at by acceptance on a tick, by ``matching.sequence`` on a bar.
  Each sees the position, and the volume of the event, that the ones before it left.
- One-cancels-other (``oco_group``): when one has traded whole the others are cancelled; when it has traded
  in part they are cut in the same proportion. So a half-filled target leaves a stop for the other half
  (IBKR's one-cancels-all groups; FIX 5.0, ContingencyType 1385=4). Neither way: venues that cancel at the
  first part (LEAN's OCO) leave the rest unprotected. What only reduces is cut to whole lots upwards, since
  it is clipped to the position anyway, other orders downwards.
- A position opened inside a bar is not closed by a limit of the same bar unless the close proves it: errs
  against. A stop closes it, whichever came first: errs against.

Nothing here changes while matching: the caller records each ``Match`` and then removes or replaces.
Orders with a route wait here too, so that they count as pending, but no event of ours fills them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from bus.messages import Candle, Tick
from strategies.trading.execution import Match, ended
from strategies.trading.instruments import Instrument, round_down, round_up
from strategies.trading.matching import LIMITS, expired, on_bar, on_tick, sequence
from strategies.trading.orders import Order, combine
from strategies.trading.terms import FRICTIONLESS, Terms
from strategies.trading.waiting import Waiting


def _plain(symbol: str) -> Instrument:
    return Instrument(symbol=symbol)


class Venue(Struct, frozen=True):
    """What the broker asks for while it matches.

    ``held`` is the signed position of (deployment, symbol); without it the caller clips what only reduces.
    """

    terms: Callable[[Order], Terms] = lambda _: FRICTIONLESS
    instrument: Callable[[str], Instrument] = _plain
    held: Callable[[str, str], float] | None = None


FRICTIONLESS_VENUE: Final = Venue()


Standing: TypeAlias = Callable[[Order], Order | None]


class PaperBroker:
    """Orders that wait, by symbol and deployment, each list in the order of acceptance."""

    def __init__(self) -> None:
        self._symbols: dict[str, Waiting] = {}
        self._groups: dict[tuple[str, str], dict[str, str]] = {}

    # ---- what waits -------------------------------------------------------------------------------
    def waits(self, symbol: str) -> bool:
        """Whether any order waits for ``symbol``: asked for every tick."""
        return symbol in self._symbols

    def place(self, order: Order) -> None:
        """Let ``order`` wait for its event."""
        waiting = self._symbols.get(order.symbol)
        if waiting is None:
            waiting = self._symbols[order.symbol] = Waiting()
        waiting.put(order)
        if order.oco_group:
            group = self._groups.setdefault((order.deployment_id, order.oco_group), {})
            group[order.order_id] = order.symbol

    def replace(self, order: Order) -> None:
        """Let ``order`` stand for the one of its id, in its place; ``KeyError`` if that does not wait."""
        waiting = self._symbols[order.symbol]
        waiting.orders[order.deployment_id][order.order_id]  # one that does not wait is not let in here
        waiting.put(order)

    def remove(self, deployment_id: str, symbol: str, order_id: str) -> None:
        """Take out one order, filled or ended; ``KeyError`` if it does not wait."""
        waiting = self._symbols[symbol]
        order = waiting.take(deployment_id, order_id)
        if not waiting.orders:
            del self._symbols[symbol]
        if order.oco_group:
            group = self._groups[deployment_id, order.oco_group]
            del group[order_id]
            if not group:
                del self._groups[deployment_id, order.oco_group]

    def find(self, deployment_id: str, symbol: str, order_id: str) -> Order | None:
        """Return an order that waits, None if it does not."""
        waiting = self._symbols.get(symbol)
        return None if waiting is None else waiting.orders.get(deployment_id, {}).get(order_id)

    def waiting(self, deployment_id: str, symbol: str) -> list[Order]:
        """Return the orders of one deployment that wait for ``symbol``, oldest first."""
        waiting = self._symbols.get(symbol)
        return [] if waiting is None else list(waiting.orders.get(deployment_id, {}).values())

    def cancellable(self, deployment_id: str, symbol: str, leg: str) -> list[Order]:
        """Return the waiting orders that a cancel means: those of ``leg``, or all when it is empty.

        Never the exits that the engine owns: a strategy that could cancel them could keep a position.
        """
        mine = (order for order in self.waiting(deployment_id, symbol) if order.role == "signal")
        return [order for order in mine if not leg or order.leg == leg]

    def symbols(self, deployment_id: str) -> list[str]:
        """Return the symbols in which orders of a deployment wait, sorted."""
        return sorted(name for name, waiting in self._symbols.items() if deployment_id in waiting.orders)

    def everything(self) -> list[Order]:
        """Return every order that waits, by acceptance."""
        every = (o for w in self._symbols.values() for mine in w.orders.values() for o in mine.values())
        return sorted(every, key=lambda order: order.seq)

    def expire(self, now: int, symbol: str = "") -> list[Order]:
        """Return the orders whose time is over at ``now``, of ``symbol`` or all, by acceptance.

        A live one that its route is asked to take back is not among them.
        """
        some = [self._symbols[symbol]] if symbol in self._symbols else []
        due = [w for w in (some if symbol else self._symbols.values()) if 0 < w.expires <= now]
        over = [
            order
            for waiting in due
            for mine in waiting.orders.values()
            for order in mine.values()
            if expired(order, now) and not order.cancelling
        ]
        return sorted(over, key=lambda order: order.seq)

    # ---- what is to come of it --------------------------------------------------------------------
    def pending(self, deployment_id: str, symbol: str) -> tuple[float, float, int]:
        """Return the most that waiting buys come to, the most that sells do (signed), and their number.

        Of a group of which one cancels the others only the largest on each side counts.
        """
        if symbol not in self._symbols:
            return 0.0, 0.0, 0
        orders = self.waiting(deployment_id, symbol)
        sides = [0.0, 0.0]
        groups: dict[tuple[str, bool], float] = {}
        for order in orders:
            left, sells = order.left, order.quantity < 0
            if order.oco_group:
                largest = groups.get((order.oco_group, sells), 0.0)
                groups[order.oco_group, sells] = left if abs(left) > abs(largest) else largest
            else:
                sides[sells] = combine(sides[sells], left)
        for (_, sells), left in groups.items():
            sides[sells] = combine(sides[sells], left)
        return sides[0], sides[1], len(orders)

    def due(self, deployment_id: str, symbol: str, held: float = 0.0) -> float:
        """Return the signed sum of what waits for nothing but the next tick: market orders, hit stops.

        With ``held`` without what would add to that and is being taken back at its venue.
        """
        total = 0.0
        for order in self.waiting(deployment_id, symbol):
            if order.cancelling and order.left * held > 0:
                continue
            if order.kind == "market" or (order.kind == "stop" and order.triggered):
                total = combine(total, order.left)
        return total

    def linked(
        self, match: Match, venue: Venue = FRICTIONLESS_VENUE, standing: Standing = lambda order: order
    ) -> list[Match]:
        """Return what a trade does to the others of its group; ``match`` has it with a fill of a route too.

        ``standing`` tells how an order stands when not all that was found is carried out yet, None: ended.
        """
        order = match.order
        over = match.why == "nothing_to_reduce"  # the position is gone, whatever is left of the order
        before = combine(order.left, match.quantity)
        group = self._groups.get((order.deployment_id, order.oco_group), {})
        found: list[Match] = []
        for order_id, symbol in group.items():
            waits = self.find(order.deployment_id, symbol, order_id)
            other = None if waits is None or order_id == order.order_id else standing(waits)
            if other is not None:
                wanted = 0.0 if over else other.left * order.left / before
                left = _whole(other, wanted, venue.instrument(symbol))
                if left == 0.0:
                    found.append(ended(other, "cancelled", "oco", match.at))
                elif left != other.left:
                    cut = replace(other, quantity=combine(other.filled, left))
                    found.append(Match(order=cut, at=match.at, why="oco"))
        return found

    # ---- what an event does -----------------------------------------------------------------------
    def match(
        self,
        tick: Tick,
        number: int | None = None,
        venue: Venue = FRICTIONLESS_VENUE,
        *,
        fresh: bool = False,
    ) -> list[Match]:
        """Return what ``tick`` does to the orders of its symbol, in the order to carry it out.

        ``number`` is the tick's among those of its symbol, if it has one: what it does something to is marked
        as having had it (``Order.after``), and unless it is ``fresh``, so never seen before, it does nothing
        to orders that have had it or were accepted after it. So a tick that is seen again after a crash does
        what it would have done, and none of it twice. A fresh one may have a lower number than what waits
        has had: then the numbers began anew, since the tape was lost.
        """
        waiting = self._symbols.get(tick.symbol)
        if waiting is None or waiting.sleeps(tick):
            return []
        instrument = venue.instrument(tick.symbol)
        found: list[Match] = []
        for mine in waiting.by_age():
            event = _Event(self, venue, next(iter(mine.values())), number=number or 0)
            for order in mine.values():
                if order.route or (number and not fresh and number <= order.after):
                    continue
                now = event.standing(order)
                if now is not None:
                    terms = venue.terms(now)
                    match = on_tick(now, tick, terms, instrument, taken=event.taken, held=event.held)
                    if match is None and event.taken and number and on_tick(now, tick, terms, instrument):
                        match = Match(order=now, at=tick.ts)  # others had the volume that it would have had
                    event.take(match)
            found += event.matches
        return found

    def match_bar(self, candle: Candle, venue: Venue = FRICTIONLESS_VENUE) -> list[Match]:
        """Return what a closed ``candle`` does to the orders of its symbol, in the order to carry it out."""
        waiting = self._symbols.get(candle.symbol)
        if waiting is None:
            return []
        instrument = venue.instrument(candle.symbol)
        found: list[Match] = []
        for mine in waiting.by_age():
            event = _Event(self, venue, next(iter(mine.values())), opened=candle.open_time)
            alone = [on_bar(o, candle, venue.terms(o), instrument) for o in mine.values() if not o.route]
            for draft in sequence([match for match in alone if match is not None], candle):
                now = event.standing(mine[draft.order.order_id])
                if now is not None:
                    late = now.kind in LIMITS and event.entered * now.quantity < 0
                    match = on_bar(
                        now,
                        candle,
                        venue.terms(now),
                        instrument,
                        taken=event.taken,
                        held=event.held,
                        late=late,
                    )
                    event.take(match)
            found += event.matches
        return found


class _Event:
    """One tick or bar for the orders of one deployment: what the ones looked at so far leave of it.

    ``entered`` is the signed quantity of entries inside a bar that opened at ``opened``; ``number`` that of
    a tick, if it has one.
    """

    def __init__(
        self, broker: PaperBroker, venue: Venue, oldest: Order, *, number: int = 0, opened: int = 0
    ) -> None:
        self.matches: list[Match] = []
        self.taken = 0.0
        self.held = venue.held(oldest.deployment_id, oldest.symbol) if venue.held else None
        self.entered = 0.0
        self._broker = broker
        self._venue = venue
        self._symbol = oldest.symbol
        self._number = number
        self._opened = opened
        self._changed: dict[str, Order | None] = {}

    def standing(self, order: Order) -> Order | None:
        """Return ``order`` as it stands by now, None once it has ended."""
        return self._changed.get(order.order_id, order)

    def take(self, match: Match | None) -> None:
        """Keep what the event does to an order, and what that does to the others of its group."""
        if match is None:
            return
        self._note(match)
        if match.quantity:
            self.taken += abs(match.quantity)
            if self.held is not None:
                self.held = combine(self.held, match.quantity)
            if match.at != self._opened and not match.order.reduce_only:
                self.entered = combine(self.entered, match.quantity)
            for other in self._broker.linked(match, self._venue, self.standing):
                self._note(other)

    def _note(self, match: Match) -> None:
        if self._number and match.order.symbol == self._symbol:
            match = replace(match, order=replace(match.order, after=self._number))
        self.matches.append(match)
        self._changed[match.order.order_id] = None if match.done else match.order


def _whole(order: Order, left: float, instrument: Instrument) -> float:
    """Return ``left`` in whole lots, never more than ``order`` has left."""
    if not order.reduce_only:
        return round_down(left, instrument.lot_size)
    up = round_up(left, instrument.lot_size)
    return up if abs(up) < abs(order.left) else order.left
