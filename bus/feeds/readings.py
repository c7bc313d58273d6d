"""What an adapter makes of one message, before anything is known about the messages around it.

Adapters are pure and stateless: bytes in, readings out. Whether a reading is new, in order, in time and
whole is judged by ``bus/intake.py``, which remembers.
"""

from __future__ import annotations

import math
from struct import Struct as Packing
from typing import Literal, TypeAlias

from msgspec import Struct

from bus.feeds.errors import FrameRefused
from bus.messages import Bar, Heartbeat, Tick

EARLIEST = 10**17
"""1973-03-03T09:46:40Z. As nanoseconds, anything smaller is a wrong unit or a zeroed field."""
LATEST = 4_102_444_800 * 10**9
"""2100-01-01T00:00:00Z."""
LARGEST = 1e15
"""Largest price or size, as in ``bus/messages.py``."""

_FLOAT32 = Packing("<f")


class Ignored(Struct, frozen=True):
    """A message that is known and is no market data: counted under ``name``, apart from refusals."""

    name: Literal["cache_invalidate", "orders", "positions", "margins", "opening_bar", "empty_batch"]


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state of one symbol, not an event: OpenAlgo repeats it on up to three topics.

    Times are ns, 0 where absent; prices and sizes None where absent. ``traded_at`` is the exchange's time
    of the last trade, ``published_at`` the publisher's clock. ``volume`` counts the shares of the day.
    ``richness``: 0 price only, 1 with volume, 2 with volume and depth.
    """

    symbol: str
    last: float | None
    richness: int
    received_at: int
    traded_at: int = 0
    published_at: int = 0
    volume: float | None = None
    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None


class Reading(Struct, frozen=True):
    """One reading with its ``venue`` ("" where the format has none).

    ``untimed`` says that the exchange gave no time, so that the reading is stamped with a clock of ours or
    of the publisher.
    """

    body: Tick | Bar | Snapshot
    venue: str = ""
    untimed: bool = False


Decoded: TypeAlias = Reading | Heartbeat | Ignored


def nanos(value: float) -> int:
    """Bring a Unix time in s, ms, us or ns to ns; the unit is told by its magnitude.

    1e11 is the year 5138 in seconds and March 1973 in milliseconds, and so on by factors of 1000: between
    1973 and 2100 the four units cannot be confused. Fractions are kept to the microsecond: a float of
    seconds has no more digits than that (2**-22 s at 1.6e9). Raises ``FrameRefused("time")``.
    """
    if not math.isfinite(value):
        raise FrameRefused("not_finite", f"the time is {value}")
    if value < 1e11:
        found = round(value * 1e6) * 1000
    elif value < 1e14:
        found = round(value * 1e3) * 1000
    elif value < 1e17:
        found = round(value) * 1000
    else:
        found = int(value)
    if not EARLIEST <= found < LATEST:
        raise FrameRefused("time", f"{value} is no time between 1973 and 2100 in s, ms, us or ns")
    return found


def optional_nanos(value: float | str | None) -> int:
    """Do ``nanos``, with 0 for a time that is not there: null, zero, or text that is no number.

    Some publishers send the number as text, some a local ``HH:MM:SS`` without date or zone, which is no
    time anybody could use.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    return nanos(value) if value and value > 0 else 0


def price(text: str, name: str) -> float:
    """Read a price written as text. Raises ``FrameRefused`` naming the field and the value."""
    try:
        value = float(text)
    except ValueError:
        raise FrameRefused("field", f"{name} {text[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise FrameRefused("not_finite", f"{name} is {value}")
    if value <= 0:
        raise FrameRefused("not_positive", f"{name} {value} is not > 0")
    if value > LARGEST:
        raise FrameRefused("too_large", f"{name} {value} is above {LARGEST:.0e}")
    return value


def side(value: float | None) -> float | None:
    """Give one side of a quote: text formats write 0 for a side on which nobody stands."""
    return value or None


def decimal_price(value: float) -> float:
    """Undo a detour through a 32-bit float: 1418.4000244140625 was 1418.4.

    Dhan's packets carry prices as float32, and the publisher widens them. Where ``value`` is exactly a
    float32, and the decimal of seven digits nearest to it is the same float32, that decimal is what the
    exchange said (IEEE 754: six digits always survive the round trip, nine always tell float32s apart).
    """
    near = float(f"{value:.7g}")
    if near == value or value > 1e30 or _FLOAT32.unpack(_FLOAT32.pack(value))[0] != value:
        return value
    return near if _FLOAT32.unpack(_FLOAT32.pack(near))[0] == value else value
