"""From repeated snapshots of a symbol to the ticks in them: a pure step over what was seen before.

OpenAlgo publishes one broker packet on up to three topics (LTP, QUOTE, DEPTH) and repeats the last trade
whenever anything else changes, so a message is not a trade. The rules, in the order of ``step``:

- A symbol follows the richest mode heard within ``FOLLOW``; poorer ones repeat it and are no trades.
- With a volume, a trade happened if the volume or the price changed; without one, if price or time did.
- ``volume`` counts the day, so the size of a trade is its difference (candles.md 3).
- What is no trade and changes no bid or ask is a repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec
from msgspec import Struct

from bus.feeds.errors import FrameRefused
from bus.feeds.readings import Snapshot
from bus.messages import TICK_VOLUME_UNKNOWN, Tick

FOLLOW = 10 * 10**9
"""Silence in ns after which a richer mode no longer hides a poorer one: it was unsubscribed."""
RESTATED_AFTER = 5
"""Readings in a row below the counter after which the lower counter is taken for a restated one. One wrong
high reading would otherwise have every later one of the day refused."""

TradingDay = Callable[[str, int], Hashable]
"""(symbol, ts in ns) -> label of its trading day, None where no session is near."""


class Seen(Struct, frozen=True):
    """What is remembered of one symbol. ``owed`` flags the next trade after a volume without baseline."""

    richness: int = 0
    richness_at: int = 0
    last: float | None = None
    stamp: int = 0
    volume: float | None = None
    days: tuple[Hashable, Hashable] = (None, None)
    drops: int = 0
    owed: bool = False
    quote: tuple[float | None, ...] = (None, None, None, None)


class Step(Struct, frozen=True):
    """``seen`` to remember, and a tick, a refusal, or neither for a repetition."""

    seen: Seen
    tick: Tick | None = None
    refused: FrameRefused | None = None


def utc_day(_symbol: str, ts: int) -> Hashable:
    """Give the day number in UTC, for feeds without a calendar."""
    return ts // (86_400 * 10**9)


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
        days = (
            trading_day(snap.symbol, stamp),
            trading_day(snap.symbol, snap.published_at or snap.received_at),
        )
        delta = _delta(seen, snap.volume, days)
        if delta is None and seen.volume is not None and seen.drops + 1 < RESTATED_AFTER:
            refused = FrameRefused(
                "volume_decrease",
                f"{snap.symbol}: the volume of the day fell from {seen.volume:.15g} to {snap.volume:.15g}",
            )
            return Step(msgspec.structs.replace(seen, drops=seen.drops + 1), refused=refused)
        if delta != 0:  # the days are those of the last change: a counter at rest has not begun a new day
            after = msgspec.structs.replace(
                after, volume=snap.volume, days=days, owed=after.owed or delta is None
            )
        size = delta or 0.0
    if traded:
        flags = TICK_VOLUME_UNKNOWN if after.owed else 0
        return Step(msgspec.structs.replace(after, owed=False), _trade(snap, stamp, size, flags))
    return Step(after, _quote(snap) if quoted else None)


def _is_trade(seen: Seen, snap: Snapshot, stamp: int) -> bool:
    """Tell whether a trade happened since ``seen``.

    Where the volume counts, time tells nothing: some brokers stamp a repeated trade with the wall clock.
    The first volume after a price alone (LTP, then QUOTE of the same packet) is a baseline, no trade.
    """
    if snap.volume and seen.volume is not None:
        return snap.volume != seen.volume or snap.last != seen.last
    return snap.last != seen.last or stamp != seen.stamp


def _delta(seen: Seen, volume: float, days: tuple[Hashable, Hashable]) -> float | None:
    """Give the volume traded since ``seen``, None without a baseline to subtract (candles.md 3).

    A lower counter on a new trading day was reset, and all of it is new. The day of the publisher's clock
    counts as well as that of the last trade: before the open, brokers send 0 with yesterday's trade.
    """
    if seen.volume is None:
        return None
    if volume >= seen.volume:
        return volume - seen.volume
    new_day = any(day is not None and day != before for day, before in zip(days, seen.days, strict=True))
    return volume if new_day else None


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
