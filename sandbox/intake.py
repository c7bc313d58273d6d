"""From what the engine publishes to turns for one strategy: sequences, epochs, pause, welcome. Pure.

Rules. Ticks and candles keep the order in which the engine published them. A message that the warm-up
already covers is dropped. A hole in a topic's sequence is counted, never guessed. A new run of the
engine (another epoch) is greeted anew, and what closed meanwhile is made up from its welcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from bus import topics
from bus.messages import Candle, Candles, CellCommand, Pause, Pulse, Resume, Stop, TakeCheckpoint, Welcome
from bus.messages import encode as encode_message
from bus.timeframes import parse
from sandbox.backlog import Backlog, Ending, Item, newest_of
from sandbox.pending import Pending


class _Head(Struct, array_like=True, frozen=True):
    """``Ticks`` or ``Candles`` with the list left encoded: 1.6 instead of 6.1 us for 50 ticks."""

    epoch: int
    seq: int
    body: Raw


class Batch(NamedTuple):
    """Events of one turn; ``oldest`` is when its first was received, ``calls`` how many they may cause.

    ``ends`` names the command it ends with, if that ends a turn.
    """

    events: list[tuple[bytes, bytes]]
    calls: int
    oldest: float
    ends: Ending


_head = msgspec.msgpack.Decoder(_Head).decode
_command = msgspec.msgpack.Decoder(CellCommand).decode
_candles = msgspec.msgpack.Decoder(Candles).decode
_pulse = msgspec.msgpack.Decoder(Pulse).decode


class Intake:
    """Takes messages as they come (``add``), hands out turns (``next_turn``)."""

    def __init__(self, *, generation: int, backlog: int, conflate: bool, timeframes: Iterable[str]) -> None:
        self._timeframes = frozenset(parse(timeframe).id for timeframe in timeframes)
        self.backlog = Backlog(ticks=backlog, conflate=conflate)
        self.ticks = 0
        """Ticks and, below, candles handed out so far."""
        self.candles = 0
        self.welcomed = False
        """This run of the engine has sent its ``Welcome``; until then say ``Hello``."""
        self.welcomed_again = False
        """Another run of the engine has welcomed a cell that is warm: tell it that we run."""
        self.began: dict[str, int] = {}
        """Where live data begins: the position of the welcome that was taken."""
        self.stopping = False
        self.handed: Ending = ""
        """Command that the turn handed out last ends with: what a strategy may answer depends on it."""
        self.pending = Pending()
        """What another run of the engine has to be told again."""
        self.notes: list[tuple[str, str]] = []
        """(kind, detail) of what deserves an event; whoever reads them clears them."""
        self._generation = generation
        self._missing = 0
        self._lost = 0  # of the backlog's, as told
        self._warm = False
        self._epoch = 0
        self._received: dict[bytes, int] = {}
        self._delivered: dict[bytes, int] = {}
        self._closed: dict[tuple[str, str], int] = {}  # (symbol, timeframe) -> close time handed out

    @property
    def epoch(self) -> int:
        """The run of the engine that welcomed us last."""
        return self._epoch

    @property
    def gaps(self) -> int:
        """Messages that never came, or found a queue full."""
        return self._missing + self.backlog.lost

    def position(self) -> dict[str, int]:
        """Return the last sequence per topic that turns handed out so far hold."""
        return {topic.decode(): last for topic, last in self._delivered.items()}

    # ---- in ---------------------------------------------------------------------------------------
    def add(self, messages: Iterable[tuple[bytes, bytes]], now: float) -> None:
        """Take messages in the order of their arrival at ``now`` (monotonic seconds)."""
        for topic, payload in messages:
            kind = topic[:2]
            if kind == b"ti" or kind == b"ca":  # noqa: PLR1714 - twice as fast as a set, on the hot path
                self._add_market(topic, payload, now, candles=kind == b"ca")
            elif kind == b"ce":
                self._add_command(topic, payload, now)
            elif kind == b"pu":
                self._add_pulse(topic, payload, now)
            elif self._warm and not self.stopping:
                self.backlog.push(Item(topic, payload, now))
        if self.backlog.lost > self._lost:
            lost, self._lost = self.backlog.lost - self._lost, self.backlog.lost
            self.notes.append(("gap", f"{lost} messages too many waited: the oldest were dropped"))

    def _add_market(self, topic: bytes, payload: bytes, now: float, *, candles: bool) -> None:
        head = _head(payload)
        if not self._same_run(head.epoch) or self.stopping:
            return
        length = 1 if candles else _length(head.body)
        last = head.seq + length - 1
        seen = self._received.get(topic)
        if seen is not None:
            if last <= seen:
                return
            if head.seq > seen + 1:
                self._miss(head.seq - seen - 1, f"{topic.decode()} from {seen + 1}")
            elif head.seq <= seen:  # the warm-up ends within this message
                length = last - seen
                payload = newest_of(payload, length)
        self._received[topic] = last
        if candles:
            self._add_candles(topic, payload, now)
        else:
            self.backlog.push(Item(topic, payload, now, length, "ticks", last))

    def _add_candles(self, topic: bytes, payload: bytes, now: float) -> None:
        """Queue the candles of our own timeframes: the message holds those of every strategy's."""
        message = _candles(payload)
        ours = [candle for candle in message.candles if candle.timeframe in self._timeframes]
        if not ours:
            return
        if len(ours) < len(message.candles):
            payload = encode_message(msgspec.structs.replace(message, candles=ours))
        self.backlog.push(Item(topic, payload, now, len(ours) + 1, "candles", message.seq))

    def _miss(self, count: int, detail: str) -> None:
        self._missing += count
        self.notes.append(("gap", f"{count} missing: {detail}"))

    def _same_run(self, epoch: int) -> bool:
        """Whether a message belongs to the run of the engine that welcomed us."""
        if self.welcomed and epoch != self._epoch:
            self.welcomed = False
            self.notes.append(("engine_restarted", f"run {epoch} of the engine follows {self._epoch}"))
        return self.welcomed

    def _add_pulse(self, topic: bytes, payload: bytes, now: float) -> None:
        pulse = _pulse(payload)
        if not self._same_run(pulse.epoch) or self.stopping:
            return
        for name, last in pulse.last.items():
            known = self._received.get(name.encode())
            if known is not None and last > known:  # the tail of a topic got lost, and nothing followed
                self._miss(last - known, f"{name} from {known + 1}")
                self._received[name.encode()] = last
        # Handed on without ``last``: it names every symbol of the engine. It proves the loop alive.
        self.backlog.push(Item(topic, encode_message(Pulse(pulse.epoch, pulse.now, {})), now))

    # ---- commands ---------------------------------------------------------------------------------
    def _add_command(self, topic: bytes, payload: bytes, now: float) -> None:
        command = _command(payload)
        body = command.body
        if command.generation != self._generation:
            return
        self.pending.heard(body)
        if self.stopping:
            return
        if isinstance(body, Stop):
            self.stop(topic, payload, now)
        elif isinstance(body, Welcome):
            self._welcome(topic, payload, body, now)
        elif self._warm:
            if isinstance(body, Resume):
                self.backlog.resume()
            elif isinstance(body, Pause):
                self.backlog.paused = True
            ends: Ending = "checkpoint" if isinstance(body, TakeCheckpoint) else ""
            self.backlog.push(Item(topic, payload, now, ends=ends))

    def stop(self, topic: bytes, payload: bytes, now: float) -> None:
        """Queue a ``Stop``, the engine's or the supervisor's; nothing is taken after it."""
        self.stopping = True
        self.backlog.push(Item(topic, payload, now, ends="stop"))

    def _welcome(self, topic: bytes, payload: bytes, welcome: Welcome, now: float) -> None:
        if self.welcomed and welcome.epoch == self._epoch:
            return  # the answer to a Hello that we repeated
        self.welcomed = True
        self._epoch = welcome.epoch
        self.began = welcome.position
        self._received = {name.encode(): last for name, last in welcome.position.items()}
        if self._warm:
            self.welcomed_again = True
            self.backlog.disown()
            # Fills that the old run did not tell any more, or that this one made before we were back.
            again = CellCommand(self._generation, msgspec.structs.replace(welcome, warmup=[], state=b""))
            self.backlog.push(Item(topic, encode_message(again), now))
            self._catch_up(welcome, now)
            return
        self._warm = True
        self._delivered = dict(self._received)
        self._note_closed(welcome.warmup)
        self.backlog.push(Item(topic, payload, now, len(welcome.warmup) + 2, ends="welcome"))

    def _catch_up(self, welcome: Welcome, now: float) -> None:
        """Hand on what closed while the engine was down: its warm-up, without what we know already."""
        new = [c for c in welcome.warmup if c.close_time > self._closed.get((c.symbol, c.timeframe), 0)]
        new.sort(key=_moment)
        for (close_time, symbol), group in groupby(new, key=_moment):
            topic = topics.candle(symbol)
            last = self._received.get(topic, 0)
            candles = list(group)
            payload = encode_message(Candles(welcome.epoch, last, close_time, candles))
            self.backlog.push(Item(topic, payload, now, len(candles) + 1, "candles", last))
        self._delivered = dict(self._received)

    def _note_closed(self, candles: Iterable[Candle]) -> None:
        for candle in candles:
            self._closed[candle.symbol, candle.timeframe] = candle.close_time

    # ---- out --------------------------------------------------------------------------------------
    def next_turn(self, ticks: int) -> Batch | None:
        """Return the next turn, at most ``ticks`` ticks (but one message at least); None if nothing waits."""
        items = self.backlog.take(ticks)
        if not items:
            return None
        self.handed = items[-1].ends
        calls = 0
        for item in items:
            calls += item.calls
            if item.last:
                self._delivered[item.topic] = item.last
            if item.kind == "ticks":
                self.ticks += item.calls
            elif item.kind == "candles":
                self.candles += item.calls - 1
                self._note_closed(_candles(item.payload).candles)
        return Batch([(item.topic, item.payload) for item in items], calls, items[0].at, items[-1].ends)


def _moment(candle: Candle) -> tuple[int, str]:
    return candle.close_time, candle.symbol


def _length(array: Raw) -> int:
    """Return the length of an encoded MessagePack array from its header (spec: fixarray, array 16, 32)."""
    data = memoryview(array)
    if data[0] & 0xF0 == 0x90:
        return data[0] & 0x0F
    width = 2 if data[0] == 0xDC else 4
    return int.from_bytes(data[1 : 1 + width], "big")
