"""Which step of event time is a quiet market, and which one a hole in what a feed brought. Pure."""

from __future__ import annotations

from typing import Final

from bus.sessions import SessionCalendar

LEAP: Final = 10_000
"""Candles of the smallest timeframe that one step of event time may pass over as a quiet market: 2.8 hours of
seconds, a week of minutes. Beyond, it is a hole: a recording with days missing, a symbol that was last traded
long ago. Made up candle by candle, twelve years of empty seconds would hold the engine for half an hour."""


def is_hole(calendar: SessionCalendar, since: int, until: int, most: int) -> bool:
    """Whether more than ``most`` ns of trading time lie between two instants (ns): nights do not count."""
    passed, edge = 0, since
    while passed <= most:
        opens = calendar.next_open(edge)
        if opens is None or opens >= until:
            return False
        segment = calendar.segment(opens)
        edge = until if segment is None else min(segment[1], until)
        passed += edge - opens
    return True
