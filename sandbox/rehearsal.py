"""The zygote plays one short cell through with itself before it forks any.

CPython specialises code, types and dictionaries as they are used, by writing into the objects that hold
them (PEP 659). Written before the fork they stay shared: 1 MiB less private memory a cell, and its first
tick is not its slowest. No user code takes part, no thread, no 0MQ: one socket pair, first its warden's
end is played, against answers written beforehand, then its strategy's end, with the turns left in it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from bus import messages, topics
from bus.messages import Candle, Candles, CellCommand, Pulse, Signal, TakeCheckpoint, Tick, Ticks, Welcome
from sandbox import channel, loader, protocol
from sandbox.reports import Supervisor
from sandbox.runner import Runner
from sandbox.spec import CellSpec
from sandbox.spec import encode as encode_spec
from sandbox.speech import Speech
from sandbox.ward import Ward
from sandbox.warden import Warden, introduce

ROUNDS = 20
"""A tick, a candle, a pulse and a checkpoint each: specialisation begins after 8 calls (specialize.c)."""
TURNS = 1 + 4 * ROUNDS
UNDERSTUDY = Path(__file__).with_name("understudy.py")

_SYMBOL, _TIMEFRAME, _PERIOD = "EURUSD", "1m", 60 * 10**9
_NOW = 1_700_000_000_000_000_000


class _Script:
    """In place of 0MQ: one message a call, as an engine publishes them."""

    def __init__(self) -> None:
        self._messages = _messages()
        self._welcomed = False

    def receive(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """Return the next message; nothing when only asked whether there is more.

        The welcome comes first of all, whoever asks: on a busy host the next hello is due before it was
        waited for, and a warden that waits no time at all would find a word of its strategy out of turn.
        """
        if self._welcomed and not timeout:
            return []
        self._welcomed = True
        return [next(self._messages)]

    def send(self, payload: bytes) -> bool:
        """Take a report."""
        return bool(payload)

    def close(self, linger_ms: int = 0) -> None:
        """Nothing is open."""


def _messages() -> Iterator[tuple[bytes, bytes]]:
    own, warmup = topics.cell("rehearsal"), [_candle(number) for number in range(-10, 0)]
    began = {topics.tick(_SYMBOL).decode(): 0, topics.candle(_SYMBOL).decode(): 0, own.decode(): 0}
    yield own, messages.encode(CellCommand(1, Welcome(1, _NOW, warmup, began, tape=1)))
    for number in range(1, ROUNDS + 1):
        now = _NOW + number * _PERIOD
        yield topics.tick(_SYMBOL), messages.encode(Ticks(1, number, [Tick(_SYMBOL, now, 1.0, 1.0)]))
        yield topics.candle(_SYMBOL), messages.encode(Candles(1, number, now, [_candle(number)]))
        yield topics.PULSE, messages.encode(Pulse(1, now, {}, number))
        yield own, messages.encode(CellCommand(1, TakeCheckpoint()))


def _candle(number: int) -> Candle:
    close_time = _NOW + number * _PERIOD
    return Candle(_SYMBOL, _TIMEFRAME, close_time - _PERIOD, close_time, 1.0, 1.0, 1.0, 1.0, 1.0)


def specification() -> CellSpec:
    """Return the specification of the cell that is played; no secret, no endpoint."""
    return CellSpec(
        deployment_id="rehearsal",
        generation=1,
        strategy="rehearsal",
        version="1.0.0",
        code_path=str(UNDERSTUDY),
        account_id="rehearsal",
        trading_mode="paper",
        symbols=[_SYMBOL],
        timeframes=[_TIMEFRAME],
        parameters={"quantity": 1.0},
        market_endpoint="",
        report_endpoint="",
        token="",
    )


def rehearse() -> int:
    """Play; return how many turns the strategy answered. What fails here would fail in every cell."""
    ours, theirs = channel.pair()
    control, supervisor = channel.pair()
    with ours, theirs, control, supervisor:
        ours.setblocking(False)
        _play_warden(ours, theirs, control, supervisor)
        answered = _play_strategy(theirs)
    loader.forget()
    return answered


def _play_warden(
    ours: socket.socket, theirs: socket.socket, control: socket.socket, supervisor: socket.socket
) -> None:
    theirs.send(protocol.encode(protocol.Initialised()))
    channel.send(supervisor, encode_spec(specification()))
    above = Supervisor(control)
    spec = above.read_spec()
    pipes = [os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) for _ in range(2)]
    ward = Ward(os.getpid(), ours, pipes[0][0], pipes[1][0])
    introduce(ward, spec)
    warden = Warden(spec, ward, above, _Script())
    warden.begin()
    signal = Signal(symbol=_SYMBOL, intent="enter_long", quantity=1.0)
    conversation = warden._conversation  # noqa: SLF001 - only who knows the number of a turn can answer it
    # What is written beforehand is out of turn until its turn begins: nobody looks for that here.
    warden._chores_at = float("inf")  # noqa: SLF001 - as above
    for turn in range(TURNS):
        if turn and turn % 4 == 0:
            theirs.send(protocol.encode(protocol.StatePart(b"\x80", 1, more=False)))
        theirs.send(protocol.encode(protocol.Done(conversation.upcoming, [signal])))
        warden.step()
    for _ in range(ROUNDS):
        warden._chores(time.monotonic())  # noqa: SLF001 - what comes between turns, now and then
    channel.close_all([ward.pidfd, *(end for pipe in pipes for end in pipe)])


def _play_strategy(theirs: socket.socket) -> int:
    speech = Speech(theirs)
    setup = speech.hear()
    if not isinstance(setup, protocol.Setup):
        raise TypeError(f"the warden began with a {type(setup).__name__}")
    runner = Runner(speech, setup, setup.code_path)
    runner.start()
    for _ in range(TURNS):
        runner.serve_one()
    return TURNS
