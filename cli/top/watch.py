"""The thread that keeps a board true: by the stream, and by asking for as long as there is none.

Rules of this file. It never ends by what a daemon does: one that goes away is asked for until it is back.
Each connection begins anew, with answers for everything, so it does not matter what happened in between.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from cli.client import Client
from cli.errors import CommandError
from cli.top.board import Board, View
from supervisor.client.calls import daemon, running

TOPICS: Final = ("deployments", "feeds", "metrics")
PAUSE: Final = 2.0
"""Seconds between two attempts at a stream, and between two questions while there is none."""
SLOW: Final = 5.0
"""Seconds between two questions for what has no topic: the daemon's own state."""
ENDED: Final = "the daemon ended the stream"


class Watch:
    """Keeps a board, on a thread of its own from ``begin`` on."""

    def __init__(
        self,
        client: Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._board = Board()
        self._lock = threading.Lock()
        self._fault: Exception | None = None

    def look(self) -> View:
        """Ask for everything, once. Raises ``CommandError``."""
        self._ask()
        return self.view()

    def begin(self) -> None:
        """Ask for everything and start to listen. Raises ``CommandError`` where that is not answered."""
        self._ask()
        # A thread has the mask of who starts it. Signals are for the one that draws (``screen.py``).
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            # It ends with the process: a read that waits for a daemon cannot be called back.
            threading.Thread(target=self._run, name="top", daemon=True).start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def view(self) -> View:
        """Return what is known now. Raises ``RuntimeError`` if the thread has ended, by a fault of ours."""
        if self._fault is not None:
            raise RuntimeError(f"{type(self._fault).__name__}: {self._fault}") from self._fault
        with self._lock:
            return self._board.view(self._clock())

    def _run(self) -> None:
        try:
            while True:
                self.turn()
        except Exception as error:  # noqa: BLE001  (the wall: told by whoever draws)
            self._fault = error

    def turn(self) -> None:
        """Listen until there is no stream any more, ask instead, and wait a moment."""
        try:
            self._listen()
            why = ENDED
        except CommandError as error:
            why = error.lines[0]
        with self._lock:
            self._board.lost(why)
        try:
            self._ask()
        except CommandError as error:
            with self._lock:
                self._board.unanswered(error.lines[0])
        self._sleep(PAUSE)

    def _listen(self) -> None:
        """Tell the board what the stream tells. Raises ``CommandError``; returns where it ended in order."""
        whole, slow = False, 0.0
        for message in self._client.messages(TOPICS):
            now = self._clock()
            if not whole:
                # First comes how everything was when it last changed, with the figures behind it. Asked for,
                # it is as of now.
                if message.topic != "metrics":
                    continue
                whole, slow = True, now
                self._ask()
                with self._lock:
                    self._board.streaming()
            with self._lock:
                self._board.told(message.topic, message.data, self._clock())
            if now - slow >= SLOW:
                slow = now
                status = self._status()
                with self._lock:
                    self._board.state(status, self._clock())

    def _ask(self) -> None:
        status, rows = self._status(), json.loads(self._client.call(running.deployments))
        with self._lock:
            self._board.asked(status, rows, self._clock())

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._client.call(daemon.status))
        return found
