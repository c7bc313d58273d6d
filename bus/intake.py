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

from bus.feeds import cryptofeed, dwx, foreign, health, native, openalgo, snapshots
from bus.feeds.errors import FrameRefused
from bus.feeds.judge import Judge
from bus.feeds.readings import EARLIEST, LATEST, Decoded, Ignored, Reading
from bus.messages import DECODE_ERRORS, Bar, FeedStatus, Heartbeat, Tick

Decode: TypeAlias = Callable[[Sequence[bytes], int], list[Decoded | FrameRefused]]

FORMATS: dict[str, Decode] = {
    "native": native.decode,
    "cryptofeed": cryptofeed.decode,
    "openalgo": openalgo.decode,
    "dwx": dwx.decode,
}

_NOTHING: Sequence[Tick | Bar] = ()
AHEAD: Sequence[Tick | Bar] = []
"""Not delivered, not even taken note of: something before it is missing (``Intake.guarded``)."""


class Intake(Judge):
    """The way in of one feed: decodes, has everything judged, and counts what is not delivered.

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
        super().__init__(
            name,
            wire_format,
            venue_suffix=venue_suffix,
            reorder=int(reorder_s * health.SECOND),
            ahead=LATEST - EARLIEST if max_ahead_s is None else int(max_ahead_s * health.SECOND),
            trading_day=trading_day or snapshots.utc_day,
        )
        self.guarded = False
        """Whether a message that shows that something before it is missing is given back as ``AHEAD``."""
        self.repeating = False
        """Whether what comes may have been here before, by nobody's mistake: ignored as ``repeated``."""
        self.ignored: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        """The last refusal of each reason, in words."""
        self._decode = FORMATS[wire_format]
        self._heartbeat = int(heartbeat_s * health.SECOND)
        self._silence = int(silence_s * health.SECOND)
        self._first_at = 0
        """When something usable came first, ns."""
        self._lost_at = 0
        self._lost = ""
        self._teller = health.Teller(name)

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
        if self.guarded and tick.seq is not None and track.misses(tick.seq):
            return AHEAD
        return self._settle(Reading(native.own(tick)), now)

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
        if self.guarded:
            reached: dict[str, int] = {}
            if any(self._passes_over(item, now, reached) for item in found):
                return AHEAD
        return [body for item in found for body in self._settle(item, now)]

    def _settle(self, item: Decoded | FrameRefused, now: int) -> Sequence[Tick | Bar]:
        """Deliver or count one item of a message."""
        try:
            if isinstance(item, Ignored):
                self._ignore(item.name)
                return _NOTHING
            if isinstance(item, FrameRefused):
                raise item
            if isinstance(item, Heartbeat):
                for refused in self._beat(item, now):
                    self._refuse(refused)
                return _NOTHING
            body = self._judge(item, now)
        except FrameRefused as refused:
            bar = isinstance(item, Reading) and isinstance(item.body, Bar)
            if bar and self.repeating and refused.reason == "backwards":
                self._ignore("repeated")  # bars have no numbers: this one came before the last that was heard
            else:
                self._refuse(refused)
            return _NOTHING
        self._heard_at = now
        if body is None:
            if self.repeating:
                self._ignore("repeated")
            else:
                self.duplicates += 1
            return _NOTHING
        return (body,)

    def _ignore(self, name: str) -> None:
        self.ignored[name] = self.ignored.get(name, 0) + 1

    def _refuse(self, refused: FrameRefused) -> None:
        self.rejected[refused.reason] = self.rejected.get(refused.reason, 0) + 1
        self.examples[refused.reason] = refused.detail[:256]

    # ---- out ------------------------------------------------------------------------------------
    @property
    def heard(self) -> bool:
        """Whether anything usable came of it, since it is open."""
        return bool(self._heard_at or self.last_tick_at)

    def health(self, now: int) -> list[FeedStatus]:
        """Give what changed since the last asking; the first time, what is."""
        heard_at = max(self._heard_at, self.last_tick_at or 0)
        self._first_at = self._first_at or heard_at
        heard = health.Heard(heard_at, self._beat_at, self._lost_at, self._lost, self._notes(now))
        state, detail = health.judge(heard, now, self._heartbeat, self._silence)
        gaps, self.gapped = self.gapped, {}
        return self._teller.changes(state, detail, gaps, now)

    def _notes(self, now: int) -> tuple[str, ...]:
        """Say what cannot be told of this feed, for whoever wonders about a gap or a lag."""
        notes = []
        if self.ticks and not self.sequenced:
            notes.append("no sequence numbers, gaps cannot be told")
        if self.untimed:
            notes.append("times missing, stamped on receipt")
        # A native publisher that beats once a second may send a tick first.
        early = self.format == "native" and now - self._first_at < self._heartbeat
        if not self._beat_at and not early:
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
            "crossed": self.crossed,
            "lag_ms": self.lag_ms,
            "last_tick_at": self.last_tick_at,
            "sequenced": self.sequenced,
            "symbols": self.symbols,
            "rejected": dict(self.rejected),
            "ignored": dict(self.ignored),
            "examples": dict(self.examples),
        }
