"""The clock of a feed: event time, moved on by the time that passes. Pure: monotonic time is an argument."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from bus.agenda import Agenda

RECORDED = 3600 * 1_000_000_000
"""Age in ns from which the events of a feed count as a recording."""
MARKS = 4096
MARK_EVERY = 10_000_000
"""Publication times remembered: one every 10 ms, for at least 40 s."""


class FeedClock:
    """Event time of one feed: its watermark, moved on by the time that passed since it last advanced.

    For a live feed this is the wall clock less the feed's lag; for a recording it is the recording's
    own time. So the timers that close candles mean the same in both, and a feed that lags does not have
    its candles closed over its head.

    The age of data is another question: a signal expires by the wall clock on a live feed, but on a
    recording, played at any speed, by the time that passed since the engine published the data. A feed
    whose events are over ``RECORDED`` old is a recording.

    While ``held`` it stands still at the watermark: something is missing that may still come, and until it
    has, no timer closes a candle over it.
    """

    __slots__ = ("_advanced_at", "_marks", "agenda", "healthy", "held", "watermark")

    def __init__(self) -> None:
        self.watermark = 0
        self.healthy = True
        self.held = False
        self.agenda = Agenda()
        self._advanced_at = 0
        self._marks: deque[tuple[int, int]] = deque(maxlen=MARKS)

    def advance(self, event_time: int, monotonic: int) -> None:
        """Take note of the newest event time, in ns; an older one changes nothing."""
        if event_time > self.watermark:
            self.watermark = event_time
            self._advanced_at = monotonic
            marks = self._marks
            if marks and monotonic - marks[-1][1] < MARK_EVERY:
                marks[-1] = (event_time, marks[-1][1])
            else:
                marks.append((event_time, monotonic))

    def now(self, monotonic: int) -> int:
        """Event time at this monotonic instant, 0 before the first event."""
        if self.held or not self.watermark:
            return self.watermark
        return self.watermark + monotonic - self._advanced_at

    def release(self, monotonic: int) -> None:
        """Go on after ``held``, from the watermark: the time that was waited is not made up for."""
        if self.held:
            self.held = False
            self._advanced_at = max(self._advanced_at, monotonic)

    def judged_at(self, event_time: int, monotonic: int, wall: int) -> int:
        """Return the time at which to judge a signal based on data of ``event_time``, in event time."""
        if wall - self.watermark < RECORDED:
            return wall
        marks = self._marks
        # The first mark that reached the data is when it was published, to 10 ms.
        at = bisect_left(marks, (event_time, 0))
        seen = marks[at][1] if at < len(marks) else monotonic
        return event_time + monotonic - seen
