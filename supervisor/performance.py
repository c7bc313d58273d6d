"""What a deployment has earned, from its fills alone: a curve, and the figures that people compare by. Pure.

Rules of this file. Profit is net of fees and by average cost, as the core keeps it: a fill's profit is what
it adds to the round trip that it belongs to (``Position.trip``, ``Executed.closed``), so a sum does not
depend on what an account was settled for meanwhile. Nothing unknown is counted as zero: sums of several
currencies are None, and where the first fills are no longer on record, that is said (``whole``).

Win rate (wins by round trips), profit factor (gross profit by gross loss) and maximum drawdown (the deepest
fall from a peak) are the usual ones. Between trades nothing is marked, so the drawdown here is never deeper
than that of a curve which follows every tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, isfinite

from msgspec import Struct

from bus.messages import Position
from strategies.trading.positions import unrealised
from strategies.trading.records import Executed


class Point(Struct, frozen=True):
    """The profit after the fill at ``at`` (event time, ns), what is held marked at its last trade."""

    at: int
    profit: float


class Curve(Struct, frozen=True):
    """All fills of one deployment, added up.

    ``trips`` are the profits of round trips in the order in which they ended. ``currency`` None: there are
    several, and ``points`` is empty. ``whole`` False: fills before the first of these are not on record.
    """

    currency: str | None = None
    points: Sequence[Point] = ()
    trips: Sequence[float] = ()
    fills: int = 0
    since: int | None = None
    until: int | None = None
    whole: bool = True


class Figures(Struct, frozen=True):
    """What ``figures`` makes of a curve; the fields as in ``supervisor.schema.PerformanceView``."""

    wins: int
    losses: int
    win_rate: float | None
    profit_factor: float | None
    average_win: float | None
    average_loss: float | None
    best: float | None
    worst: float | None
    max_drawdown: float | None
    max_drawdown_percent: float | None


def curve(records: Iterable[Executed]) -> Curve:
    """Add up executions of one deployment, ascending."""
    adding = Adding()
    adding.take(records)
    return adding.curve()


class Adding:
    """Sums while fills are read, piece by piece, ascending. Nothing is kept of a fill but its point."""

    def __init__(self) -> None:
        self.currencies: set[str] = set()
        self.points: list[Point] = []
        self.trips: list[float] = []
        self.fills = 0
        self.since: int | None = None
        self.until: int | None = None
        self.whole = True
        self._gained = 0.0
        self._open: dict[str, float] = {}
        """Marks of what is held, by symbol."""
        self._trips: dict[str, float] = {}
        """What the round trip that goes on has realised, by symbol."""

    def take(self, records: Iterable[Executed]) -> None:
        """Add executions, which come after all that were added before."""
        for record in records:
            self._take(record)

    def curve(self) -> Curve:
        """Return what was added so far."""
        one = len(self.currencies) == 1
        return Curve(
            currency=next(iter(self.currencies)) if one else None,
            points=tuple(self.points) if one else (),
            trips=tuple(self.trips),
            fills=self.fills,
            since=self.since,
            until=self.until,
            whole=self.whole,
        )

    def _take(self, record: Executed) -> None:
        fill, position = record.fill, record.position
        symbol, at = fill.symbol, fill.at
        self.fills += 1
        self.since = at if self.since is None else min(self.since, at)
        self.until = at if self.until is None else max(self.until, at)
        self.currencies.add(fill.currency)
        before = self._trips.get(symbol)
        if before is None:
            before = self._begin(record)
        if record.closed is not None:
            self.trips.append(record.closed)
        if before is not None:
            ended = before if record.closed is None else before - record.closed
            self._gained += position.trip - ended
        self._trips[symbol] = position.trip
        self._open.pop(symbol, None)
        if position.quantity:
            self._open[symbol] = unrealised(position, fill.price) or 0.0
        # A fill of a route may be told late, with the time that it had there; a curve goes on in time.
        self.points.append(Point(self.until, fsum((self._gained, *self._open.values()))))

    def _begin(self, record: Executed) -> float | None:
        """Return what the round trip had realised before its first fill on record; None if nobody knows."""
        if record.closed is None and record.position.quantity == record.fill.quantity:
            return 0.0
        self.whole = False
        return None


def figures(found: Curve, capital: float | None) -> Figures:
    """Return the figures of a curve; ``capital`` is in its currency, None unknown."""
    won = [one for one in found.trips if one > 0]
    lost = [one for one in found.trips if one < 0]
    money = found.currency is not None
    gained, given = fsum(won), -fsum(lost)
    drawdown, share = deepest(found.points, capital)
    return Figures(
        wins=len(won),
        losses=len(lost),
        win_rate=len(won) / len(found.trips) if found.trips else None,
        profit_factor=_finite(gained / given) if money and given > 0 else None,
        average_win=gained / len(won) if money and won else None,
        average_loss=-given / len(lost) if money and lost else None,
        best=max(found.trips) if money and found.trips else None,
        worst=min(found.trips) if money and found.trips else None,
        max_drawdown=drawdown,
        max_drawdown_percent=share,
    )


def deepest(points: Sequence[Point], capital: float | None) -> tuple[float | None, float | None]:
    """Return the deepest fall of profit from a peak, in money, and the deepest in percent of equity there.

    The curve begins at a profit of zero. Both None without a point; percent also without a capital, or where
    equity was not above zero at the peak.
    """
    if not points:
        return None, None
    peak, fall = 0.0, 0.0
    share: float | None = 0.0 if capital is not None and isfinite(capital) and capital > 0 else None
    for point in points:
        peak = max(peak, point.profit)
        down = peak - point.profit
        fall = max(fall, down)
        if share is not None and capital is not None:
            share = max(share, 100 * down / (capital + peak))
    return fall, share


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most ``most`` (4 or more) of ``points``, in order, with the shape that they had.

    They are cut into stretches of equal count, of each of which the first, the lowest, the highest and the
    last stay: so the peaks and falls of each stretch are drawn.
    """
    if most < 4:
        raise ValueError(f"{most} points show nothing: at least 4")
    if len(points) <= most:
        return list(points)
    stretches = most // 4
    kept: list[int] = []
    for number in range(stretches):
        start, end = (len(points) * place // stretches for place in (number, number + 1))
        span = range(start, end)
        lowest = min(span, key=lambda index: points[index].profit)
        highest = max(span, key=lambda index: points[index].profit)
        kept += sorted({start, lowest, highest, end - 1})
    return [points[index] for index in kept]


def sums(positions: Sequence[Position]) -> tuple[str | None, float | None, float | None, float | None]:
    """Return (currency, realised, unrealised, fees) of all positions of a deployment, flat ones too.

    All None where they are in several currencies, ``unrealised`` also while a price is unknown. Without a
    position all is zero, in no currency yet.
    """
    currencies = {one.currency for one in positions}
    if len(currencies) > 1:
        return None, None, None, None
    marks = [one.unrealised if one.quantity else 0.0 for one in positions]
    known = [mark for mark in marks if mark is not None]
    return (
        next(iter(currencies), None),
        fsum(one.realised for one in positions),
        fsum(known) if len(known) == len(marks) else None,
        fsum(one.fees for one in positions),
    )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
