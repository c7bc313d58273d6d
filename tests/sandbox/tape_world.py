"""A small engine with a tape, and what a warden says to it: pure, so that a property may lose anything."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from bus import topics
from bus.messages import (
    Acked,
    Candle,
    Candles,
    CellCommand,
    FeedStatus,
    Pause,
    Pulse,
    Replayed,
    Resume,
    SignalAck,
    TakeCheckpoint,
    Tick,
    Ticks,
    Welcome,
    encode,
)
from sandbox.backlog import Ending
from sandbox.intake import Intake

CELL = topics.cell("a")
TAPE = 77
decode_command = msgspec.msgpack.Decoder(CellCommand).decode
decode_candles = msgspec.msgpack.Decoder(Candles).decode


class TapeEngine:
    """Numbers and tapes what it publishes; ``wire`` is what is on its way to the one cell."""

    def __init__(self, piece: int = 5) -> None:
        self.epoch = 1
        self.tape: list[bytes] = []
        self.begin = 0
        self.identity = TAPE
        self.wire: deque[tuple[bytes, bytes]] = deque()
        self.last: dict[str, int] = {}
        self._piece = piece

    def publish(self, topic: bytes, message: Any, *, lost: bool = False) -> None:
        self.tape.append(topic + encode(message))
        if not lost:
            self.wire.append((topic, encode(message)))

    def _next(self, topic: bytes, count: int = 1) -> int:
        first = self.last.get(topic.decode(), 0) + 1
        self.last[topic.decode()] = first + count - 1
        return first

    def ticks(self, symbol: str, count: int = 1, *, lost: bool = False) -> None:
        seq = self._next(topics.tick(symbol), count)
        batch = [Tick(symbol, seq + n, float(seq + n)) for n in range(count)]
        self.publish(topics.tick(symbol), Ticks(self.epoch, seq, batch), lost=lost)

    def candle(self, symbol: str, timeframe: str = "1m", *, lost: bool = False) -> None:
        seq = self._next(topics.candle(symbol))
        one = Candle(symbol, timeframe, seq, seq + 1, 1.0, 1.0, 1.0, 1.0, 1.0)
        self.publish(topics.candle(symbol), Candles(self.epoch, seq, seq + 1, [one]), lost=lost)

    def numbered(self, body: Any, *, lost: bool = False, generation: int = 1) -> None:
        self.publish(CELL, CellCommand(generation, body, self._next(CELL)), lost=lost)

    def ack(self, *, lost: bool = False) -> None:
        number = self.last.get(CELL.decode(), 0)
        self.numbered(Acked(SignalAck("key", "accepted", number=number)), lost=lost)

    def status(self) -> None:
        at = self._next(topics.feed("f"))
        self.publish(topics.feed("f"), FeedStatus("f", "stale" if at % 2 else "healthy", at))

    def pulse(self, *, lost: bool = False) -> None:
        self.publish(topics.PULSE, Pulse(self.epoch, 1, dict(self.last), len(self.tape)), lost=lost)

    def moment(self, body: Any) -> None:
        """Say what is on no tape."""
        self.wire.append((CELL, encode(CellCommand(1, body))))

    def hello(self, tape: int, **welcome: Any) -> None:
        if tape == self.identity:
            self.moment(Welcome(self.epoch, 1, tape=tape, resumes=True))
        else:
            present = {"position": dict(self.last), "at": len(self.tape), **welcome}
            self.moment(Welcome(self.epoch, 1, tape=self.identity, **present))

    def missed(self, at: int) -> None:
        if at < self.begin:
            self.hello(0)
            return
        frames = self.tape[at : at + self._piece]
        self.moment(Replayed(frames, at + len(frames), at + len(frames) == len(self.tape), at))


class TapedCell:
    """An ``Intake`` and what its warden does; ``seen`` is what the strategy was handed."""

    def __init__(self, engine: TapeEngine, *, backlog: int = 1000, conflate: bool = False, **welcome: Any):
        symbols = [make(s) for s in ("X", "Y") for make in (topics.tick, topics.candle)]
        self.intake = Intake(
            generation=1, backlog=backlog, conflate=conflate, timeframes=["1m"], watched=[*symbols, CELL]
        )
        self.engine = engine
        self.now = 0.0
        self.seen: list[Any] = []
        self.running = False
        self.said: list[str] = []
        self._welcome = welcome

    def receive(self, count: int = 1_000_000) -> None:
        wire = self.engine.wire
        messages = [wire.popleft() for _ in range(min(count, len(wire)))]
        self.intake.add(messages, self.now)

    def talk(self, *, lost: bool = False) -> None:
        """Say what is to be said now; ``lost``: its answer is."""
        intake, before = self.intake, len(self.engine.wire)
        if not intake.welcomed:
            self.engine.hello(intake.tape, **({} if intake.tape else self._welcome))
        if intake.welcomed_again and self.running:
            self.said.append("running")
            intake.running(self.now)
        intake.welcomed_again = False
        if (at := intake.question(self.now)) is not None:
            self.engine.missed(at)
        while lost and len(self.engine.wire) > before:
            self.engine.wire.pop()

    def turn(self, ticks: int = 1000) -> Ending | None:
        batch = self.intake.next_turn(ticks)
        if batch is None:
            return None
        if batch.ends == "welcome":
            self.running = True
            self.intake.running(self.now)
        for topic, payload in batch.events:
            self.seen += flat(topic, payload)
        return batch.ends

    def settle(self, rounds: int = 2000) -> None:
        """Go on with an engine that loses nothing any more until there is nothing to do."""
        for _ in range(rounds):
            self.now += 1.1
            self.talk()
            self.receive()
            while self.turn() is not None:
                pass
            if self.intake.live and not self.engine.wire:
                return
        raise AssertionError(f"still {self.intake.stage} after {rounds} rounds: {self.intake.notes[-5:]}")


def flat(topic: bytes, payload: bytes) -> list[Any]:
    """What a strategy sees of one frame; nothing of a pulse, nor of what is of the moment."""
    kind = topic[:2]
    if kind == b"ti":
        batch = msgspec.msgpack.decode(payload, type=Ticks)
        return [("tick", tick.symbol, tick.last) for tick in batch.ticks]
    if kind == b"ca":
        candles = decode_candles(payload).candles
        return [("candle", c.symbol, c.close_time) for c in candles if c.timeframe == "1m"]
    if kind == b"fe":
        return [("feed", msgspec.msgpack.decode(payload, type=FeedStatus).at)]
    if kind == b"to":
        command = decode_command(payload)
        return [] if isinstance(command.body, Welcome | TakeCheckpoint) else [("command", command.seq)]
    return []


def as_taped(engine: TapeEngine) -> list[Any]:
    """What a strategy sees that missed nothing: ticks of a pause skipped, its candles before the resume."""
    seen: list[Any] = []
    held: list[Any] = []
    paused = False
    for frame in engine.tape:
        topic = topics.of(frame)
        one = flat(topic, frame[len(topic) :])
        if topic == CELL:
            body = decode_command(frame[len(topic) :]).body
            if isinstance(body, Resume):
                seen += held
                held, paused = [], False
            paused = paused or isinstance(body, Pause)
        if paused and topic.startswith(b"candle"):
            held += one
        elif not (paused and topic.startswith(b"tick")):
            seen += one
    return seen
