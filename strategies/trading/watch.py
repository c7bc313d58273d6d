"""When a guard acts: on a tick, on a bar, at a time. Pure; what comes of it is the caller's.

Which price is looked at, and which way each rule errs:

- A long position is watched at the bid and a short one at the ask, the side at which it would be closed; at
  the last trade where that side is not told. On a crossed quote the worse of both counts. Against the
  strategy by the spread, as its exit will be.
- A stop acts at a touch or beyond, like a stop order that is elected by the quote of its own side; a target
  at a touch or beyond. The exit is a market order: a gap is not filled at the better stop price.
- Of a stop and a trailing stop the closer one was reached first, so it gives its name. Of a stop and a
  target the stop (for ticks they exclude each other, but not inside a bar).
- A price that is unknown or no number (NaN) reaches nothing and changes nothing, and disarms nothing. Times
  act without any price.
- A tick outside every session is not looked at: it would fill nothing either. Neither is one of before the
  position that comes late. A late one of during it counts: it was reached, if later told than it ought.
"""

from __future__ import annotations

from bus.messages import TICK_OUT_OF_SESSION, Candle, Tick
from strategies.trading.levels import better, known
from strategies.trading.orders import Role
from strategies.trading.protection import Guard, followed


def exit_price(side: int, tick: Tick) -> float | None:
    """Return the price at which a position of ``side`` could be closed, None if ``tick`` does not tell."""
    bid, ask = tick.bid, tick.ask
    if bid is not None and ask is not None and bid > ask:
        bid, ask = ask, bid
    return (bid if side > 0 else ask) or tick.last


def counts(guard: Guard, tick: Tick, number: int | None = None) -> bool:
    """Whether the price of ``tick`` is for ``guard`` to look at; ``number`` where it may have been before."""
    if number is not None and number <= guard.after:
        return False
    return tick.ts >= guard.since and not tick.flags & TICK_OUT_OF_SESSION


def watch(guard: Guard, price: float | None, now: int) -> tuple[Guard, Role | None]:
    """Look at ``price`` (``exit_price``) at event time ``now``: the guard after it, and why it acts, if so.

    Looking at the same price again changes nothing. Who is told a role orders the exit and drops the guard.
    """
    if price is not None and known(price):
        guard = followed(guard, price)
        if (stopped := _stopped(guard, price)) is not None:
            return guard, stopped[0]
        if _taken(guard, price):
            return guard, "take_profit"
    return guard, due(guard, now)


def due(guard: Guard, now: int) -> Role | None:
    """Return the exit whose time has come; of two the one that came first."""
    stop, square = guard.expires_at, guard.square_off_at
    if stop and now >= stop and not (square and square < stop):
        return "time_stop"
    return "square_off" if square and now >= square else None


def watch_bar(guard: Guard, candle: Candle) -> tuple[Guard, Role | None, float | None]:
    """Look at one bar: the guard after it, why it acts, and the price at which it is closed.

    A bar is what remains of ticks: the open came first, the close last, the order of high and low is not
    known. In the order in which it looks:

    1. The open. A gap over a stop or a target is filled at the open, never at the better level.
    2. The stop and the trailing stop as they stood at the open: filled there if the bar touched them. So a
       bar that touched a stop and a target closes at the stop, the worse (backtest.md; as backtesting.py
       and LEAN do).
    3. The target, filled there; or the close, if a time came inside the bar as well and that is worse.
    4. The trailing stop as this bar's best price leaves it, but only by the close, which was later than any
       high. A low may have been before the high and proves nothing: errs towards the strategy, by the bar's
       range at most (vnpy_ctastrategy #41, LEAN #9518).
    5. A time that came inside the bar: the close, the first price that is known to be later.

    Of the bar in which the position was opened or added to only the close is known to be later, so it is
    all that is looked at: errs towards the strategy where a stop was touched and left. Bars of the last
    trade say nothing of the spread; slippage has to (terms.py). A price of None means the next one to come:
    nothing traded (a synthetic bar), but a time has come.
    """
    prices = (candle.open, candle.high, candle.low, candle.close)
    if candle.synthetic or not all(known(price) for price in prices):
        return guard, due(guard, candle.open_time), None
    if guard.since > candle.open_time:
        if guard.since >= candle.close_time:
            return guard, None, None
        guard, role = watch(guard, candle.close, candle.close_time - 1)
        return guard, role, candle.close if role else None
    guard, role = watch(guard, candle.open, candle.open_time)
    if role is not None:
        return guard, role, candle.open
    return _inside(guard, candle)


def _inside(guard: Guard, candle: Candle) -> tuple[Guard, Role | None, float | None]:
    """Look at what came behind the open."""
    best, worst = (candle.high, candle.low) if guard.side > 0 else (candle.low, candle.high)
    if (stopped := _stopped(guard, worst)) is not None:
        return guard, *stopped
    late = due(guard, candle.close_time - 1)
    if guard.target is not None and _taken(guard, best):
        if late is not None and better(guard.side, guard.target, candle.close):
            return guard, late, candle.close
        return guard, "take_profit", guard.target
    guard = followed(guard, best)
    if (stopped := _stopped(guard, candle.close)) is not None:
        return guard, *stopped
    return guard, late, candle.close if late else None


def _stopped(guard: Guard, price: float) -> tuple[Role, float] | None:
    """Return which stop ``price`` has reached and where that stands: the closer one, reached first."""
    stop, trail = guard.stop, guard.trail_stop
    if trail is not None and (stop is None or better(guard.side, trail, stop)):
        return None if better(guard.side, price, trail) else ("trailing_stop", trail)
    return None if stop is None or better(guard.side, price, stop) else ("stop_loss", stop)


def _taken(guard: Guard, price: float) -> bool:
    return guard.target is not None and not better(guard.side, guard.target, price)
