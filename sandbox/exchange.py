"""Turns with the strategy: one poll over its words, its output, the supervisor's orders and the clock."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable

from sandbox.lines import harmless_text
from sandbox.output import Output
from sandbox.protocol import (
    AskTime,
    Conversation,
    Done,
    Phase,
    Progress,
    TimeAnswer,
    Violation,
    Word,
    encode,
)
from sandbox.reports import Supervisor
from sandbox.spec import Cause
from sandbox.threads import Threads
from sandbox.ward import DYING, Ward
from sandbox.watchdog import Bucket, Decision, Watchdog

ATTEND = 0.02
"""Seconds of a long turn after which the warden looks after the rest (0MQ, heartbeat, logs), however much
the strategy has to say meanwhile."""


class Ending(Exception):
    """The cell ends by our decision; ``cause`` and ``detail`` go into ``Died``."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


class Exchange:
    """The conversation with one ward, carried out.

    ``hear`` gets every word but ``Progress`` and ``AskTime``, and what becomes of the latter; ``attend`` is
    called while a turn lasts; ``take_orders`` when the supervisor said something.
    """

    def __init__(
        self,
        *,
        ward: Ward,
        conversation: Conversation,
        watchdog: Watchdog,
        threads: Threads,
        output: Output,
        supervisor: Supervisor,
        hear: Callable[[Word | Decision | Bucket, float], None],
        attend: Callable[[float], None],
        take_orders: Callable[[float], None],
    ) -> None:
        self.deadline = float("inf")
        """When the supervisor's patience ends (monotonic seconds)."""
        self._ward = ward
        self._conversation = conversation
        self._watchdog = watchdog
        self._threads = threads
        self._step = min(ATTEND, threads.every)
        self._output = output
        self._hear = hear
        self._attend = attend
        self._take_orders = take_orders
        self._talk = ward.talk.fileno()
        self._control = supervisor.fileno()
        self._poll = select.poll()
        for descriptor in (self._talk, self._control, *output.pipes):
            self._poll.register(descriptor, select.POLLIN)

    def take_turn(self, events: list[tuple[bytes, bytes]], calls: int) -> Done | None:
        """Hand over events and listen until the strategy is done with them; None if it said goodbye."""
        first, *others = self._conversation.begin(events)
        sent = self._ward.send_now(first)  # and what we note is noted while it works
        self._watchdog.begin(calls, time.monotonic())
        for datagram in others if sent else (first, *others):
            self._send(datagram)
        word = self.listen()
        return word if isinstance(word, Done) else None

    def listen(self) -> Word:
        """Hear words until the strategy is idle, or over; return the last one."""
        attended = time.monotonic()
        while True:
            now = time.monotonic()
            ready = self._poll.poll(max(0.0, min(self._step, self._left(now))) * 1000)
            now = time.monotonic()
            self._count_threads(now)
            last = None
            for descriptor, _ in ready:
                if descriptor == self._talk:
                    last = self._hear_one(now)
                elif descriptor == self._control:
                    self._take_orders(now)
                elif not self._output.read(descriptor, now):
                    self._poll.unregister(descriptor)
            phase = self._conversation.phase
            if last is not None and (phase is Phase.IDLE or phase is Phase.OVER):
                return last
            if now - attended >= ATTEND:
                attended = now
                self._attend(now)
            if self._left(now) <= 0:
                self._give_up(now)

    def look(self, now: float) -> None:
        """Between turns: read output, and refuse a word out of turn. ``EOFError`` if it is gone."""
        self._count_threads(now)
        for descriptor, _ in self._poll.poll(0):
            if descriptor == self._talk:
                self._hear_one(now)
            elif descriptor == self._control:
                self._take_orders(now)
            elif not self._output.read(descriptor, now):
                self._poll.unregister(descriptor)

    def _count_threads(self, now: float) -> None:
        if why := self._threads.excess(now):
            raise Ending("task_quota", why)

    def _hear_one(self, now: float) -> Word | None:
        datagram = self._ward.receive()
        if datagram is None:
            return None
        try:
            word = self._conversation.hear(datagram)
            if isinstance(word, Progress):
                self._watchdog.progress(word.call, now)
            elif isinstance(word, AskTime):
                self._answer(self._watchdog.ask(word.seconds, now), now)
            else:
                self._hear(word, now)
        except Violation as violation:
            raise Ending("protocol", harmless_text(str(violation))[:4096]) from None
        if self._conversation.phase is Phase.IDLE and (bucket := self._watchdog.settle(now)):
            self._hear(bucket, now)
        return word

    def _answer(self, decision: Decision, now: float) -> None:
        # Whoever asks waits for the answer, so there is room for it; never a reason to wait here.
        try:
            self._ward.send(encode(TimeAnswer(decision.granted)), 0.0)
        except TimeoutError:
            raise Violation("asks for time without reading the answers") from None
        self._hear(decision, now)

    def _send(self, datagram: bytes) -> None:
        # It reads as long as it is idle, so a full socket means that it stopped doing so.
        try:
            self._ward.send(datagram, max(0.1, self._left(time.monotonic())))
        except TimeoutError:
            self._give_up(time.monotonic())

    def _left(self, now: float) -> float:
        return min(self._watchdog.left(now), self.deadline - now)

    def _give_up(self, now: float) -> None:
        """Have the stack written, then end it."""
        watchdog = self._watchdog
        self._ward.signal(signal.SIGABRT)
        self._output.read_stack(DYING)
        if watchdog.left(now) <= 0:
            raise Ending("hang", f"{watchdog.call} ran longer than {watchdog.allowed:g} s")
        raise Ending("operator", f"did not stop in the time given; {watchdog.call} was running")
