"""What comes in of one feed, in its order: what was missed and is recovered before what was held for it.

Three things are held together here: the messages behind a gap (``Recovery``), the intake, which gives back
what must not be judged yet, and the feed's clocks, by which no timer may close a candle meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from bus.intake import AHEAD, Intake
from bus.market import FeedClock
from bus.messages import Bar, Tick
from bus.sockets import FeedSocket, Hub
from supervisor.engine.recovery import Recovery

PATIENCE = 60 * 1_000_000_000
"""How long candles wait, by their stopped clock, for a feed that was interrupted and may recover what was
missed. After that it is an outage like any other. In ns."""


class Inflow:
    """The way in of one feed: socket, intake, recovery; ``clocks`` is the feed's own list of them.

    ``outage`` is called where something is lost for good: candles that are open then are not whole.
    """

    def __init__(
        self,
        hub: Hub,
        socket: FeedSocket,
        intake: Intake,
        recovery: Recovery,
        *,
        clocks: Sequence[FeedClock],
        outage: Callable[[], None],
    ) -> None:
        self.patience = PATIENCE
        self.look_now = False
        """Whether the health of the feed is to be looked at before what comes next is delivered."""
        self._hub = hub
        self._socket = socket
        self._intake = intake
        self._recovery = recovery
        self._clocks = clocks
        self._outage = outage
        self._interrupted = False
        self._held_since = 0

    @property
    def may_recover(self) -> bool:
        """Whether what is missing now may still come: somebody can be asked, or it was not heard yet."""
        return self._may_ask or self._interrupted

    def interrupt(self) -> None:
        """Nothing comes any more: ask what came meanwhile when something does. Until then nothing closes."""
        self._interrupted = True
        self._hold()

    def items(self, now: int) -> Iterator[Sequence[Tick | Bar]]:
        """Yield what each message that is ready has to deliver; ``now`` is wall-clock ns."""
        intake, recovery = self._intake, self._recovery
        recovery.heed(intake.announced)
        intake.guarded = self._may_ask
        holding = not recovery.live
        if holding:
            yield from self._catch_up(now)
            holding = not recovery.live
            if holding and not (recovery.asking and recovery.room):
                self._socket.drained = True  # nothing is taken from it before there is room
                return
        accept = intake.accept
        for frames in self._socket.drain():
            if holding:
                if not recovery.hold(frames):
                    self._socket.drained = True
                    return
                continue
            if self._interrupted and self._ask_what_came_meanwhile(frames):
                holding = True
                continue
            items = accept(frames, now)
            if items is AHEAD:
                self._ask(frames)
                holding = True
                continue
            yield items

    def look(self) -> None:
        """Whatever time alone decides: an answer that is overdue, a feed that does not come back."""
        monotonic = time.monotonic_ns()
        self._recovery.look(monotonic)
        if not self._recovery.live:
            return
        if self._intake.repeating:
            # What was recovered and is on its way as well, may still come.
            self._intake.repeating = not self._socket.idle
            self._hub.look_again(self._socket)
        if self._clocks[0].held and monotonic - self._held_since >= self.patience:
            self._outage()
            self._release()

    def _catch_up(self, now: int) -> Iterator[Sequence[Tick | Bar]]:
        """Yield what was recovered, then what was held: some of it, if it is much."""
        intake, recovery = self._intake, self._recovery
        if recovery.given_up:
            recovery.given_up = False
            if self._interrupted:
                self._outage()
        intake.repeating = self.look_now = True
        for frames, asked in recovery.due():
            # What was asked about is delivered whatever is missing before it still: that is a gap.
            intake.guarded = not asked
            items = intake.accept(frames, now)
            if items is AHEAD:
                self._ask(frames)
                return
            yield items
        if recovery.live:
            intake.guarded, self._interrupted = self._may_ask, False
            self._release()

    def _ask(self, frames: Sequence[bytes]) -> None:
        """Hold a message before which something is missing, and ask for that."""
        self._hold()
        again = self._hub.look_again
        self._recovery.begin(
            frames, lambda: self._intake.positions, lambda: again(self._socket), time.monotonic_ns()
        )

    def _ask_what_came_meanwhile(self, frames: Sequence[bytes]) -> bool:
        """Ask, at the first message after an interruption, what came in it; False if nobody can be asked."""
        self._recovery.overhear(frames)
        if self._may_ask or (self._recovery.may_hear and self._intake.sequenced):
            self._ask(frames)
            return True
        self._interrupted, self.look_now = False, True
        if frames[0] != b"hb":
            self._outage()  # of the symbols that it does not name nothing is known
        self._release()
        return False

    @property
    def _may_ask(self) -> bool:
        return bool(self._recovery.endpoint) and self._intake.sequenced

    def _hold(self) -> None:
        if not self._clocks[0].held:
            self._held_since = time.monotonic_ns()
            for clock in self._clocks:
                clock.held = True

    def _release(self) -> None:
        self._recovery.unheard = False  # once an engine: who does not say it does not serve it
        monotonic = time.monotonic_ns()
        for clock in self._clocks:
            clock.release(monotonic)
