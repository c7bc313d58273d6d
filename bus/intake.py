"""One feed's way in: frames to ticks and bars that are new, whole, in order and in time. Pure: no socket.

Whatever comes in is delivered, or counted: as a duplicate, as ignored by name, or as rejected by reason
with its last example. Nothing raises and nothing stops. ``now`` is wall-clock ns since the epoch.

Order. The candle builder sorts what arrives out of order inside an open candle, so a tick may be behind
the newest of its symbol and kind (trade or quote) by ``reorder_s``. Two seconds: some brokers stamp one
message by the exchange's whole second and the next by their own clock, which sets neighbours apart by one
second and the latency. The trades that an exchange repeats on a new connection, newest first, are history:
on a recorded Bitfinex session they lie 42 s to 60 h back, far outside, and are refused as ``backwards``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from bus.feeds import checks, cryptofeed, dwx, foreign, health, native, openalgo, snapshots
from bus.feeds.errors import DECODE_ERRORS, FrameRefused
from bus.feeds.readings import EARLIEST, LATEST, Decoded, Ignored, Reading, Snapshot
from bus.feeds.symbols import Symbols
from bus.feeds.track import DUPLICATE, RESTARTED, Track
from bus.messages import Bar, FeedStatus, Heartbeat, Tick

Decode: TypeAlias = Callable[[Sequence[bytes], int], list[Decoded | FrameRefused]]

FORMATS: dict[str, Decode] = {
    "native": native.decode,
    "cryptofeed": cryptofeed.decode,
    "openalgo": openalgo.decode,
    "dwx": dwx.decode,
}

_NOTHING: Sequence[Tick | Bar] = ()


class Intake:
    """Counts, and what is remembered per symbol, of one feed.

    ``max_ahead_s`` is how far event time may be ahead of ``now``; None in a replay, where ``now`` is not
    the time of the data. ``silence_s`` makes a feed without heartbeats stale. ``trading_day`` labels the
    day of a volume counter, by default the day in UTC.
    """

    def __init__(
        self,
        name: str,
        wire_format: str,
        *,
        venue_suffix: bool = False,
        heartbeat_s: float = 3.0,
        silence_s: float = 60.0,
        reorder_s: float = 2.0,
        max_ahead_s: float | None = 5.0,
        trading_day: snapshots.TradingDay | None = None,
    ) -> None:
        self.name = name
        self.format = wire_format
        self.ticks = 0
        self.bars = 0
        self.heartbeats = 0
        self.gaps = 0
        self.duplicates = 0
        self.ignored: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.sequenced = False
        self.untimed = False
        self.last_tick_at: int | None = None
        """When the last tick was received."""
        self.watermark = 0
        """The newest event time of the feed, heartbeats included."""
        self.gapped: dict[str, health.Gap] = {}
        """Gaps per symbol since ``health`` was last asked: ask at once when this is not empty."""
        self._decode = FORMATS[wire_format]
        self._symbols = Symbols(name, venue_suffix=venue_suffix)
        # only the native feed sends what its hot path reads
        self._topics = self._symbols.by_topic if wire_format == "native" else {}
        self._reorder = int(reorder_s * health.SECOND)
        self._ahead = LATEST - EARLIEST if max_ahead_s is None else int(max_ahead_s * health.SECOND)
        self._heartbeat = int(heartbeat_s * health.SECOND)
        self._silence = int(silence_s * health.SECOND)
        self._trading_day = trading_day or snapshots.utc_day
        self._timed = wire_format == "native"
        self._last_ts = 0
        self._heard_at = 0
        self._beat_at = 0
        self._lost_at = 0
        self._lost = ""
        self._teller = health.Teller(name)

    @property
    def symbols(self) -> int:
        """How many distinct symbols were heard of."""
        return len(self._symbols)

    @property
    def lag_ms(self) -> float | None:
        """How far the last tick's event time was behind its receipt."""
        return None if self.last_tick_at is None else (self.last_tick_at - self._last_ts) / 1e6

    # ---- in -------------------------------------------------------------------------------------
    def accept(self, frames: Sequence[bytes], now: int) -> Sequence[Tick | Bar]:
        """Take one message; give what is to be delivered. Never raises on what a publisher can send."""
        if len(frames) != 2 or (track := self._topics.get(frames[0])) is None:
            return self._take(frames, now)
        try:
            tick = native.decode_tick(frames[1])
        except DECODE_ERRORS:
            return self._take(frames, now)
        if self._is_next(track, tick, now):
            return (tick,)
        if tick.symbol != track.symbol:
            return self._take(frames, now)
        return self._settle(Reading(native.own(tick)), now)

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
            or (bid is not None and ask is not None and bid > ask)
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
        return True

    def disconnected(self, why: str, now: int) -> None:
        """Take note that the connection was lost; the next usable message ends it."""
        self._lost, self._lost_at = why, now

    def _take(self, frames: Sequence[bytes], now: int) -> Sequence[Tick | Bar]:
        """Take any message of any format, the long way."""
        try:
            found = self._decode(frames, now)
        except FrameRefused as refused:
            self._refuse(foreign.identify(frames, refused))
            return _NOTHING
        return [body for item in found for body in self._settle(item, now)]

    def _settle(self, item: Decoded | FrameRefused, now: int) -> Sequence[Tick | Bar]:
        """Deliver or count one item of a message."""
        try:
            if isinstance(item, Ignored):
                self.ignored[item.name] = self.ignored.get(item.name, 0) + 1
                return _NOTHING
            if isinstance(item, FrameRefused):
                raise item
            if isinstance(item, Heartbeat):
                self._beat(item, now)
                return _NOTHING
            body = self._judge(item, now)
        except FrameRefused as refused:
            self._refuse(refused)
            return _NOTHING
        self._heard_at = now
        if body is None:
            self.duplicates += 1
            return _NOTHING
        return (body,)

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

    # ---- one of each kind -----------------------------------------------------------------------
    def _tick(self, track: Track, tick: Tick, untimed: bool, now: int) -> Tick | None:
        """Judge a tick; of a refused one nothing is kept but its sequence number, which did arrive."""
        symbol, ts, trade_id = track.symbol, tick.ts, tick.trade_id
        if tick.seq is not None and not self._in_sequence(track, tick.seq, ts):
            return None
        checks.check_quote(symbol, tick)
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

    def _beat(self, beat: Heartbeat, now: int) -> None:
        """Take a heartbeat: the feed lives, and its last numbers tell what was lost before a silence."""
        checks.check_time("heartbeat", beat.ts, now, self._ahead)
        self.heartbeats += 1
        self._heard_at = self._beat_at = now
        self._advance(beat.ts, untimed=False)
        for symbol, last_seq in beat.last_seq.items():
            if last_seq < 0:
                self._refuse(FrameRefused("not_positive", f"{symbol[:64]!a}: last_seq {last_seq} is below 0"))
                continue
            try:
                track = self._symbols.track(symbol, "")
            except FrameRefused as refused:
                self._refuse(refused)
                continue
            self.sequenced = True
            self._missed(track, track.follow_to(last_seq), beat.ts)

    # ---- what they share ------------------------------------------------------------------------
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

    def _refuse(self, refused: FrameRefused) -> None:
        self.rejected[refused.reason] = self.rejected.get(refused.reason, 0) + 1
        self.examples[refused.reason] = refused.detail[:256]

    # ---- out ------------------------------------------------------------------------------------
    def health(self, now: int) -> list[FeedStatus]:
        """Give what changed since the last asking; the first time, what is."""
        heard = health.Heard(
            max(self._heard_at, self.last_tick_at or 0),
            self._beat_at,
            self._lost_at,
            self._lost,
            self._notes(),
        )
        state, detail = health.judge(heard, now, self._heartbeat, self._silence)
        gaps, self.gapped = self.gapped, {}
        return self._teller.changes(state, detail, gaps, now)

    def _notes(self) -> tuple[str, ...]:
        """Say what cannot be told of this feed, for whoever wonders about a gap or a lag."""
        notes = []
        if self.ticks and not self.sequenced:
            notes.append("no sequence numbers, gaps cannot be told")
        if self.untimed:
            notes.append("times missing, stamped on receipt")
        if not self._beat_at:
            notes.append(f"no heartbeats, silence is noticed after {self._silence / health.SECOND:g} s")
        return tuple(notes)

    def row(self) -> dict[str, Any]:
        """Give this feed's share of a ``FeedRow``; the engine adds endpoint, mode, late, out_of_session."""
        return {
            "name": self.name,
            "format": self.format,
            "state": self._teller.state,
            "ticks": self.ticks,
            "bars": self.bars,
            "heartbeats": self.heartbeats,
            "gaps": self.gaps,
            "duplicates": self.duplicates,
            "lag_ms": self.lag_ms,
            "last_tick_at": self.last_tick_at,
            "sequenced": self.sequenced,
            "symbols": self.symbols,
            "rejected": dict(self.rejected),
            "ignored": dict(self.ignored),
            "examples": dict(self.examples),
        }
