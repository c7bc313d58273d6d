"""Whether a reading is new, whole, in order and in time: the judgement over everything one feed has sent.

``bus/intake.py`` decodes and counts; this remembers and decides. Times are ns, ``now`` is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bus.feeds import checks, health, snapshots
from bus.feeds.errors import FrameRefused
from bus.feeds.readings import EARLIEST, Decoded, Reading, Snapshot
from bus.feeds.symbols import Symbols
from bus.feeds.track import DUPLICATE, RESTARTED, SymbolKnown, Track
from bus.messages import Bar, Heartbeat, Tick


class Judge:
    """What is remembered of one feed and its symbols, and what was delivered of it.

    ``reorder`` and ``ahead`` are the allowances, in ns, for ticks behind the newest and ahead of ``now``.
    """

    def __init__(
        self,
        name: str,
        wire_format: str,
        *,
        venue_suffix: bool,
        reorder: int,
        ahead: int,
        trading_day: snapshots.TradingDay,
    ) -> None:
        self.name = name
        self.format = wire_format
        self.ticks = 0
        self.bars = 0
        self.heartbeats = 0
        self.gaps = 0
        self.duplicates = 0
        self.crossed = 0
        """Ticks with a bid above the ask. They are delivered: vendors' own candles are made with them."""
        self.sequenced = False
        """Whether the publisher counts its ticks, so that gaps can be told."""
        self.untimed = False
        """Whether any reading came without the exchange's time."""
        self.last_tick_at: int | None = None
        """When the last tick was received."""
        self.watermark = 0
        """The newest event time of the feed, heartbeats included."""
        self.announced = ""
        """Where the publisher says, in its heartbeats, that it serves what was missed; "" for nowhere."""
        self.gapped: dict[str, health.Gap] = {}
        """Gaps per symbol since ``health`` was last asked: ask at once when this is not empty."""
        self._symbols = Symbols(name, venue_suffix=venue_suffix)
        # only the native feed sends what the hot path reads
        self._topics = self._symbols.by_topic if wire_format == "native" else {}
        self._reorder = reorder
        self._ahead = ahead
        self._trading_day = trading_day
        self._timed = wire_format == "native"
        self._last_ts = 0
        self._heard_at = 0
        self._beat_at = 0

    @property
    def symbols(self) -> int:
        """How many distinct symbols were heard of."""
        return len(self._symbols)

    @property
    def positions(self) -> dict[str, int]:
        """The last number of every symbol that is counted."""
        return {
            track.symbol: track.next_seq - 1
            for track in self._symbols.tracks()
            if track.next_seq is not None and track.next_seq > 0
        }

    def known(self) -> dict[str, SymbolKnown]:
        """What must outlive an engine, of every symbol that is counted."""
        return {track.symbol: known for track in self._symbols.tracks() if (known := track.known())}

    def resume(self, known: Mapping[str, SymbolKnown], watermark: int) -> None:
        """Go on from what another engine knew; ``FrameRefused`` for a name that is no symbol."""
        for symbol, one in known.items():
            self._symbols.track(symbol, "").resume(one)
        self.sequenced = bool(known)
        self.watermark = watermark

    @property
    def lag_ms(self) -> float | None:
        """How far the last tick's event time was behind its receipt."""
        return None if self.last_tick_at is None else (self.last_tick_at - self._last_ts) / 1e6

    def _is_next(self, track: Track, tick: Tick, now: int) -> bool:
        """Take the one case that matters for speed: next in sequence, and the newest of all.

        Every other tick, good or bad, is left to ``_tick``; the two agree on all that this one takes.
        """
        ts, seq, bid, ask = tick.ts, tick.seq, tick.bid, tick.ask
        if (
            not (track.newest <= ts <= now + self._ahead)
            or seq != track.next_seq
            or tick.symbol != track.symbol
            or tick.flags
            or (tick.trade_id is not None and (tick.last is None or track.knows(tick.trade_id)))
        ):
            return False
        if tick.last is not None:
            track.traded_at = ts
        elif bid is not None or ask is not None:
            track.quoted_at = ts
        else:
            return False
        if seq is not None:
            track.next_seq = seq + 1
        track.newest = self._last_ts = ts
        if tick.trade_id is not None:
            track.remember(tick.trade_id, self._reorder)
        if ts > self.watermark:  # noqa: PLR1730  (max() is a call, three times the price)
            self.watermark = ts
        self.last_tick_at = now
        self.ticks += 1
        if bid is not None and ask is not None and bid > ask:
            self.crossed += 1
        return True

    def _passes_over(self, item: Decoded | FrameRefused, now: int, reached: dict[str, int]) -> bool:
        """Tell whether an item shows that something before it is missing; nothing is taken note of.

        ``reached`` holds how far the items before it in the same message came.
        """
        if isinstance(item, Heartbeat):
            if not EARLIEST <= item.ts <= now + self._ahead:
                return False
            return any(
                (track := self._symbols.find(symbol)) is not None and track.misses(last_seq + 1)
                for symbol, last_seq in item.last_seq.items()
            )
        if not isinstance(item, Reading) or not isinstance(item.body, Tick) or item.body.seq is None:
            return False
        track = self._symbols.find(item.body.symbol)
        if track is None or track.next_seq is None:
            return False
        expected = reached.get(track.symbol, track.next_seq)
        reached[track.symbol] = max(expected, item.body.seq + 1)
        return item.body.seq > expected

    def _judge(self, reading: Reading, now: int) -> Tick | Bar | None:
        """Judge one reading: what to deliver, or None for a repetition; raises ``FrameRefused``."""
        body = reading.body
        track = self._symbols.track(body.symbol, reading.venue)
        if body.symbol != track.symbol:
            body = msgspec.structs.replace(body, symbol=track.symbol)
        if isinstance(body, Snapshot):
            return self._snapshot(track, body, reading.untimed, now)
        if isinstance(body, Bar):
            return self._bar(track, body, now)
        if not reading.untimed and self._is_next(track, body, now):
            self._timed = True
            return body
        return self._tick(track, body, reading.untimed, now)

    def _tick(self, track: Track, tick: Tick, untimed: bool, now: int) -> Tick | None:
        """Judge a tick; of a refused one nothing is kept but its sequence number, which did arrive."""
        symbol, ts, trade_id = track.symbol, tick.ts, tick.trade_id
        if tick.seq is not None and not self._in_sequence(track, tick.seq, ts):
            return None
        checks.check_price(symbol, tick)
        if trade_id is not None and track.knows(trade_id):
            return None
        checks.check_time(symbol, ts, now, self._ahead)
        traded = tick.last is not None
        if untimed:
            # a clock of ours may be set back; the market did not run backwards for that
            ts = track.stamped_at = max(ts, track.stamped_at)
            if ts != tick.ts:
                tick = msgspec.structs.replace(tick, ts=ts)
        else:
            checks.check_order(symbol, ts, track.traded_at if traded else track.quoted_at, self._reorder)
            track.advance(ts, traded)
        if trade_id is not None:
            track.remember(trade_id, self._reorder)
        self._advance(ts, untimed)
        self._last_ts, self.last_tick_at = ts, now
        self.ticks += 1
        if tick.bid is not None and tick.ask is not None and tick.bid > tick.ask:
            self.crossed += 1
        return tick

    def _snapshot(self, track: Track, snap: Snapshot, untimed: bool, now: int) -> Tick | None:
        step = snapshots.step(track.seen, snap, now, self._trading_day)
        if step.refused is not None:
            track.seen = step.seen
            raise step.refused
        tick = step.tick
        if tick is not None:
            tick = self._tick(track, tick, untimed or tick.last is None, now)
        track.seen = step.seen
        return tick

    def _bar(self, track: Track, bar: Bar, now: int) -> Bar | None:
        """Judge a feed's own candle: whole, in order, and not changed after it was closed."""
        checks.check_time(track.symbol, bar.open_time, now, self._ahead)
        if not checks.check_bar(track, bar):
            return None
        track.bars[bar.timeframe] = (bar.open_time, bar.closed)
        self._advance(bar.open_time, untimed=False)
        self.bars += 1
        return bar

    def _beat(self, beat: Heartbeat, now: int) -> list[FrameRefused]:
        """Take a heartbeat: the feed lives, and its last numbers tell what was lost before a silence.

        Gives the refusals of single symbols in it; raises ``FrameRefused`` if all of it is no good.
        """
        refusals: list[FrameRefused] = []
        checks.check_time("heartbeat", beat.ts, now, self._ahead)
        self.heartbeats += 1
        self._heard_at = self._beat_at = now
        self.announced = beat.recovery
        self._advance(beat.ts, untimed=False)
        for symbol, last_seq in beat.last_seq.items():
            if last_seq < 0:
                refusals.append(FrameRefused("not_positive", f"{symbol[:64]!a}: last_seq {last_seq} < 0"))
                continue
            try:
                track = self._symbols.track(symbol, "")
            except FrameRefused as refused:
                refusals.append(refused)
                continue
            self.sequenced = True
            self._missed(track, track.follow_to(last_seq), beat.ts)
        return refusals

    def _in_sequence(self, track: Track, seq: int, ts: int) -> bool:
        """Take note of a sequence number; False for one that was here before."""
        self.sequenced = True
        missing = track.follow(seq, ts)
        if missing == DUPLICATE:
            return False
        self._missed(track, missing, ts)
        return True

    def _missed(self, track: Track, missing: int, until: int) -> None:
        if missing == 0:
            return
        self.gaps += 1
        restarted = missing == RESTARTED
        gap = health.Gap(track.symbol, track.newest, until, 0 if restarted else missing, restarted)
        before = self.gapped.get(track.symbol)
        self.gapped[track.symbol] = before.join(gap) if before else gap

    def _advance(self, ts: int, untimed: bool) -> None:
        """Move the watermark. Where the exchange tells any times, ours must not run ahead of them."""
        if untimed:
            self.untimed = True
            if self._timed:
                return
        else:
            self._timed = True
        self.watermark = max(self.watermark, ts)
