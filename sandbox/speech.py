"""The strategy's end of the conversation with its warden (``sandbox.protocol``): words, and their timing."""

from __future__ import annotations

import socket
import time

import msgspec
import numpy as np

from bus.messages import Signal
from sandbox import protocol
from sandbox.spec import Budgets
from strategies.outputs import Answered, Fault, LogLine, Saved, Update


class Speech:
    """Hears the warden's orders and says words that fit into datagrams."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        # numpy's memory is not written to before it is used: pages that no order needs stay unallocated.
        self._buffer = np.empty(protocol.SETUP_DATAGRAM, np.uint8).data

    def hear(self) -> protocol.Order:
        """Wait for the next order. ``SystemExit`` once the warden is gone."""
        size = self._channel.recv_into(self._buffer)
        if not size:
            raise SystemExit(0)
        return protocol.decode_order(self._buffer[:size])

    def say(self, word: protocol.Word) -> None:
        """Send one word. One that is too large is the caller's fault, see ``say_signals``."""
        self._channel.send(protocol.encode(word))

    def say_encoded(self, datagram: bytes) -> None:
        """Send a word that is encoded already."""
        self._channel.send(datagram)

    def ask_time(self, seconds: float) -> bool:
        """Ask for ``seconds`` beyond the budget of the callback that runs; wait for the answer."""
        self.say(protocol.AskTime(seconds))
        answer = self.hear()
        if not isinstance(answer, protocol.TimeAnswer):
            raise TypeError(f"the answer to a request for time is a {type(answer).__name__}")
        return answer.granted

    def say_signals(self, signals: list[Signal]) -> list[Signal]:
        """Send signals in as many words as they need; return those too large for any."""
        if not signals:
            return []
        datagram = protocol.encode(protocol.Said(signals[: protocol.SIGNALS]))
        if len(datagram) <= protocol.DATAGRAM and len(signals) <= protocol.SIGNALS:
            self._channel.send(datagram)
            return []
        if len(signals) == 1:
            return signals
        half = len(signals) // 2
        return self.say_signals(signals[:half]) + self.say_signals(signals[half:])

    def say_update(self, update: Update) -> None:
        """Send one update; the text of one too large was bounded by its maker, so it is cut to nothing."""
        datagram = protocol.encode(protocol.Updates([update]))  # type: ignore[list-item] # never a Saved
        if len(datagram) > protocol.DATAGRAM:
            datagram = protocol.encode(protocol.Updates([_shortened(update)]))
        self._channel.send(datagram)

    def say_answer(self, answer: Answered) -> None:
        """Send what was answered to an operator."""
        self.say(protocol.Answer(answer.data, answer.why))

    def say_state(self, saved: Saved) -> None:
        """Send a checkpoint in pieces."""
        data = saved.state
        for at in range(0, max(1, len(data)), protocol.PIECE):
            more = at + protocol.PIECE < len(data)
            self.say(protocol.StatePart(data[at : at + protocol.PIECE], saved.version, more))


def _shortened(update: Update) -> Fault | LogLine:
    """``update`` with a quarter of its text: characters of four bytes each fit then."""
    if isinstance(update, Fault):
        return msgspec.structs.replace(update, error=update.error[:256], traceback=update.traceback[-2048:])
    if isinstance(update, LogLine):
        return msgspec.structs.replace(update, text=update.text[:2048])
    raise TypeError(f"a {type(update).__name__} of over {protocol.DATAGRAM} bytes")


class CallClock:
    """Names callbacks to the warden's watchdog and measures them against their soft budgets."""

    def __init__(self, speech: Speech, budgets: Budgets) -> None:
        self._speech = speech
        self._budgets = budgets
        self._soft: dict[str, float] = {}
        self.begin_turn()
        self.call = protocol.TURN_CALL

    def begin_turn(self) -> None:
        """Start counting anew."""
        self.call = self._named = protocol.TURN_CALL
        self.began = self._said = self._started = time.monotonic()
        self._running = False
        self._extra = 0.0
        self.slow: list[tuple[str, int]] = []
        self.slow_calls = 0
        self.longest = 0.0

    def enter(self, call: str) -> None:
        """Note that ``call`` begins, and so that the one before it is over."""
        now = time.monotonic()
        if self._running:
            self._measure(now)
        if call != self._named or now - self._said > protocol.PROGRESS_AFTER:
            self._speech.say(protocol.Progress(call))
            self._named, self._said = call, now
        self.call, self._started, self._running, self._extra = call, now, True, 0.0

    def extend(self, seconds: float) -> None:
        """Note that the callback that runs was granted ``seconds``; the next one is named in any case."""
        self._extra += seconds
        self._said = float("-inf")

    def leave(self) -> float:
        """Note that no callback runs any more; return how long the turn has taken, in seconds."""
        now = time.monotonic()
        if self._running:
            self._measure(now)
            self._running = False
        return now - self.began

    def _measure(self, now: float) -> None:
        took = now - self._started
        self.longest = max(self.longest, took)
        soft = self._soft.get(self.call)
        if soft is None:
            soft = self._soft[self.call] = protocol.budget_of(self._budgets, self.call).soft
        if took > soft + self._extra:
            self.slow_calls += 1
            if len(self.slow) < 16:
                self.slow.append((self.call, int(took * 1e9)))
