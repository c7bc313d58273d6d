"""Where a cell stands with the engine: greeting it, hearing it live, or catching up from its tape. Pure.

::

    stage        what the warden says                  what it takes                       until
    cold         Hello(0)                              a Welcome                           it is there
    welcomed     nothing yet                           nothing: all of it is on the tape   it said Running
    catching_up  Missed(at), when there is room        Replayed; a Welcome that does not   the tape ends
                 and again after a second of silence   resume: the tape is too short
    live         nothing                               everything                          a piece is missing
    greeting     Hello(tape)                           a Welcome                           it is there

What is of the moment (Stop, TakeCheckpoint) is taken in every stage but the first. Live data that is not
taken is neither kept nor merged: the last piece comes on the same socket as live data, so whatever follows
it is what was published next.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from bus.messages import Replayed

PATIENCE: Final = 1.0
"""Seconds without an answer after which a question is asked again."""
HURRY: Final = 10.0
"""Seconds of catching up after which a strategy whose ticks may be conflated is given no more time for each:
one that is slower than its market would never be live again."""


class Stage(StrEnum):
    """Where a cell stands."""

    COLD = "cold"
    WELCOMED = "welcomed"
    CATCHING_UP = "catching_up"
    LIVE = "live"
    GREETING = "greeting"


class News(StrEnum):
    """What moves it on."""

    FRESH = "fresh"
    """A Welcome that begins at the present."""
    RESUMES = "resumes"
    """A Welcome behind which there is more on the tape."""
    RUNNING = "running"
    """The engine has been told that the strategy runs."""
    MISSING = "missing"
    """A sequence jumped, or there was no room."""
    DONE = "done"
    """The last piece has been taken."""
    NEW_RUN = "new_run"
    """Another run of the engine publishes."""


NEXT: Final[Mapping[Stage, Mapping[News, Stage]]] = {
    Stage.COLD: {
        News.FRESH: Stage.LIVE,
        News.RESUMES: Stage.WELCOMED,
    },
    Stage.WELCOMED: {
        News.RUNNING: Stage.CATCHING_UP,
        News.NEW_RUN: Stage.GREETING,
    },
    Stage.CATCHING_UP: {
        News.RUNNING: Stage.CATCHING_UP,  # its backlog was full before it was warm
        News.MISSING: Stage.CATCHING_UP,
        News.DONE: Stage.LIVE,
        News.FRESH: Stage.LIVE,
        News.NEW_RUN: Stage.GREETING,
    },
    Stage.LIVE: {
        News.RUNNING: Stage.LIVE,
        News.MISSING: Stage.CATCHING_UP,
        News.NEW_RUN: Stage.GREETING,
    },
    Stage.GREETING: {
        News.RUNNING: Stage.GREETING,  # the engine died while the strategy was warming up
        News.FRESH: Stage.LIVE,
        News.RESUMES: Stage.WELCOMED,
    },
}
"""Anything else is the caller's fault, and a ``KeyError``."""


class CatchingUp:
    """The stage, and the one question that may be open. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.stage = Stage.COLD
        self.asked: int | None = None
        """Offset of the open question."""
        self._asked_at = 0.0
        self._began = 0.0

    def hear(self, news: News, now: float) -> None:
        """Move on."""
        self.stage = NEXT[self.stage][news]
        self.asked = None
        if news in {News.MISSING, News.RUNNING}:
            self._began = now

    def may_ask(self, now: float, *, room: bool, conflates: bool) -> bool:
        """Whether to ask for the next piece, or for the one that does not come again."""
        if self.stage is not Stage.CATCHING_UP:
            return False
        if self.asked is not None:
            return now - self._asked_at >= PATIENCE
        return room or (conflates and self.hurries(now))

    def ask(self, at: int, now: float) -> None:
        """Note a question that was sent."""
        self.asked, self._asked_at = at, now

    def answered(self, piece: Replayed) -> bool:
        """Whether ``piece`` answers the open question; then it is open no more."""
        if self.stage is not Stage.CATCHING_UP or self.asked is None or piece.since not in {-1, self.asked}:
            return False
        self.asked = None
        return True

    def hurries(self, now: float) -> bool:
        """Whether it has taken too long for waiting on a slow strategy."""
        return self.lasts(now) >= HURRY

    def lasts(self, now: float) -> float:
        """Seconds since it began to catch up."""
        return now - self._began
