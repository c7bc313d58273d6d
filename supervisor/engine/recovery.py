"""One feed's recovery inside the engine: whom to ask, the socket while it asks, and what there is to tell.

What is decided when stands in ``bus/feeds/catchup.py``. A link is opened for one recovery and closed after
it, so an answer that comes too late finds nobody. Whatever the publisher does, the feed goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from bus.feeds import native
from bus.feeds.catchup import PATIENCE, CatchUp, State
from bus.feeds.errors import FrameRefused
from bus.feeds.recovery import RecoveryRefused, decode_answer, place
from bus.messages import Heartbeat, encode
from bus.sockets import Hub, RecoveryLink
from supervisor.control import FeedSpec

MOST_A_TURN = 512
"""Held messages released in one turn of the loop."""
TELL_EVERY = 1_000_000_000
"""Recoveries are told no more often than this, together, ns."""


class Recovery:
    """What one feed has missed and gets back. ``now`` is monotonic ns."""

    def __init__(
        self, hub: Hub, spec: FeedSpec, tell: Callable[[str, str], None], endpoint: str = ""
    ) -> None:
        self.messages = 0
        """How many messages were recovered."""
        self.failed: dict[str, int] = {}
        """Recoveries that were given up, by reason."""
        self.endpoint = "" if spec.recovery in {"auto", "off"} else spec.recovery
        self._hub = hub
        self._spec = spec
        self._tell = tell
        self.given_up = False
        """Whether the last recovery was; who has heeded it sets it back."""
        self._machine = CatchUp()
        self._link: RecoveryLink | None = None
        self._pieces: deque[tuple[bytes, bytes]] = deque()
        self.announced = ""
        """What the last heartbeat named."""
        self._have: Callable[[], dict[str, int]] = dict
        self._again: Callable[[], None] = lambda: None
        self._untold = 0
        self._lost: set[str] = set()
        self._told_at = 0
        self._missed_at = 0
        """When the gap that is asked about was met, monotonic ns."""
        self._complete = False
        """Whether the last answer was the whole of one, by who has everything that it published."""
        self._behind = False
        """Whether who gave it is the reason if something is missing still: it has not come as far."""
        self.unheard = True
        """Whether no heartbeat was heard while something was missing: the next one may name whom to ask."""
        self.heed(endpoint)

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._machine.state is State.ASKING

    @property
    def live(self) -> bool:
        """Whether nothing is held and nothing awaited."""
        return self._machine.state is State.LIVE and not self._pieces

    @property
    def may_hear(self) -> bool:
        """Whether nobody can be asked yet, and a heartbeat may say whom."""
        native_feed = self._spec.recovery == "auto" and self._spec.format == "native"
        return native_feed and self.unheard and not self.endpoint

    def heed(self, announced: str) -> None:
        """Take note of what a heartbeat says; what is configured has the say."""
        if announced == self.announced:
            return
        self.announced = announced
        if self._spec.recovery != "auto" or self._spec.format != "native":
            return
        self.endpoint, why = place(self._spec.endpoint, announced) if announced else ("", "")
        if why:
            name = self._spec.name
            self._tell(
                "feed_recovery_ignored",
                f"feed {name}: what it announces is not asked: {why}; to allow it, or to end this, name an"
                f' endpoint or "off" as recovery in [feeds.{name}]',
            )

    def begin(
        self, frames: Sequence[bytes], have: Callable[[], dict[str, int]], again: Callable[[], None], now: int
    ) -> None:
        """Hold ``frames``, before which something is missing, and ask for what comes after ``have()``.

        Where nobody is known to ask, a heartbeat may say whom. ``again`` is called when there is something
        to deliver. Of two publishers of a feed the one that answers may be behind the other: then the next
        heartbeat is waited for, or ``look``, and asked again whoever is known by then.
        """
        self._have, self._again = have, again
        self._machine.miss(frames, now)
        behind, self._behind, self._complete = self._behind, False, False
        if behind:
            return
        self._missed_at = now
        if self.endpoint:
            self._connect()
        self.overhear(frames)

    def hold(self, frames: Sequence[bytes]) -> bool:
        """Keep what comes meanwhile; False when there is no room for another."""
        self._machine.hold(frames)
        self._machine.heard(time.monotonic_ns())
        self.overhear(frames)
        return self._machine.room

    def overhear(self, frames: Sequence[bytes]) -> None:
        """Heed a heartbeat that waits: if this publisher came after the one we knew, it is the one to ask."""
        if frames[0] != b"hb":
            return
        try:
            (beat,) = native.decode(frames, 0)
        except FrameRefused:
            return
        before = self.endpoint
        if isinstance(beat, Heartbeat):
            self.unheard = False
            self.heed(beat.recovery)
        if self.asking and not self.endpoint:
            self._go_without()
        elif self.endpoint not in {"", before} and self.asking:
            self._hang_up()
            self._pieces.clear()
            self._machine.ask_anew()
            self._connect()
        elif self._waits:
            self._connect()

    @property
    def _waits(self) -> bool:
        """Whether something is missing and no question is under way: who was asked was behind."""
        return self.asking and self._link is None and bool(self.endpoint)

    @property
    def room(self) -> bool:
        """Whether a message that comes now can be held."""
        return self._machine.room

    def due(self) -> Iterator[tuple[Sequence[bytes], bool]]:
        """Yield what was recovered, then what was held, each with whether it was asked about already.

        Once a piece is delivered, the next one is asked for. Of what was held, some a turn.
        """
        pieces = self._pieces
        if pieces:
            while pieces:
                self.messages += 1
                self._untold += 1
                yield pieces.popleft(), True
            if self.asking:
                self._ask()
        for _ in range(MOST_A_TURN):
            if self._machine.state is not State.RELEASING or (found := self._machine.release()) is None:
                return
            frames, asked = found
            self._behind = asked and self._complete and time.monotonic_ns() - self._missed_at < PATIENCE
            yield frames, asked and not self._behind
            self._behind = False
        self._again()

    def look(self, now: int) -> None:
        """Give up what is overdue, and tell what was recovered; to be called once a second or so."""
        if self._waits and now - self._missed_at < PATIENCE:
            self._connect()
        elif self._waits:
            self._machine.give_up()
            self._again()
        elif self._machine.late(now, asked=bool(self.endpoint)):
            if self.endpoint:
                self._give_up("silent", f"no answer from {self.endpoint}")
            else:
                self._go_without()
        if (self._untold or self._lost) and now - self._told_at >= TELL_EVERY and self.live:
            lost = (
                f"; {', '.join(sorted(self._lost)[:3])}: not all of it is held any more" if self._lost else ""
            )
            self._tell("feed_recovered", f"feed {self._spec.name}: {self._untold} messages recovered{lost}")
            self._untold, self._told_at = 0, now
            self._lost.clear()

    def close(self) -> None:
        """End what is going on; what is held is lost. Twice is fine."""
        self._hang_up()
        self._pieces.clear()

    def _connect(self) -> None:
        try:
            self._link = RecoveryLink(self._hub, self.endpoint, self._spec.curve_server_key)
        except OSError as error:
            self._give_up("unreachable", str(error.strerror or error))
            return
        self._hub.watch(self._link, self._take)
        self._ask()

    def _ask(self) -> None:
        if self._link is not None:
            self._link.ask(encode(self._machine.question(self._have(), time.monotonic_ns())))

    def _take(self) -> None:
        """Take an answer. One that comes before the last was delivered was not asked for."""
        if self._link is None:
            return
        for frames in self._link.answers():
            try:
                answer = decode_answer(frames[0] if len(frames) == 1 and not self._pieces else b"")
                self._pieces.extend(self._machine.take(answer))
            except RecoveryRefused as refused:
                self._give_up(refused.reason, f"{self.endpoint}: {refused}")
                return
            self._lost.update(answer.lost[:100])
            if not self.asking:
                self._complete = not answer.lost
                self._hang_up()
                break
            if not answer.messages:
                self._ask()
        self._again()

    def _go_without(self) -> None:
        """Nobody serves what this feed has missed: no recovery has failed, there is none."""
        self._machine.give_up()
        self.given_up = True
        self._again()

    def _give_up(self, reason: str, why: str) -> None:
        self._hang_up()
        self._machine.give_up()
        self.given_up = True
        self.failed[reason] = self.failed.get(reason, 0) + 1
        self._tell("feed_recovery_failed", f"feed {self._spec.name}: {why}; it goes on with a gap")
        self._again()

    def _hang_up(self) -> None:
        if self._link is not None:
            self._hub.unwatch(self._link)
            self._link.close()
            self._link = None
