"""One timeframe of one symbol: the interval that closes next, and where its content comes from.

``chain`` arranges the timeframes of a symbol: each takes what the largest smaller one that nests in it
has closed, so that a higher candle *is* the fold of its lower ones and a tick is folded only into the
roots, those that nothing nests in. With 1m 5m 1h 1d there is one root; 5m 7m are two.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.captured import LastClosed, OpenCandle, SeriesState
from bus.folding import Accumulator
from bus.messages import Candle
from bus.sessions import SessionCalendar
from bus.timeframes import Timeframe, nests, parse

FAR = 2**63 - 1
"""The end of time: close of a series whose calendar ends."""


class Series:
    """The candles of one timeframe.

    ``current`` is the oldest interval that is not closed, possibly empty. ``ahead`` holds younger ones,
    by open time, that ticks reached while ``lateness`` kept the current one open (roots only).
    ``last`` is the last closed candle, if any. ``source`` is None for a root.
    """

    __slots__ = ("ahead", "calendar", "current", "fed", "last", "source", "timeframe")

    def __init__(self, timeframe: Timeframe, calendar: SessionCalendar, source: Series | None) -> None:
        self.timeframe = timeframe
        self.calendar = calendar
        self.source = source
        self.fed: list[Series] = []
        self.current = Accumulator(FAR, FAR)
        self.ahead: dict[int, Accumulator] = {}
        self.last: Candle | None = None

    def place(self, at: int) -> None:
        """Make the interval that holds ``at``, an instant in session, the current one; empty."""
        opens, closes = self.calendar.bounds(self.timeframe, at) or (FAR, FAR)
        waiting = self.ahead.pop(opens) if opens in self.ahead else None
        self.current = Accumulator(opens, closes) if waiting is None else waiting

    def holding(self, at: int) -> Accumulator:
        """The accumulator whose interval holds ``at``, in session and not before the current one."""
        if at < self.current.close_time:
            return self.current
        for accumulator in self.ahead.values():
            if accumulator.open_time <= at < accumulator.close_time:
                return accumulator
        opens, closes = self.calendar.bounds(self.timeframe, at) or (FAR, FAR)
        self.ahead[opens] = Accumulator(opens, closes)
        return self.ahead[opens]

    def advance(self, after: int) -> None:
        """Go on to the interval that holds the first instant in session at or after ``after``."""
        opens = self.calendar.next_open(after)
        if opens is None:
            self.current = Accumulator(FAR, FAR)
        else:
            self.place(opens)

    def content(self) -> Accumulator:
        """A copy of the current content with everything that is still open below: the forming candle."""
        forming = self.current.copy()
        below = self.source
        while below is not None:
            for part in (below.current, *below.ahead.values()):
                if part.open_time < forming.close_time:
                    forming.absorb(part)
            below = below.source
        return forming

    def capture(self) -> SeriesState:
        """Return what is open, where it comes from, and the last closed candle."""
        last = None
        if (c := self.last) is not None:
            last = LastClosed(c.open_time, c.close_time, c.open, c.high, c.low, c.close, c.volume)
        return SeriesState(
            self.timeframe.id,
            "" if self.source is None else self.source.timeframe.id,
            self.current.capture(),
            tuple(accumulator.capture() for _, accumulator in sorted(self.ahead.items())),
            last,
        )

    def restore(self, state: SeriesState, symbol: str) -> None:
        """Take what was captured. ``ValueError`` if the calendar cuts the time in another way now."""
        for captured in (state.current, *state.ahead):
            self._check(captured)
        self.current = Accumulator.of(state.current)
        self.ahead = {captured.open_time: Accumulator.of(captured) for captured in state.ahead}
        if (c := state.last) is not None:
            prices = (c.open, c.high, c.low, c.close)
            self.last = Candle(symbol, self.timeframe.id, c.open_time, c.close_time, *prices, c.volume)

    def _check(self, captured: OpenCandle) -> None:
        span = (captured.open_time, captured.close_time)
        if captured.open_time != FAR and self.calendar.bounds(self.timeframe, captured.open_time) != span:
            raise ValueError(f"a candle of {self.timeframe.id} over {span} is none of {self.calendar.name}")


def chain(timeframes: Iterable[Timeframe], calendar: SessionCalendar) -> list[Series]:
    """Return one series a timeframe, ascending, each linked to its source."""
    series: list[Series] = []
    for timeframe in sorted(set(timeframes)):
        source = next((s for s in reversed(series) if nests(s.timeframe, timeframe)), None)
        made = Series(timeframe, calendar, source)
        if source is not None:
            source.fed.append(made)
        series.append(made)
    return series


def captured_chain(states: Iterable[SeriesState], calendar: SessionCalendar, symbol: str) -> list[Series]:
    """Return the series that were captured, ascending, linked as they were. ``ValueError`` as ``restore``."""
    made: dict[str, Series] = {}
    for state in states:
        source = made[state.source] if state.source else None
        series = made[state.timeframe] = Series(parse(state.timeframe), calendar, source)
        if source is not None:
            source.fed.append(series)
        series.restore(state, symbol)
    return list(made.values())
