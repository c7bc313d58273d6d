"""The exits that the engine owns: how what guards a position begins, changes and ends.

A strategy asks for them with the signal that enters, and the risk configuration may demand them besides.
From the first fill on they are the engine's: they act while the strategy is paused, hangs or is dead, and
they are journalled. ``levels.py`` says where they stand, ``watch.py`` when they act, ``guards.py`` has all.

Two rules. **A stop never loosens**: adding to a position moves its average entry, and a stop in percent of
it moves along only if that takes it closer; a strategy may tighten a stop and not widen it. **Everything is
in the struct**: a guard is made from a fill and from what was written into its order, so the journal gives
the same one whatever the configuration says.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bus.messages import Fill, Level, Position, Trail
from strategies.trading.levels import (
    SMALLEST,
    Protection,
    activates,
    activation,
    better,
    distance,
    known,
    problem,
    stop_price,
    target_price,
    tighter,
    trail_price,
)

__all__ = [
    "Guard", "Protection", "adjust", "after_fill", "bare", "build", "followed", "moved", "worth_keeping",
]  # fmt: skip

SECOND: Final = 1_000_000_000
END_OF_TIME: Final = 2**63 - 1


class Guard(Struct, frozen=True, array_like=True, kw_only=True):
    """What guards one open position. Prices are absolute; times event time in ns, 0 for none.

    ``seq`` is the record of its beginning. ``after`` is the number of the last tick of its symbol that it is
    known to have seen: a tick is looked at again after a crash, and only later ones count. ``since`` is the
    event time from which prices count: an older tick that comes late is of before the position.

    ``peak`` is the best price so far of one that trails, None while there is none. It arms the trailing
    stop at the favourable distance asked for; ``trail_stop`` is where that stands, None until then.
    """

    deployment_id: str
    account_id: str
    symbol: str
    seq: int
    after: int
    side: int
    entry: float
    opened_at: int
    protect: Protection
    stop: float | None = None
    target: float | None = None
    peak: float | None = None
    armed: bool = False
    trail_stop: float | None = None
    expires_at: int = 0
    square_off_at: int = 0
    signal_id: str = ""
    leg: str = ""
    since: int = 0

    @property
    def empty(self) -> bool:
        """Whether it guards against nothing, so that it need not be kept."""
        levels = (self.stop, self.target, self.trail_stop, self.protect.trailing_stop)
        return not self.expires_at and not self.square_off_at and all(each is None for each in levels)


def after_fill(
    guard: Guard | None, fill: Fill, position: Position, protect: Protection | None, *, seq: int, after: int
) -> Guard | None:
    """Return what guards ``position``, which is the one after ``fill``; None when nothing does.

    ``protect`` is the order's. ``after`` is the number of the tick that filled, ``seq`` the record that
    would begin a new guard. The same guard comes back where nothing changes, so ``is`` tells.
    """
    side = _sign(position.quantity)
    if side == 0:
        return None
    if guard is None or guard.side != side:
        return None if protect is None else build(fill, position, protect, seq=seq, after=after)
    if protect is None and _sign(fill.quantity) != side:
        return guard  # partly closed: the rest has the same average
    return moved(guard, fill, position, protect, after=after)


def bare(position: Position, account_id: str, *, at: int, seq: int, after: int) -> Guard:
    """Return a guard that guards against nothing yet: what ``adjust`` begins with where there is none.

    ``at`` stands for the opening of the position, which nobody wrote down.
    """
    return Guard(
        deployment_id=position.deployment_id,
        account_id=account_id,
        symbol=position.symbol,
        seq=seq,
        after=after,
        side=_sign(position.quantity),
        entry=position.average_price,
        opened_at=at,
        protect=Protection(),
        since=at,
    )


def build(fill: Fill, position: Position, protect: Protection, *, seq: int, after: int) -> Guard | None:
    """Return the guard of a position that ``fill`` opened, or None if ``protect`` asks for nothing."""
    begun = bare(position, fill.account_id, at=fill.at, seq=seq, after=after)
    begun = replace(begun, signal_id=fill.signal_id, leg=fill.leg)
    guard = _demanding(begun, protect, fill.price, fill.at)
    return None if guard.empty else guard


def moved(
    guard: Guard, fill: Fill, position: Position, protect: Protection | None = None, *, after: int
) -> Guard:
    """Return the guard of a position that was added to, or reduced by an order that protects the rest.

    What the newest order asks for counts, what it leaves out stays; a stop stays where that is closer. A
    trailing stop that is armed goes on. One that is not begins again at this fill: a price of before it
    was no profit of the position that there is now.
    """
    added = replace(guard, entry=position.average_price, after=after, since=max(guard.since, fill.at))
    if not guard.armed:
        added = begin_trail(added, fill.price)
    return _placed(added) if protect is None else _demanding(added, protect, fill.price, fill.at)


def adjust(guard: Guard, asked: Protection, price: float | None, *, after: int) -> Guard | str:
    """Return the guard as a strategy wants it from now on, or one sentence that says why not.

    Only what is given changes. Stops, trailing stops and times may be tightened and never loosened; a
    target may be moved at will. ``price`` is the present one, at which a trailing stop that is new
    begins; None is unknown, and then the first tick begins it. A time stop counts from the opening.
    """
    if not asked.asks:
        return "adjust names nothing to change: give stop_loss, take_profit, trailing_stop or time_stop_s"
    now = price if known(price) else None
    why = problem(asked) or _unplaced(guard, asked, now) or _looser(guard, asked, now)
    return why or _demanding(replace(guard, after=after), asked, now, guard.opened_at)


# ---- trailing -------------------------------------------------------------------------------------
def begin_trail(guard: Guard, price: float | None) -> Guard:
    """Return ``guard`` with its trailing stop begun at ``price``; where one stood already, it still does."""
    begun = replace(guard, peak=None, armed=False)
    return begun if price is None else followed(begun, price)


def followed(guard: Guard, price: float) -> Guard:
    """Return ``guard`` after ``price``: one better than all before moves the peak and what trails it."""
    protect, side = guard.protect, guard.side
    if protect.trailing_stop is None or not (guard.peak is None or better(side, price, guard.peak)):
        return guard
    armed = guard.armed or activates(protect, side, guard.entry, price)
    stands = tighter(side, guard.trail_stop, trail_price(protect, side, price)) if armed else guard.trail_stop
    return replace(guard, peak=price, armed=armed, trail_stop=stands)


def worth_keeping(old: Guard, new: Guard) -> bool:
    """Whether prices changed a guard (``followed``) in a way that a crash must not undo.

    Of a peak only the stop that follows it is worth a record: one that arms nothing is overtaken by the
    one that does, and what comes after the last record is seen again.
    """
    return old.trail_stop != new.trail_stop


# ---- inside ---------------------------------------------------------------------------------------
def _demanding(guard: Guard, asked: Protection, price: float | None, at: int) -> Guard:
    """Return ``guard`` with what ``asked`` names; ``price`` and ``at`` are of now."""
    new = replace(
        guard,
        protect=_overlaid(guard, asked),
        expires_at=_earlier(guard.expires_at, _limit(asked.time_stop_s, at)),
        square_off_at=_earlier(guard.square_off_at, asked.square_off_at),
    )
    return _placed(begin_trail(new, price) if _trails_anew(guard.protect, asked, new.protect) else new)


def _trails_anew(old: Protection, asked: Protection, new: Protection) -> bool:
    """Whether the trailing stop of ``new`` is another than that of ``old``, or held to another width."""
    trail = asked.trailing_stop
    if trail is None or new.widest_trail != old.widest_trail:
        return new.widest_trail != old.widest_trail
    units = trail.kind in _UNITLESS or (asked.atr, asked.tick_size) == (old.atr, old.tick_size)
    return trail != old.trailing_stop or not units


def _placed(guard: Guard) -> Guard:
    """Return ``guard`` with stop and target as they are at its entry, a stop never further away."""
    return replace(
        guard,
        stop=tighter(guard.side, guard.stop, stop_price(guard.protect, guard.side, guard.entry)),
        target=target_price(guard.protect, guard.side, guard.entry),
    )


_UNITLESS: Final = frozenset({"pct", "price"})


def _overlaid(guard: Guard, asked: Protection) -> Protection:
    """Return ``asked``, and of the present protection what it leaves out.

    What is left and is a multiple of an older tick size or ATR stays as far away as it is.
    """
    old = guard.protect
    return Protection(
        stop_loss=asked.stop_loss or _settled(old.stop_loss, guard.stop),
        take_profit=asked.take_profit or _settled(old.take_profit, guard.target),
        trailing_stop=asked.trailing_stop or _settled_trail(guard),
        time_stop_s=old.time_stop_s if asked.time_stop_s is None else asked.time_stop_s,
        square_off_at=asked.square_off_at or old.square_off_at,
        atr=asked.atr,
        tick_size=asked.tick_size,
        widest_stop=tighter(-1, old.widest_stop, asked.widest_stop),  # the smaller one
        widest_trail=tighter(-1, old.widest_trail, asked.widest_trail),
    )


def _settled(level: Level | None, price: float | None) -> Level | None:
    if level is None or level.kind in _UNITLESS:
        return level
    return None if price is None else Level("price", price)


def _settled_trail(guard: Guard) -> Trail | None:
    protect, trail = guard.protect, guard.protect.trailing_stop
    if trail is None or trail.kind in _UNITLESS:
        return trail
    away = max(SMALLEST, distance(trail.kind, trail.value, protect, guard.entry))
    arms = activation(trail, protect, guard.entry)
    return Trail("price", away, arms if arms > 0 else None)


def _unplaced(guard: Guard, asked: Protection, price: float | None) -> str:
    """Return which level that is asked for stands where it cannot, "" if none does or no price is known."""
    losing, winning = ("below", "above") if guard.side > 0 else ("above", "below")
    stop, target = (each(asked, guard.side, guard.entry) for each in (stop_price, target_price))
    for name, level, stands, side, where in (
        ("stop_loss", asked.stop_loss, stop, -guard.side, losing),
        ("take_profit", asked.take_profit, target, guard.side, winning),
    ):
        if level is None:
            continue
        if stands is None:
            return f"{name} {level.value:g} {level.kind} is at no price that there can be"
        if price is not None and not better(side, stands, price):
            return f"{name} {stands:g} is not {where} the price, {price:g}"
    return ""


def _looser(guard: Guard, asked: Protection, price: float | None) -> str:
    """Return what ``asked`` would take away, "" if nothing."""
    stop = stop_price(asked, guard.side, guard.entry) if asked.stop_loss else None
    if guard.stop is not None and stop is not None and better(guard.side, guard.stop, stop):
        return f"stop_loss {stop:g} would loosen the stop, which is at {guard.stop:g}"
    trail, old = asked.trailing_stop, guard.protect.trailing_stop
    if trail is not None and old is not None:
        base = guard.entry if price is None else price
        wide = distance(trail.kind, trail.value, asked, base)
        held = distance(old.kind, old.value, guard.protect, base)
        if wide > held:
            return f"trailing_stop would follow at {wide:g}, and the one that there is follows at {held:g}"
        later = activation(trail, asked, guard.entry) > activation(old, guard.protect, guard.entry)
        if later and not guard.armed:
            return "trailing_stop would arm later than the one that there is"
    limit = _limit(asked.time_stop_s, guard.opened_at)
    if guard.expires_at and limit > guard.expires_at:
        held = (guard.expires_at - guard.opened_at) / SECOND
        return f"time_stop_s {asked.time_stop_s:g} is later than the {held:g} s that there are"
    return ""


def _limit(seconds: float | None, at: int) -> int:
    """Return when a time stop that counts from ``at`` acts; an unknown number acts at once."""
    if seconds is None:
        return 0
    return min(at + round(seconds * SECOND), END_OF_TIME) if known(seconds) else at


def _earlier(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other


def _sign(quantity: float) -> int:
    return (quantity > 0) - (quantity < 0)
