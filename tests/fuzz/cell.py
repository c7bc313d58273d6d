"""A warden's ear without processes: the real conversation, watchdog, relay and output, hearing datagrams."""

from __future__ import annotations

import os
import socket
from typing import Any

from sandbox.exchange import Ending, Exchange
from sandbox.intake import Intake
from sandbox.output import Output
from sandbox.protocol import Conversation, Phase
from sandbox.relay import Relay
from sandbox.reports import Outbox
from sandbox.spec import Budgets, Limits, encode
from sandbox.threads import Threads
from sandbox.watchdog import Watchdog
from tests.fuzz.corpus import TURN

ANSWER = b"\x0b"
"""Second byte of an encoded ``protocol.Answer``: its tag."""
STEP = 0.001
"""Seconds between two datagrams, of a clock of its own: what comes out depends on the seed alone."""


class _Ward:
    """Says what it is given, and has room for every answer."""

    def __init__(self, pipes: tuple[int, int]) -> None:
        self.talk, self._other = socket.socketpair()
        self.stdout, self.stderr = pipes
        self.datagram = b""

    def receive(self) -> memoryview:
        return memoryview(self.datagram)

    def send(self, datagram: bytes, timeout: float) -> None:
        assert datagram
        assert timeout >= 0

    def close(self) -> None:
        self.talk.close()
        self._other.close()


class _Supervisor:
    """Takes reports that fit, as the control channel does."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.reports = 0

    def fileno(self) -> int:
        return self._control.fileno()

    def report(self, report: Any) -> bool:
        self.reports += 1
        return len(encode(report)) <= 192 * 1024


class _Link:
    """An engine that takes a thousand reports and then refuses as many tries."""

    def __init__(self) -> None:
        self._sent = 0

    def send(self, payload: bytes) -> bool:
        assert len(payload) < 17 * 2**20
        self._sent += 1
        return self._sent % 2000 < 1000


class Ear:
    """Hears one datagram after the other, as a warden whose strategy is loading or in a turn.

    ``hear`` returns whether it was taken; any other exception than the declared ``Ending`` comes out.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._pipes = [os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) for _ in range(2)]
        self._ward = _Ward((self._pipes[0][0], self._pipes[1][0]))
        supervisor = _Supervisor(self._ward.talk)
        limits, budgets = Limits(), Budgets()
        self._outbox = Outbox(_Link())  # type: ignore[arg-type]
        self._intake = Intake(generation=1, backlog=100, conflate=True, timeframes=["1m"])
        self._conversation = Conversation(limits.checkpoint_bytes)
        self._watchdog = Watchdog(budgets, self._now)
        self._output = Output(self._ward, supervisor, limits.log_bytes_per_s, self._now)  # type: ignore[arg-type]
        self._relay = Relay(
            limits=limits,
            conversation=self._conversation,
            intake=self._intake,
            outbox=self._outbox,
            output=self._output,
            supervisor=supervisor,  # type: ignore[arg-type]
            now=self._now,
        )
        self._exchange = Exchange(
            ward=self._ward,  # type: ignore[arg-type]
            conversation=self._conversation,
            watchdog=self._watchdog,
            threads=Threads(None, limits.processes),
            output=self._output,
            supervisor=supervisor,  # type: ignore[arg-type]
            hear=self._relay.hear,
            attend=lambda now: None,
            take_orders=lambda now: None,
        )

    def hear(self, datagram: bytes, *, loading: bool = False) -> bool:
        """Hear one datagram while the strategy is loading, or in a turn that asks it for something."""
        self._now += STEP
        if loading:
            self._conversation.phase = Phase.LOADING
        else:
            self._begin(datagram)
        self._ward.datagram = datagram
        try:
            self._exchange._hear_one(self._now)
        except Ending as ending:
            if ending.cause != "protocol" or not 0 < len(ending.detail) <= 4096:
                raise AssertionError(f"ended with {ending.cause}: {ending.detail[:100]!r}") from ending
            self._conversation._state.clear()
            self._conversation._state_bytes = 0
            return False
        finally:
            self._output.flush(self._now)
            self._outbox.heard()
            self._outbox.flush()
        encode(self._relay.stats(0.0, self._watchdog.call))
        return True

    def _begin(self, datagram: bytes) -> None:
        """Begin a turn, unless one runs: now and then another one ends with ``Done``.

        Of the two that a strategy may be asked for, it is the one for which ``datagram`` has the tag.
        """
        if self._conversation.phase is not Phase.BUSY:
            self._conversation.phase = Phase.IDLE
            self._conversation.begin([(b"pulse|", b"")])
            self._watchdog.begin(1, self._now)
            self._relay._kept_turn = self._relay._answered_turn = 0
        self._conversation.turn = TURN
        self._intake.handed.ends = "question" if datagram[1:2] == ANSWER else "checkpoint"
        self._intake.handed.request = 7

    def close(self) -> None:
        self._ward.close()
        for pipe in self._pipes:
            for end in pipe:
                os.close(end)
