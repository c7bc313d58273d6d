"""How long a signal lives after the data that caused it, and so how long its key must be remembered."""

from __future__ import annotations

from typing import Final

from bus.messages import Signal

SECOND: Final = 1_000_000_000
CLOCK_SKEW: Final = 5 * SECOND
"""How far in the future data may be; the feeds refuse ticks beyond the same bound."""
ENTRY_TTL: Final = 30 * SECOND
SHORTEST_TTL: Final = 1 * SECOND
"""A quarter of a one-second candle is 250 ms, which is the candle's own grace before a timer closes it."""
EXIT_TTL: Final = 300 * SECOND
MAX_TTL: Final = 86_400 * SECOND
"""The longest ``ttl_ms`` that decodes; beyond it a repeated signal is expired, so no key is needed."""
KEY_LIFE: Final = MAX_TTL + CLOCK_SKEW
"""How long the key of an accepted signal is kept, ns: beyond it a repetition is expired anyway."""

# Months, weeks and days are far beyond the 30 s cap: their exact length does not matter here.
_UNITS: Final = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}


def ttl(signal: Signal, exits: bool) -> int:
    """Return how old the data of ``signal`` may be in ns: what it asks for, else the default.

    Entries live a quarter of their timeframe, at most 30 s and at least 1 s; exits five minutes.
    """
    if signal.ttl_ms is not None:
        return min(signal.ttl_ms * 1_000_000, MAX_TTL)
    if exits:
        return EXIT_TTL
    unit = _UNITS.get(signal.timeframe[-1:])
    if unit is None or not signal.timeframe[:-1].isdigit():
        return ENTRY_TTL
    return max(SHORTEST_TTL, min(int(signal.timeframe[:-1]) * unit // 4, ENTRY_TTL))
