"""Turns for one strategy, and where it stands after those handed out so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from bus import topics
from bus.messages import Candle, Candles
from sandbox.backlog import Backlog, Ending, Item


class Batch(NamedTuple):
    """Events of one turn; ``oldest`` is when its first was received, ``calls`` how many they may cause.

    ``ends`` names the command it ends with, if that ends a turn.
    """

    events: list[tuple[bytes, bytes]]
    calls: int
    oldest: float
    ends: Ending


_candles = msgspec.msgpack.Decoder(Candles).decode


class Handout:
    """Takes turns from a backlog and keeps the position that belongs to them."""

    def __init__(self, backlog: Backlog) -> None:
        self.ticks = 0
        """Ticks and, below, candles handed out so far."""
        self.candles = 0
        self.replayed = 0
        """Messages from the tape, likewise."""
        self.ends: Ending = ""
        """Command that the last turn ends with: what a strategy may answer depends on it."""
        self.request = 0
        """Number of the question that the last turn ends with, 0 for none."""
        self.replaying = False
        """The last turn holds something from the tape."""
        self.pulses = 0
        """Seconds of the tape that it holds, begun ones included: there is a pulse for each."""
        self.paused = False
        """The strategy is, after the last turn."""
        self.tape = 0
        """What numbers ``position``; 0 where it is the run of the engine."""
        self.at = 0
        """Offset of the tape before which there is nothing that was not handed out."""
        self.position: dict[bytes, int] = {}
        """Last sequence by topic."""
        self._backlog = backlog
        self._closed: dict[tuple[str, str], int] = {}  # (symbol, timeframe) -> close time

    def stand(self, position: Mapping[bytes, int], at: int, tape: int) -> None:
        """Begin there, or go on there with another numbering."""
        self.position, self.at, self.tape = dict(position), at, tape

    def note_closed(self, candles: Iterable[Candle]) -> None:
        """Note candles that the strategy knows."""
        for candle in candles:
            self._closed[candle.symbol, candle.timeframe] = candle.close_time

    def unknown(self, candles: Iterable[Candle]) -> list[Candle]:
        """Return those that closed after what it knows, in the order in which they did."""
        new = [c for c in candles if c.close_time > self._closed.get((c.symbol, c.timeframe), 0)]
        return sorted(new, key=moment)

    def next_turn(self, ticks: int) -> Batch | None:
        """Return the next turn, at most ``ticks`` ticks (but one message at least); None if nothing waits."""
        while items := self._backlog.take(ticks):
            self.ends, self.pulses, self.replaying = items[-1].ends, 1, False
            self.request = items[-1].request
            events = []
            calls = 0
            oldest = 0.0
            for item in items:
                self._move_on(item)
                if item.kind != "standing":
                    events.append((item.topic, item.payload))
                    calls += item.calls
                    oldest = oldest or item.at
            if events:
                return Batch(events, calls, oldest, self.ends)
        return None

    def _move_on(self, item: Item) -> None:
        if item.replayed:
            self.replaying = True
            self.replayed += 1
        if item.last:
            self.position[item.topic] = item.last
        if item.offset:
            self.at = item.offset
        if item.pauses is not None:
            self.paused = item.pauses
        if item.kind == "ticks":
            self.ticks += item.calls
        elif item.kind == "candles":
            self.candles += item.calls - 1
            self.note_closed(_candles(item.payload).candles)
        elif item.kind == "standing":
            stands = item.standing
            if stands.whole:
                self.stand(stands.position, stands.at, stands.tape)
            else:
                self.position.update(stands.position)
                self.at = stands.at or self.at
        elif item.replayed and item.topic == topics.PULSE:
            self.pulses += 1


def moment(candle: Candle) -> tuple[int, str]:
    """Return when a candle closed, and of what: one message holds all of one moment."""
    return candle.close_time, candle.symbol
