"""What cells have missed, told again: whose turn it is, and how much of it one turn of the loop may take.

Rules of this file. Live data goes first: questions wait until everything else of a turn is done, and the next
turn begins with whatever has come meanwhile. A turn looks through ``SHARE`` bytes of tape, however many cells
ask, and takes them one after the other, a piece each. A hundred that catch up at once, after a crash of
everything, are as long at it as they would be anyway; nobody who is live waits for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bus.agenda import NEVER
from bus.messages import CommandBody
from supervisor.engine.roster import Member
from supervisor.store.tape import TapeError

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

SHARE = 256 * 2**10
"""Bytes of tape that one turn looks through: 3,000 frames of one tick each, some 2 ms."""
LEAST = 32 * 2**10
"""Bytes below which what is left of a share is not worth another answer."""
PIECES = 16
"""Answers in one turn, at most: each is a message of its own, however little is in it."""


class Replays:
    """The open questions, one a deployment. ``too_short`` gives the answer of a tape that begins later."""

    def __init__(self, engine: Engine, too_short: Callable[[Member, int], CommandBody]) -> None:
        self._engine = engine
        self._too_short = too_short
        self._asked: dict[str, tuple[Member, int]] = {}

    @property
    def wake(self) -> int:
        """When the loop is to turn again for them, monotonic ns: at once, or never."""
        return 0 if self._asked else NEVER

    def ask(self, member: Member, at: int) -> None:
        """Take a question: what was published from offset ``at`` on. Asked again, it keeps its place."""
        self._asked[member.deployment_id] = member, at

    def serve(self) -> None:
        """Answer some, the longest waiting first."""
        if not self._asked:
            return
        engine, left = self._engine, SHARE
        # Before the tape is read: behind the last piece may come nothing that was published before it.
        engine.settle()
        engine.market.flush()
        for owner in list(self._asked)[:PIECES]:
            member, at = self._asked.pop(owner)
            if engine.roster.current(owner) is member:
                left -= self._answer(member, at, left)
            if left < LEAST:
                return

    def _answer(self, member: Member, at: int, most: int) -> int:
        """Answer one; return what it took of the share."""
        engine = self._engine
        try:
            answer = engine.publication.since(at, member.reads, most)
        except TapeError:
            self._tell(member, self._too_short(member, at))
            return SHARE  # a welcome is work for a turn
        self._tell(member, answer)
        return answer.at - at

    def _tell(self, member: Member, body: CommandBody) -> None:
        self._engine.command(member.deployment_id, member.generation, body)
