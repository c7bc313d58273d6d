"""One instance of a strategy, as the process that embeds it holds it: its sockets, its warden, its end.

To the cell this is what engine and supervisor are to one of the daemon's: the same sockets and messages, the
same control channel. Each has sockets of its own, so that one strategy is told something and no other.
Whatever is said here comes in by ``Hub.wait``; nothing blocks.
"""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from bus import messages, topics
from bus.messages import (
    DECODE_ERRORS,
    Bye,
    CellCommand,
    CellReport,
    Checkpoint,
    CommandBody,
    Hello,
    Missed,
    Replayed,
    Running,
    Schedule,
    Signals,
    Welcome,
)
from bus.sockets import Hub, MarketSocket, ReportSocket
from sandbox.handle import CellHandle
from sandbox.nursery import Nursery
from sandbox.spec import CellSpec, Died, LogLines, WardenReport, Warned

EPOCH: Final = 1
TAPE: Final = 1
"""One numbering for as long as the orchestrator lives: a restart goes on with it."""
LINES: Final = 50
"""Lines of its log that are kept."""
FAULTS: Final = 1_000
"""Faults that are kept until somebody reads them."""
FAULTY: Final = frozenset({"rate_limit", "size_limit", "lost", "unanswered", "gap"})
"""Warnings that something of a strategy's, or for it, was not passed on. The others tell of a slow host."""
UNSAVED: Final = "save_state"
"""What the fault begins with that leaves a turn without its end."""

_decode = msgspec.msgpack.Decoder(CellReport).decode


class Cell:
    """One instance. ``folder`` is for its sockets, and gone once it is connected.

    ``welcome`` is what it is told first; from the position in there its messages are numbered on.
    """

    def __init__(self, hub: Hub, granted: CellSpec, folder: Path, welcome: Welcome) -> None:
        self.spec = granted
        self.checkpoint: Checkpoint | None = None
        """The newest: what it covers the strategy has had, and all that it said to it has come before."""
        self.signals: deque[Signals] = deque()
        self.timers: deque[Schedule] = deque()
        self.faults: deque[str] = deque(maxlen=FAULTS)
        self.log: deque[str] = deque(maxlen=LINES)
        self.died: Died | None = None
        self.live = False
        self.parted = False
        """It has said goodbye: every signal of it is in ``signals``."""
        self._hub = hub
        self._folder = folder
        self._welcome = welcome
        self._sent = dict(welcome.position)
        self._topic = topics.cell(granted.deployment_id)
        self._running = False
        self._handle: CellHandle | None = None
        self._sockets: tuple[MarketSocket, ReportSocket] | None = None

    # ---- life -------------------------------------------------------------------------------------
    def open(self, nursery: Nursery) -> None:
        """Ask for it. ``OSError`` and ``NurseryError`` if it cannot be."""
        self._folder.mkdir(mode=0o711)  # a warden may be of another uid; the folder around is ours
        market = MarketSocket(self._hub, self.spec.market_endpoint)
        reports = ReportSocket(self._hub, self.spec.report_endpoint)
        self._sockets = market, reports
        self._hub.watch(reports, self._hear)
        handle = self._handle = nursery.spawn(self.spec)
        self._hub.watch(handle.fileno(), self._hear_warden)

    def admits(self, user: str, token: str) -> bool:
        """Whether this is the credential of this instance."""
        return (user, token) == (self.spec.username, self.spec.token)

    def holds(self, handle: CellHandle) -> bool:
        """Whether the nursery speaks of this cell."""
        return handle is self._handle

    def ended(self, died: Died) -> None:
        """Take note that it is gone; what was known first stands."""
        self.died = self.died or died

    def kill(self) -> None:
        """End it now."""
        if self._handle is not None:
            self._handle.kill()

    def close(self) -> None:
        """End it if it lives, and close all that is open. Twice is fine."""
        handle, self._handle = self._handle, None
        if handle is not None:
            if not handle.closed:
                if not handle.gone:
                    self._hub.unwatch(handle.fileno())
                handle.kill()
            handle.close()
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            self._hub.unwatch(sockets[1])
            for socket in sockets:
                socket.close(0)
        shutil.rmtree(self._folder, ignore_errors=True)

    # ---- out --------------------------------------------------------------------------------------
    def tell(self, topic: bytes, payload: messages.Ticks | messages.Candles) -> None:
        """Send market data, numbered by ``number``."""
        self._send(topic + messages.encode(payload))

    def number(self, topic: bytes) -> int:
        """Return the next number on one of its topics."""
        name = topic.decode()
        self._sent[name] = self._sent.get(name, 0) + 1
        return self._sent[name]

    def command(self, body: CommandBody, *, numbered: bool = True) -> None:
        """Send a command; a numbered one is in the position of the checkpoint that covers it."""
        seq = self.number(self._topic) if numbered else 0
        self._send(self._topic + messages.encode(CellCommand(self.spec.generation, body, seq)))

    @property
    def settled(self) -> bool:
        """Whether it has had, and answered, and saved the outcome of, all that it was sent."""
        if self.checkpoint is None:
            return False
        had = self.checkpoint.position
        return all(had.get(topic, 0) >= last for topic, last in self._sent.items())

    def _send(self, frame: bytes) -> None:
        if self._sockets is not None:
            self._sockets[0].send(frame)

    # ---- in ---------------------------------------------------------------------------------------
    def _hear(self) -> None:
        if self._sockets is None:
            return
        for user, payload in self._sockets[1].drain():
            if user != self.spec.username:
                continue
            try:
                self._take(_decode(payload))
            except DECODE_ERRORS as error:  # its warden was taken over: it may end its own cell, no more
                self.kill()
                self.ended(Died("protocol", f"{len(payload)} bytes that are no report: {error}"[:4096]))

    def _take(self, report: CellReport) -> None:
        match report:
            case Signals():
                self.signals.append(report)
            case Checkpoint():
                self.checkpoint = report
            case Schedule():
                self.timers.append(report)
            case Bye():
                self.parted = True
            case Hello():
                self.command(self._welcome, numbered=False)
            case Running():
                self._running = True
                self._connected(live=not self._welcome.resumes)
            case Missed(at=at):
                # Nothing was published meanwhile that is to be told again: see ``Member.unsaved``.
                self.command(Replayed([], at, done=True, since=at), numbered=False)
                self._connected(live=self._running)

    def _connected(self, *, live: bool) -> None:
        """Remove the folder: nobody has to find the sockets any more, and nobody else can."""
        self.live = self.live or live
        shutil.rmtree(self._folder, ignore_errors=True)

    def _hear_warden(self) -> None:
        handle = self._handle
        if handle is None:
            return
        for report in handle.receive():
            self._note(report)
        if handle.gone:
            self._hub.unwatch(handle.fileno())
            self.ended(Died("unknown", "its warden ended without a word"))

    def _note(self, report: WardenReport) -> None:
        match report:
            case LogLines(lines=lines):
                self.log.extend(text for _, _, text in lines)
            case Warned(kind="error", detail=detail):
                self.faults.append(detail)
                if detail.startswith(f"{UNSAVED}:"):
                    # Without its state nobody can tell how far it is, and no restart could go on from here.
                    self.kill()
                    self.ended(Died("error", f"its state cannot be saved: {detail}"[:4096]))
            case Warned(kind=kind, detail=detail) if kind in FAULTY:
                self.faults.append(f"{kind}: {detail}")
            case Died():
                self.ended(report)
