"""Joining history and stream (candles.md rule 7): what is open already, filled from what is known.

Official history wins for what it covers, an id counts once, and a candle that history and stream
together do not cover from its open is partial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from bus.messages import Candle
from bus.series import Series, chain
from bus.sessions import Span
from bus.timeframes import Timeframe, nests, parse
from bus.timeline import Timeline


class History(Struct, frozen=True):
    """Closed candles sorted for ``fill``, and the event time ``[begins, ends)`` that they cover."""

    candles: tuple[Candle, ...]
    begins: int
    ends: int


def history(candles: Iterable[Candle], covers: Span | None = None) -> History:
    """Return closed candles of one symbol, of any timeframes and in any order, as ``History``.

    ``covers`` says for which event time they are complete, minutes without a trade left out; by
    default that is from the first open to the last close.
    """
    ordered = tuple(sorted(candles, key=lambda c: (c.open_time, -c.close_time)))
    if not ordered:
        return History((), 0, 0)
    begins, ends = covers or (ordered[0].open_time, max(candle.close_time for candle in ordered))
    return History(ordered, begins, ends)


def fill(series: Series, past: History, until: int) -> None:
    """Put history up to ``until`` into the open candle of ``series``, or mark it partial.

    ``until`` is where something else takes over: the stream for a root, the open candle of the source
    for all others, which is filled itself.
    """
    current = series.current
    if current.open_time >= until:
        return
    usable = [c for c in past.candles if nests(parse(c.timeframe), series.timeframe)]
    if not usable or past.begins > current.open_time or past.ends < until:
        current.partial = True
        return
    for candle in _covering(usable, (current.open_time, min(current.close_time, until))):
        current.fold(candle)


def _covering(candles: Sequence[Candle], interval: Span) -> list[Candle]:
    """The largest candles first that lie in ``interval``, none over another."""
    chosen: list[Candle] = []
    cursor, end = interval
    for candle in candles:
        if candle.open_time >= cursor and candle.close_time <= end:
            chosen.append(candle)
            cursor = candle.close_time
    return chosen


def seed(line: Timeline, past: History, at: int, seen_from: int) -> None:
    """Start ``line`` at instant ``at`` of a session, with what history knows of its open candles.

    The stream has every tick from ``seen_from`` on; what history covers is not taken from it again.
    """
    line.start(at, 0)
    taken = max(past.ends, seen_from)
    if past.candles:
        line.price = max(past.candles, key=lambda candle: candle.close_time).close
    for series in line.series:
        if series.source is None:
            fill(series, past, taken)
        else:
            fill(series, past, min(taken, series.source.current.open_time))


def extend(line: Timeline, timeframes: Iterable[Timeframe], past: History, now: int) -> None:
    """Add timeframes to a line that runs, ``now`` in event time; those it has stay as they are.

    A new one takes from what it nests in and feeds only other new ones: an old one has already been
    fed. Its open candle is partial unless history covers it.
    """
    have = {series.timeframe for series in line.series}
    wanted = have.union(timeframes)
    if not line.started:
        line.rebuild(chain(wanted, line.calendar))
        return
    for timeframe in sorted(wanted - have):
        source = next((s for s in reversed(line.series) if nests(s.timeframe, timeframe)), None)
        series = Series(timeframe, line.calendar, source)
        if source is None:
            series.advance(now)
            fill(series, past, now)
        else:
            source.fed.append(series)
            series.place(source.current.open_time)
            fill(series, past, source.current.open_time)
        line.insert(series)
