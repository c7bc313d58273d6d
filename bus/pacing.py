"""Publishes messages as a real publisher of the native feed would: paced by their times, with heartbeats.

What is sent is docs/feeds.md, "native": two frames, ticks numbered per symbol, ``hb`` once a second with
the last number of each symbol. Recorded frames are sent as they are.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from bus.messages import Bar, Heartbeat, Tick, encode
from bus.recordings import Frames, Message

SECOND = 1_000_000_000
MAX_SPEED = math.inf
"""As fast as the messages can be read and sent."""

_LOOK = SECOND // 10
"""How long a wait lasts at most before heartbeats, progress and ``should_stop`` are looked at, ns."""
_NEVER = 2**63
_EVERY = 256
"""Messages that may pass at full speed before the clock is read."""


class Sender(Protocol):
    """The part of ``bus.sockets.Publisher`` that is used here."""

    def send(self, topic: bytes, payload: bytes) -> None:
        """Publish two frames."""

    def send_frames(self, frames: list[bytes]) -> None:
        """Publish frames as they are."""


class Clock(Protocol):
    """Two readings and a way to wait; tests replace it, so that an hour of data passes at once."""

    def monotonic(self) -> int:
        """Return ns that never run backwards, for spans."""

    def wall(self) -> int:
        """Return ns since the epoch, for stamps."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Keeper(Protocol):
    """The part of ``bus.serving.Serving`` that is used here: who missed something asks it."""

    endpoint: str

    def keep(self, topic: bytes, payload: bytes, symbol: str, seq: int | None) -> None:
        """Keep what was published."""

    def serve(self, seconds: float) -> None:
        """Answer, for so long."""


class SystemClock:
    """The clock of this machine."""

    monotonic = staticmethod(time.monotonic_ns)
    wall = staticmethod(time.time_ns)
    sleep = staticmethod(time.sleep)


class Progress(Struct, frozen=True):
    """How far a replay has come.

    ``fraction`` is the part of the files read, None if that cannot be known; ``event_time`` (ns) that of
    the message sent last, 0 for recorded frames, which carry none; ``elapsed`` seconds since the first was.
    """

    sent: int
    fraction: float | None
    event_time: int
    elapsed: float


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What was published and what was not.

    ``symbols`` counts messages by symbol. ``first`` and ``last`` are event times, ns, 0 if nothing was
    sent that has one. ``refused`` counts rows of the files by reason, ``examples`` holds the first of each.
    ``recovered`` counts messages that subscribers asked for again at the endpoint ``recovery``, "" if nothing
    was served; ``questions_refused`` what was asked there and could not be used.
    """

    ticks: int = 0
    bars: int = 0
    frames: int = 0
    heartbeats: int = 0
    symbols: Mapping[str, int] = {}
    first: int = 0
    last: int = 0
    seconds: float = 0.0
    stopped: bool = False
    refused: Mapping[str, int] = {}
    examples: Mapping[str, str] = {}
    recovery: str = ""
    recovered: int = 0
    questions_refused: Mapping[str, int] = {}

    @property
    def sent(self) -> int:
        """Messages published, heartbeats not counted."""
        return self.ticks + self.bars + self.frames


def publish(
    messages: Iterable[tuple[int, Message]],
    sender: Sender,
    *,
    speed: float = 1.0,
    rebase: bool = False,
    clock: Clock | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    fraction: Callable[[], float | None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
    keeper: Keeper | None = None,
    stay: float = 0.0,
) -> ReplayResult:
    """Publish ``(event time in ns, message)`` pairs, each when it is due, and return the counts.

    Ticks are numbered per symbol from 1, whatever number they had. Heartbeats carry event time, which
    never runs ahead of the next message. ``should_stop`` is asked ten times a second.

    ``keeper`` is given what is published and serves while the next message is not due; the heartbeats name
    it. For ``stay`` seconds after the last message heartbeats go on, and it serves.
    """
    watch = _Watch(on_progress, fraction, should_stop)
    replay = _Replay(sender, watch, keeper, speed=speed, rebase=rebase, clock=clock or SystemClock())
    return replay.publish(messages, stay)


class _Watch(Struct, frozen=True):
    on_progress: Callable[[Progress], None] | None
    fraction: Callable[[], float | None]
    should_stop: Callable[[], bool]


class _Replay:
    """One replay: where it stands, what it has sent, and the wait until the next message."""

    def __init__(
        self,
        sender: Sender,
        watch: _Watch,
        keeper: Keeper | None,
        *,
        speed: float,
        rebase: bool,
        clock: Clock,
    ) -> None:
        self._sender = sender
        self._watch = watch
        self._keeper = keeper
        self._speed = speed
        self._rebase = rebase
        self._clock = clock
        self._begun = self._begun_wall = self._origin = 0
        self._next_beat = self._next_report = 0
        self._first = self._last = 0
        self._last_seq: dict[str, int] = {}
        self._topics: dict[str, bytes] = {}
        self._symbols: Counter[str] = Counter()
        self._bars = self._frames = self._beats = 0

    def publish(self, messages: Iterable[tuple[int, Message]], stay: float) -> ReplayResult:
        """Send all messages; the last word is a heartbeat, by which a loss at the very end is told."""
        stopped = False
        paced = self._speed < MAX_SPEED
        number = -1
        for number, (ts, message) in enumerate(messages):
            if number == 0:
                self._begin(ts, message)
            if (paced or number % _EVERY == 0) and not self._wait_until_due(ts):
                stopped = True
                break
            self._send(ts, message)
        seconds = self._elapsed()
        if self._last and self._next_beat < _NEVER:
            self._beat(self._last)
            if not stopped:
                self._stay(round(stay * SECOND))
        self._report()
        return ReplayResult(
            ticks=sum(self._last_seq.values()),
            bars=self._bars,
            frames=self._frames,
            heartbeats=self._beats,
            symbols=dict(self._symbols),
            first=self._first,
            last=self._last,
            seconds=seconds,
            stopped=stopped,
        )

    def _begin(self, ts: int, message: Message) -> None:
        self._begun, self._begun_wall = self._clock.monotonic(), self._clock.wall()
        self._origin = ts
        self._next_beat = _NEVER if isinstance(message, Frames) else self._begun + SECOND
        self._next_report = self._begun

    def _wait_until_due(self, ts: int) -> bool:
        """Wait for the time of a message, sending heartbeats meanwhile; False if told to stop."""
        due = self._begun
        if self._speed < MAX_SPEED:
            due += round((ts - self._origin) / self._speed)
        while True:
            now = self._clock.monotonic()
            if now >= self._next_beat:
                self._beat(self._event_time(now, ts))
                self._next_beat += SECOND * (1 + (now - self._next_beat) // SECOND)
            if now >= self._next_report:
                self._next_report = now + _LOOK
                if self._watch.should_stop():
                    return False
                self._report()
            if self._keeper is not None:
                self._keeper.serve(0.0)
            if now >= due:
                return True
            self._pause(min(due - now, _LOOK, self._next_beat - now) / SECOND)

    def _pause(self, seconds: float) -> None:
        if self._keeper is None:
            self._clock.sleep(seconds)
        else:
            self._keeper.serve(seconds)

    def _stay(self, span: int) -> None:
        """Go on with heartbeats and answers. The time of the market stands where it ended."""
        until = self._clock.monotonic() + span
        while (now := self._clock.monotonic()) < until and not self._watch.should_stop():
            if now >= self._next_beat:
                self._beat(self._last)
                self._next_beat = now + SECOND
            self._pause(min(until - now, _LOOK) / SECOND)

    def _event_time(self, now: int, following: int) -> int:
        """Return what time it is in the market: never later than the message that follows.

        A heartbeat that ran ahead of it would close the candle to which that message belongs.
        """
        if self._speed == MAX_SPEED:
            return self._clock.wall() if self._rebase else self._last
        passed = now - self._begun
        if self._rebase:
            return max(self._last, min(self._begun_wall + passed, self._stamp(following)))
        return max(self._last, min(self._origin + round(passed * self._speed), following))

    def _stamp(self, ts: int) -> int:
        """Return the time that a tick of ``ts`` is published with."""
        if not self._rebase:
            return ts
        if self._speed == MAX_SPEED:
            return self._clock.wall()
        return self._begun_wall + round((ts - self._origin) / self._speed)

    def _send(self, ts: int, message: Message) -> None:
        if isinstance(message, Tick):
            symbol, ts = message.symbol, self._stamp(ts)
            seq = self._last_seq.get(symbol, 0) + 1
            self._last_seq[symbol] = seq
            topic = self._topics.get(symbol)
            if topic is None:
                topic = self._topics[symbol] = f"tick.{symbol}".encode()
            self._publish(topic, encode(_numbered(message, ts, seq)), symbol, seq)
            self._symbols[symbol] += 1
        elif isinstance(message, Bar):
            topic = f"bar.{message.symbol}.{message.timeframe}".encode()
            self._publish(topic, encode(message), message.symbol, None)
            self._bars += 1
            self._symbols[message.symbol] += 1
        else:
            self._sender.send_frames(message.frames)
            self._frames += 1
            return  # its place in the file is no time
        self._first = self._first or ts
        self._last = max(self._last, ts)

    def _publish(self, topic: bytes, payload: bytes, symbol: str, seq: int | None) -> None:
        """Keep it, then send it: who has heard of it can be given it."""
        if self._keeper is not None:
            self._keeper.keep(topic, payload, symbol, seq)
        self._sender.send(topic, payload)

    def _beat(self, ts: int) -> None:
        recovery = "" if self._keeper is None else self._keeper.endpoint
        self._sender.send(b"hb", encode(Heartbeat(ts, dict(self._last_seq), recovery)))
        self._beats += 1

    def _elapsed(self) -> float:
        return (self._clock.monotonic() - self._begun) / SECOND if self._begun else 0.0

    def _report(self) -> None:
        if self._watch.on_progress is not None:
            sent = sum(self._symbols.values()) + self._frames
            progress = Progress(sent, self._watch.fraction(), self._last, self._elapsed())
            self._watch.on_progress(progress)


def _numbered(tick: Tick, ts: int, seq: int) -> Tick:
    """Return the tick as it is published: cheaper than ``structs.replace``, which copies by name."""
    return Tick(
        tick.symbol,
        ts,
        tick.last,
        tick.size,
        tick.bid,
        tick.ask,
        tick.bid_size,
        tick.ask_size,
        seq,
        tick.trade_id,
    )
