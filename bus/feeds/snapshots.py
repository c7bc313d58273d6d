"""From repeated snapshots of a symbol to the ticks in them: a pure step over what was seen before.

OpenAlgo publishes one broker packet on up to three topics (LTP, QUOTE, DEPTH) and repeats the last trade
whenever anything else changes, so a message is not a trade. The rules, in the order of ``step``:

- A symbol follows the richest mode heard within ``FOLLOW``; poorer ones repeat it and are no trades.
- With a volume, a trade happened if the volume or the price changed; without one, if price or time did.
- ``volume`` counts the day, so the size of a trade is its difference (candles.md 3).
- What is no trade and changes no bid or ask is a repetition.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from bus.feeds.errors import FrameRefused
from bus.feeds.readings import Snapshot
from bus.messages import TICK_VOLUME_UNKNOWN, Tick

FOLLOW = 10 * 10**9
"""Silence in ns after which a richer mode no longer hides a poorer one: it was unsubscribed."""
DAY = 86_400 * 10**9
RESTATED_AFTER = 5
"""Readings in a row below the counter after which the lower counter is taken for a restated one. One wrong
high reading would otherwise have every later one of the day refused."""

TradingDay = Callable[[str, int], object]
"""(symbol, ts in ns) -> label of its trading day, anything that compares; None out of session."""


class Day(Struct, frozen=True):
    """The day of an instant: its trading day if it has one, and the day number in UTC."""

    label: object = None
    utc: int = 0

    def follows(self, before: Day) -> bool:
        """Tell whether this is another day; out of session only UTC can tell."""
        if self.label is not None and before.label is not None:
            return self.label != before.label
        return self.utc != before.utc


class Seen(Struct, frozen=True):
    """What is remembered of one symbol.

    ``stamp`` is the time of the last trade, ``today`` the days (of trade and of publication) on which
    ``volume`` last changed, ``drops`` how many lower counters were refused in a row. ``owed`` flags the
    next trade after a volume without baseline.
    """

    richness: int = 0
    richness_at: int = 0
    last: float | None = None
    stamp: int = 0
    volume: float | None = None
    today: tuple[Day, Day] = (Day(), Day())
    drops: int = 0
    owed: bool = False
    quote: tuple[float | None, ...] = (None, None, None, None)


class Step(Struct, frozen=True):
    """``seen`` to remember, and a tick, a refusal, or neither for a repetition."""

    seen: Seen
    tick: Tick | None = None
    refused: FrameRefused | None = None


def utc_day(_symbol: str, ts: int) -> object:
    """Give the day number in UTC, for feeds without a calendar."""
    return ts // DAY


def step(seen: Seen, snap: Snapshot, now: int, trading_day: TradingDay) -> Step:
    """Judge one snapshot against what was seen; ``now`` in ns."""
    quote = (snap.bid, snap.ask, snap.bid_size, snap.ask_size)
    quoted = quote != seen.quote and (snap.bid is not None or snap.ask is not None)
    after = msgspec.structs.replace(seen, quote=quote) if quoted else seen
    if snap.richness < seen.richness and now - seen.richness_at < FOLLOW:
        return Step(after, _quote(snap)) if quoted else Step(seen)
    stamp = snap.traded_at or snap.published_at or snap.received_at
    traded = _is_trade(seen, snap, stamp)
    after = msgspec.structs.replace(
        after, richness=snap.richness, richness_at=now, last=snap.last, stamp=stamp, drops=0
    )
    size: float | None = None
    if snap.volume is not None:
        counted = _count(seen, snap, snap.volume, stamp, trading_day)
        if isinstance(counted, FrameRefused):
            return Step(msgspec.structs.replace(seen, drops=seen.drops + 1), refused=counted)
        size, today = counted
        if snap.volume != seen.volume:  # the days of the last change: a counter at rest begins no new day
            owed = after.owed or size is None
            after = msgspec.structs.replace(after, volume=snap.volume, today=today, owed=owed)
        size = size or 0.0
    if traded:
        flags = TICK_VOLUME_UNKNOWN if after.owed else 0
        return Step(msgspec.structs.replace(after, owed=False), _trade(snap, stamp, size, flags))
    return Step(after, _quote(snap) if quoted else None)


def _count(
    seen: Seen, snap: Snapshot, volume: float, stamp: int, trading_day: TradingDay
) -> tuple[float | None, tuple[Day, Day]] | FrameRefused:
    """Give the volume traded since ``seen``, None without a baseline, and its days (candles.md 3).

    A lower counter on a new trading day was reset, and all of it is new. The day of the publisher's clock
    counts as well as that of the last trade: before the open, brokers send 0 with yesterday's trade.
    """
    traded_on, published_on = today = (
        _day(snap, stamp, trading_day),
        _day(snap, snap.published_at or snap.received_at, trading_day),
    )
    if seen.volume is None:
        return None, today
    if volume >= seen.volume:
        return volume - seen.volume, today
    if traded_on.follows(seen.today[0]) or published_on.follows(seen.today[1]):
        return volume, today
    if seen.drops + 1 >= RESTATED_AFTER:
        return None, today
    return FrameRefused(
        "volume_decrease",
        f"{snap.symbol}: the volume of the day fell from {seen.volume:.15g} to {volume:.15g}",
    )


def _day(snap: Snapshot, ts: int, trading_day: TradingDay) -> Day:
    return Day(trading_day(snap.symbol, ts), ts // DAY)


def _is_trade(seen: Seen, snap: Snapshot, stamp: int) -> bool:
    """Tell whether a trade happened since ``seen``.

    Where the volume counts, time tells nothing: some brokers stamp a repeated trade with the wall clock.
    The first volume after a price alone (LTP, then QUOTE of the same packet) is a baseline, no trade.
    """
    if snap.volume and seen.volume is not None:
        return snap.volume != seen.volume or snap.last != seen.last
    return snap.last != seen.last or stamp != seen.stamp


def _trade(snap: Snapshot, ts: int, size: float | None, flags: int) -> Tick:
    return Tick(
        snap.symbol,
        ts,
        last=snap.last,
        size=size,
        bid=snap.bid,
        ask=snap.ask,
        bid_size=snap.bid_size,
        ask_size=snap.ask_size,
        flags=flags,
    )


def _quote(snap: Snapshot) -> Tick:
    """Build a tick of bid and ask alone, at the publisher's time: the last trade is older than the quote."""
    return Tick(
        snap.symbol,
        snap.published_at or snap.received_at,
        bid=snap.bid,
        ask=snap.ask,
        bid_size=snap.bid_size,
        ask_size=snap.ask_size,
    )
