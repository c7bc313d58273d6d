"""When the feed was unhealthy, and what that left out (candles.md rule 6)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from bus.captured import SPANS
from bus.folding import Accumulator
from bus.messages import Candle
from bus.series import FAR
from bus.sessions import Span
from bus.timeframes import parse

_SPANS_KEPT = 1000


class Outage:
    """The stretch of event time in which the feed was last unhealthy, ``[since, until)``."""

    __slots__ = ("since", "until")

    def __init__(self) -> None:
        self.since = self.until = 0

    @property
    def going_on(self) -> bool:
        """Whether the feed is unhealthy now."""
        return self.until == FAR

    def begin(self, since: int) -> None:
        """The feed is unhealthy from ``since``; a second call only moves the start back.

        Older than the intervals now open may be forgotten, since these carry their own mark; an outage
        that follows closely is joined with the one before, which errs to the side of caution.
        """
        self.since = min(self.since, since) if self.going_on else since
        self.until = FAR

    def end(self, until: int) -> None:
        """The feed is healthy again from ``until``."""
        if self.going_on:
            self.until = until

    def touches(self, accumulator: Accumulator) -> bool:
        """Whether any part of the interval is in the outage."""
        return accumulator.open_time < self.until and accumulator.close_time > self.since


class Backfill:
    """Which intervals lack data because the feed was unhealthy, until history delivers them, once."""

    __slots__ = ("_asked", "_missing")

    def __init__(self) -> None:
        self._missing: dict[str, list[Span]] = {}
        self._asked: list[tuple[str, int, int]] = []

    def want(self, timeframe: str, opens: int, closes: int) -> None:
        """Note that ``[opens, closes)`` of a timeframe is missing or incomplete."""
        spans = self._missing.setdefault(timeframe, [])
        spans.append((opens, closes))
        self._asked.append((timeframe, opens, closes))
        del spans[:-_SPANS_KEPT], self._asked[:-_SPANS_KEPT]

    def requests(self) -> list[tuple[str, int, int]]:
        """Return what is to be fetched since the last call: (timeframe id, from, to) in event time."""
        asked, self._asked = self._asked, []
        return asked

    def deliver(self, candles: Iterable[Candle]) -> list[Candle]:
        """Take official candles; return those that were missing, once each, marked ``backfilled``.

        In order of close time and timeframe. They come after younger ones, so they are for histories
        and for ``on_candle_corrected``.
        """
        wanted = [found for candle in candles if (found := self._accept(candle)) is not None]
        return sorted(wanted, key=lambda candle: (candle.close_time, parse(candle.timeframe)))

    def capture(self) -> tuple[dict[str, tuple[Span, ...]], tuple[tuple[str, int, int], ...]]:
        """Return the newest of what is missing, by timeframe, and of what was not asked for yet."""
        missing = {name: tuple(spans[-SPANS:]) for name, spans in self._missing.items() if spans}
        return missing, tuple(self._asked[-SPANS:])

    def restore(self, missing: dict[str, tuple[Span, ...]], asked: Iterable[tuple[str, int, int]]) -> None:
        """Take what was captured."""
        self._missing = {name: list(spans) for name, spans in missing.items()}
        self._asked = list(asked)

    def _accept(self, candle: Candle) -> Candle | None:
        spans = self._missing.get(candle.timeframe, [])
        for position, (opens, closes) in enumerate(spans):
            if opens <= candle.open_time and candle.close_time <= closes:
                rest = [(opens, candle.open_time), (candle.close_time, closes)]
                spans[position : position + 1] = [span for span in rest if span[0] < span[1]]
                return replace(candle, backfilled=True, closed=True, quality="ok", partial=False)
        return None
