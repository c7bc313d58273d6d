"""The warden's two ways out: reports to the supervisor, and the one ordered pipe to the engine.

Neither ever blocks the warden. What the supervisor does not read in time is dropped and counted, but for
the reports that tell of a birth and a death. What the engine does not take waits here, in order, bounded.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from sandbox import channel
from sandbox.spec import CONTROL_DATAGRAM, Begin, CellSpec, WardenOrder, WardenReport
from sandbox.spec import encode as encode_report

_decode_spec = msgspec.msgpack.Decoder(CellSpec).decode
_decode_order = msgspec.msgpack.Decoder(WardenOrder).decode
LAST_WORDS = 2.0
"""Seconds that the supervisor gets to take the last report of a warden."""


class SupervisorGone(Exception):
    """Nobody is left who would collect signals, logs and deaths."""


class Link(Protocol):
    """The cell's 0MQ sockets (``bus.sockets.CellLink``), or what a test puts in their place."""

    def receive(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """Return (topic, payload) of what has come, waiting ``timeout`` seconds for the first."""
        ...

    def send(self, payload: bytes) -> bool:
        """Queue one report; False if there is no room."""
        ...

    def close(self, linger_ms: int = 0) -> None:
        """Close, giving what is queued ``linger_ms`` to leave."""
        ...


class Supervisor:
    """The control channel, seen from the warden."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._early: list[WardenOrder] = []

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._control.fileno()

    def read_spec(self) -> CellSpec:
        """Wait for the first message, then never block again. It was sent before our fork was asked for."""
        try:
            payload, _ = channel.receive(self._control, CONTROL_DATAGRAM)
        except EOFError:
            raise SupervisorGone from None
        self._control.setblocking(False)
        return _decode_spec(payload)

    def await_begin(self) -> None:
        """Wait for ``Begin``; it and what comes before it is kept for ``orders``. ``SupervisorGone``."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        early: list[WardenOrder] = []
        while not any(isinstance(order, Begin) for order in early):
            poll.poll()
            early += self.orders()
        self._early = early

    def report(self, report: WardenReport, descriptors: Sequence[int] = ()) -> bool:
        """Send a report; False if the supervisor is behind, and it is dropped."""
        try:
            channel.send(self._control, encode_report(report), descriptors)
        except BlockingIOError:
            return False
        except OSError:  # it is gone: ``orders`` says so
            return False
        return True

    def report_last(self, report: WardenReport, descriptors: Sequence[int] = ()) -> bool:
        """Send a report that must not be lost, waiting ``LAST_WORDS`` seconds for room."""
        deadline = time.monotonic() + LAST_WORDS
        poll = select.poll()
        poll.register(self._control, select.POLLOUT)
        while not self.report(report, descriptors):
            left = deadline - time.monotonic()
            if left <= 0 or any(e & (select.POLLHUP | select.POLLERR) for _, e in poll.poll(left * 1000)):
                return False
        return True

    def orders(self) -> list[WardenOrder]:
        """Return the orders that have come. ``SupervisorGone`` once it is."""
        orders, self._early = self._early, []
        while True:
            try:
                payload, _ = channel.receive(self._control, CONTROL_DATAGRAM)
            except BlockingIOError:
                return orders
            except EOFError:
                raise SupervisorGone from None
            orders.append(_decode_order(payload))


class Outbox:
    """Reports on their way to the engine, in order; at most ``MOST`` wait while it is away."""

    MOST = 10_000
    MOST_BYTES = 32 * 2**20
    """Twice the largest checkpoint (``bus.messages.Checkpoint``)."""

    def __init__(self, link: Link) -> None:
        self.lost = 0
        """Reports that found the queue full."""
        self._link = link
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._held = False

    @property
    def full(self) -> str:
        """What waits, in words."""
        return f"{len(self._waiting):,} reports ({self._bytes / 2**20:.1f} MiB)"

    def put(self, payload: bytes, *, again: bool = False) -> bool:
        """Send now, or keep behind what waits already; ``again`` if ``resume`` will bring it anew.

        False if there is no room: it is lost, and counted.
        """
        if not self._waiting and self._send(payload):
            return True
        if len(self._waiting) >= self.MOST or self._bytes + len(payload) > self.MOST_BYTES:
            self.lost += 1
            return False
        self._waiting.append((payload, again))
        self._bytes += len(payload)
        return True

    def flush(self) -> bool:
        """Send what waits; whether nothing does any more."""
        while self._waiting and self._send(self._waiting[0][0]):
            self._bytes -= len(self._waiting.popleft()[0])
        return not self._waiting

    def heard(self) -> None:
        """Take note that the engine which knows us lives: what waits may go."""
        self._held = False

    def resume(self, first: Iterable[bytes]) -> None:
        """Go on with an engine that is new: ``first`` goes first, then what waited and is not in there."""
        self._waiting = deque(
            [(payload, False) for payload in first] + [w for w in self._waiting if not w[1]]
        )
        self._bytes = sum(len(payload) for payload, _ in self._waiting)
        self._held = False
        self.flush()

    def _send(self, payload: bytes) -> bool:
        # Once a pipe took nothing, the next one may lead to an engine that does not know us yet, and would
        # refuse every signal: so not before it is heard.
        if not self._held and not self._link.send(payload):
            self._held = True
        return not self._held
