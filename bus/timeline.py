"""The timeframes of one symbol closing in event time: which boundary is next, and what closes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from bus.captured import LineState
from bus.folding import Stream, finish, flat
from bus.messages import Candle
from bus.outages import Backfill, Outage
from bus.series import FAR, Series, captured_chain, chain
from bus.sessions import SessionCalendar
from bus.timeframes import Timeframe

Synthetic: TypeAlias = Literal["deliver", "history_only", "off"]


class Closed(Struct, frozen=True):
    """Everything that closed at one instant, ascending timeframe (rule 9).

    ``candles`` are for strategies. ``withheld`` are for histories and charts only: partial or
    incomplete ones, and synthetic ones under ``history_only``.
    """

    as_of: int
    candles: list[Candle]
    withheld: list[Candle]


class Timeline:
    """All series of a symbol, and the one place where they close.

    ``boundary`` is the next instant at which a candle ends, ``closed_to`` the last at which one ended:
    what is older than that is late. ``price`` is the last close, None while unknown.
    """

    __slots__ = (
        "backfill", "boundary", "calendar", "closed_to", "outage", "price", "roots", "series", "started",
        "stream", "synthetic",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, timeframes: Sequence[Timeframe], calendar: SessionCalendar, synthetic: Synthetic
    ) -> None:
        self.stream = stream
        self.calendar = calendar
        self.synthetic = synthetic
        self.series: list[Series] = []
        self.roots: list[Series] = []
        self.rebuild(chain(timeframes, calendar))
        self.outage = Outage()
        self.backfill = Backfill()
        self.boundary = FAR
        self.closed_to = 0
        self.price: float | None = None
        self.started = False

    def rebuild(self, series: list[Series]) -> None:
        """Take these series, ascending by timeframe, instead of those there are."""
        self.series = series
        self.roots = [one for one in series if one.source is None]

    def insert(self, series: Series) -> None:
        """Take one series more, placed and filled already."""
        self.rebuild(sorted((*self.series, series), key=lambda one: one.timeframe))
        self.taint()
        self._aim()

    def start(self, at: int, since: int) -> None:
        """Begin at ``at``, an instant in session; what opened before ``since`` is partial (rule 7)."""
        self.started = True
        for series in self.series:
            series.place(at)
            series.current.partial = series.current.open_time < since
        # An instant before the first interval has no candle to go to, as if it had been closed.
        self.closed_to = max((root.current.open_time for root in self.roots), default=0)
        self.taint()
        self._aim()

    def capture(self) -> LineState:
        """Return what is open and what decides how it closes."""
        return LineState(
            tuple(series.capture() for series in self.series),
            self.started,
            self.closed_to,
            self.price,
            (self.outage.since, self.outage.until),
            *self.backfill.capture(),
        )

    def restore(self, state: LineState) -> None:
        """Go on from what was captured. ``ValueError`` if the calendar cuts the time in another way now."""
        series = captured_chain(state.series, self.calendar, self.stream.symbol)
        self.rebuild(series)
        self.started, self.closed_to, self.price = state.started, state.closed_to, state.price
        self.outage.since, self.outage.until = state.outage
        self.backfill.restore(state.missing, state.asked)
        for one in series:
            if self.started and one.current.open_time == FAR:
                one.advance(self.closed_to)  # a calendar that ended there may have gone on since
        self._aim()

    def taint(self) -> None:
        """Mark what is open and touched by the outage: it will be incomplete (rule 6)."""
        for series in self.series:
            for accumulator in (series.current, *series.ahead.values()):
                accumulator.tainted |= self.outage.touches(accumulator)

    def close(self, limit: int, quiet_from: int = FAR) -> Closed | None:
        """Close what ends at ``boundary``, the smallest timeframe first, and go on to the next one.

        ``limit`` is the instant up to which everything is due: stretches without a candle to make are
        passed over in one step. No synthetic candle opens at or after ``quiet_from``. None if there is
        nothing to tell.
        """
        at = self.boundary
        self.closed_to = max(self.closed_to, at)
        candles: list[Candle] = []
        withheld: list[Candle] = []
        for series in self.series:
            if series.current.close_time != at:
                continue
            candle = self._finish(series, quiet_from)
            if candle is not None:
                series.last = candle
                for higher in series.fed:
                    higher.current.fold(candle)
                (candles if self._deliverable(candle) else withheld).append(candle)
        busy = any(root.ahead for root in self.roots)
        for series in self.series:
            if series.current.close_time == at:
                self._advance(series, limit, quiet_from, busy=busy)
        self._aim()
        return Closed(at, candles, withheld) if candles or withheld else None

    def session_end(self) -> int:
        """End of the segment in which the next boundary lies, or which it ends."""
        segment = self.calendar.segment(self.boundary - 1)
        return self.boundary if segment is None else segment[1]

    def _finish(self, series: Series, quiet_from: int) -> Candle | None:
        content, timeframe = series.current, series.timeframe.id
        if content.tainted:
            self.backfill.want(timeframe, content.open_time, content.close_time)
        if not content.empty:
            self.price = content.close
            return finish(content, self.stream, timeframe)
        untold = content.partial or content.tainted or content.open_time >= quiet_from
        if untold or self.price is None or self.synthetic == "off":
            return None
        return flat(content, self.stream, timeframe, self.price)

    def _deliverable(self, candle: Candle) -> bool:
        if candle.partial or candle.quality != "ok":
            return False
        return not candle.synthetic or self.synthetic == "deliver"

    def _advance(self, series: Series, limit: int, quiet_from: int, *, busy: bool) -> None:
        """Open the next interval; leap over those that are due, empty, and would give no candle."""
        series.advance(series.current.close_time)
        current = series.current
        current.tainted |= self.outage.touches(current)
        silent = self.synthetic == "off" or current.open_time >= quiet_from
        leap = limit if silent else min(limit, self.outage.until - 1)
        if busy or not current.empty or leap < current.close_time:
            return
        if silent or current.tainted:
            opens = current.open_time
            was_tainted = current.tainted
            series.advance(leap)
            current = series.current
            current.tainted |= self.outage.touches(current)
            self.closed_to = max(self.closed_to, min(current.open_time, limit))
            if was_tainted:
                self.backfill.want(series.timeframe.id, opens, min(current.open_time, self.outage.until))

    def _aim(self) -> None:
        self.boundary = min((series.current.close_time for series in self.series), default=FAR)
