"""What the engine publishes of market and feeds, taken in: the next message, a known one, or a hole. Pure.

Live or from the tape (``replayed``), a message takes the same way. What is missing is asked for, never
guessed (``sandbox.catching_up``); it is counted as a gap only where no tape has it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bus.messages import FeedStatus, Pulse
from bus.messages import encode as encode_message
from bus.timeframes import parse
from sandbox.arrivals import Arrivals, head_of, length, only_of
from sandbox.backlog import Backlog, Item, newest_of
from sandbox.catching_up import CatchingUp, News, Stage
from sandbox.handout import Handout

_pulse = msgspec.msgpack.Decoder(Pulse).decode
_status = msgspec.msgpack.Decoder(FeedStatus).decode


class Reception:
    """The part of an intake (``sandbox.intake``) that takes data. Times are monotonic seconds."""

    def __init__(
        self,
        *,
        backlog: int,
        conflate: bool,
        timeframes: Iterable[str],
        watched: Iterable[bytes] = (),
    ) -> None:
        self._timeframes = frozenset(parse(timeframe).id for timeframe in timeframes)
        self.backlog = Backlog(ticks=backlog, conflate=conflate)
        self.handed = Handout(self.backlog)
        """What the strategy has had, and where it stands."""
        self.next_turn = self.handed.next_turn
        self.notes: list[tuple[str, str]] = []
        """(kind, detail) of what deserves an event; whoever reads them clears them."""
        self.stopping = False
        self.epoch = 0
        """The run of the engine that welcomed us last."""
        self.tape = 0
        """The numbering that we go by, 0 while we know none."""
        self._missing = 0
        self._lost = 0  # of the backlog's, as told
        self._warm = False
        self._progress = CatchingUp()
        self._arrived = Arrivals(watched)
        self._as_of = 0.0  # when what comes next from the tape was published, at the latest

    # ---- what others read -------------------------------------------------------------------------
    @property
    def stage(self) -> Stage:
        """Where the cell stands with the engine."""
        return self._progress.stage

    @property
    def welcomed(self) -> bool:
        """This run of the engine has sent its ``Welcome``; until then say ``Hello``."""
        return self.stage not in {Stage.COLD, Stage.GREETING}

    @property
    def live(self) -> bool:
        """What the strategy is told from now on it is told for the first time."""
        return self.stage is Stage.LIVE

    @property
    def gaps(self) -> int:
        """Messages that never came, or found a queue full, and are on no tape."""
        return self._missing + self.backlog.lost

    def position(self) -> dict[str, int]:
        """Return the last sequence per topic that turns handed out so far hold."""
        return {topic.decode(): last for topic, last in self.handed.position.items()}

    # ---- data --------------------------------------------------------------------------------------
    def _hears(self, epoch: int, now: float) -> bool:
        """Whether live data is taken, and of this run of the engine."""
        if epoch != self.epoch and self.welcomed:  # in this order: it is asked of every message
            self._progress.hear(News.NEW_RUN, now)
            self.notes.append(("engine_restarted", "it goes on with the engine that was started again"))
        return self._progress.stage is Stage.LIVE and not self.stopping

    def _add_market(self, topic: bytes, payload: bytes, now: float, *, replayed: bool = False) -> bool:
        """Take ticks or candles; False if there is no room for what comes from the tape."""
        head = head_of(payload)
        if not replayed and not self._hears(head.epoch, now):
            return True
        candles = topic[:1] == b"c"
        count = 1 if candles else length(head.body)
        last = head.seq + count - 1
        if head.seq - 1 != self._arrived.last.get(topic):  # not simply the next one
            if not self._follows(topic, head.seq, last, now, replayed=replayed):
                return True
            if (new := self._arrived.new(topic, head.seq, last)) < count:  # what was had ends within it
                count, payload = new, newest_of(payload, new)
        at, taped = self._as_of if replayed else now, self.tape != 0
        item: Item | None = Item(topic, payload, at, count, "ticks", last, taped=taped, replayed=replayed)
        if candles and item is not None:
            item = only_of(item, self._timeframes)
        if item is None:
            self.backlog.pass_over_candles({topic: last})
        elif replayed and not self._has_room(item, now):
            return False
        else:
            self.backlog.push(item)
        self._arrived.last[topic] = last
        return True

    def _has_room(self, item: Item, now: float) -> bool:
        hurries = item.kind == "ticks" and self.backlog.conflates and self._progress.hurries(now)
        return hurries or self.backlog.takes(item)

    def _follows(self, topic: bytes, first: int, last: int, now: float, *, replayed: bool) -> bool:
        """Whether a message is to be taken: some of it is new, and nothing is missing that a tape has."""
        arrived = self._arrived
        if not arrived.new(topic, first, last):
            return False
        if missing := arrived.missing(topic, first, replayed=replayed):
            if self.tape and not replayed:
                arrived.expected[topic] = last
                self._catch_up(now, f"{missing} missing: {topic.decode()} from {first - missing}")
                return False
            self._miss(missing, f"{topic.decode()} from {first - missing}")
        return True

    def _miss(self, count: int, detail: str) -> None:
        self._missing += count
        self.notes.append(("gap", f"{count} missing: {detail}"))

    def _add_pulse(self, topic: bytes, payload: bytes, now: float, *, replayed: bool = False) -> None:
        pulse = _pulse(payload)
        bare = Pulse(pulse.epoch, pulse.now, {})  # without ``last``: it names every symbol of the engine
        if replayed:
            self._as_of = min(now, self._as_of + 1.0)
        elif self._hears(pulse.epoch, now) and not self._misses_the_end(pulse, now):
            self._as_of = now
        else:
            if self._warm and not self.stopping:  # it proves the loop alive; its time comes from the tape
                self.backlog.push(Item(topic, encode_message(msgspec.structs.replace(bare, now=0)), now))
            return
        self._arrived.at = max(self._arrived.at, pulse.at)
        item = Item(topic, encode_message(bare), self._as_of, taped=self.tape != 0, replayed=replayed)
        self.backlog.push(item._replace(offset=0 if self.backlog.holds else pulse.at))

    def _misses_the_end(self, pulse: Pulse, now: float) -> bool:
        """Whether the last messages of a topic got lost, and nothing followed."""
        for topic, known, last in self._arrived.behind(pulse.last):
            missing = f"{topic.decode()} from {known + 1}"
            if self.tape:
                self._arrived.expected[topic] = last
                self._catch_up(now, f"{last - known} missing: {missing}")
            else:
                self._miss(last - known, missing)
                self._arrived.last[topic] = last
        return not self.live

    def _add_status(self, topic: bytes, payload: bytes, now: float, *, replayed: bool = False) -> None:
        """Take a feed's health. Its own time stands for a sequence, so that it is not told twice."""
        at = _status(payload).at
        if replayed and self._arrived.knows(topic, at, payload):
            return
        self._arrived.note(topic, at, payload)
        self.backlog.push(Item(topic, payload, now, last=at, taped=self.tape != 0, replayed=replayed))

    # ---- what is missing ---------------------------------------------------------------------------
    def _catch_up(self, now: float, why: str) -> None:
        self.notes.append(("catch_up", why))
        self._progress.hear(News.MISSING, now)
