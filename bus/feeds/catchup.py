"""What a subscriber does that has missed something: holds what comes, asks, and gives up in time. Pure.

::

    state      word       next
    live       missing    asking      hold what revealed it and all that follows, ask
    asking     piece      asking      deliver the piece, ask for the next one
    asking     last       releasing   deliver the piece, then what was held
    asking     silence    releasing   given up: deliver what was held, the gap is told as any other
    releasing  missing    asking      something is missing in what was held, too
    releasing  empty      live

Times are monotonic ns and arguments. Duplicates between what was recovered and what was held are the
judge's to find (bus/feeds/judge.py), by their numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from bus.feeds.recovery import Answer, Question, RecoveryRefused

PATIENCE = 2_000_000_000
"""How long an answer may take, ns, while the publisher is heard of otherwise."""
AWAY = 1_500_000_000
"""Without a message for so long, a heartbeat and a half, the publisher is away, or we were: nobody can have
answered meanwhile, and nothing is held up. In ns."""
LONGEST = 30_000_000_000
"""How long anything is held at most for a publisher that is hardly ever heard of, ns."""
HELD = 200_000
HELD_BYTES = 128 * 2**20
"""Messages, and bytes of them, held while asking; what comes then waits in the queue of the socket."""
LIMIT = 1000
"""Messages asked for at once: what one turn of the engine can well deliver."""
PIECES = 65_536
"""Pieces that one recovery may have: more than a publisher can hold, so whoever sends more has no end."""
USELESS = 1000
"""Pieces in a row that may leave the asker with what it had: of bars, which have no numbers, or of nothing,
from a publisher that still looks. Whoever sends more only keeps what is live from being delivered."""


class State(StrEnum):
    """What is done with the next message of the feed."""

    LIVE = "live"
    ASKING = "asking"
    RELEASING = "releasing"


class Word(StrEnum):
    """What can happen."""

    MISSING = "missing"
    PIECE = "piece"
    LAST = "last"
    SILENCE = "silence"
    EMPTY = "empty"


NEXT: dict[tuple[State, Word], State] = {
    (State.LIVE, Word.MISSING): State.ASKING,
    (State.ASKING, Word.PIECE): State.ASKING,
    (State.ASKING, Word.LAST): State.RELEASING,
    (State.ASKING, Word.SILENCE): State.RELEASING,
    (State.RELEASING, Word.MISSING): State.ASKING,
    (State.RELEASING, Word.EMPTY): State.LIVE,
}


class CatchUp:
    """One feed's way back to being whole. An event that its state does not know is a ``KeyError``.

    ``judged`` of the held messages at the front are delivered whatever is missing before them: they were
    asked about already. That is the one that revealed the gap, or all, if nobody answered.
    """

    def __init__(self, held: int = HELD, held_bytes: int = HELD_BYTES) -> None:
        self.state = State.LIVE
        self.judged = 0
        self._most = held
        self._most_bytes = held_bytes
        self._held: deque[Sequence[bytes]] = deque()
        self._bytes = 0
        self._asked_at = 0
        self._heard_at = 0
        self._missed_at = 0
        self._cursor = 0
        self._pieces = 0
        self._had: dict[str, int] | None = None
        self._useless = 0

    @property
    def room(self) -> bool:
        """Whether another message can be held."""
        return len(self._held) < self._most and self._bytes < self._most_bytes

    @property
    def held(self) -> int:
        """How many messages wait for what comes before them."""
        return len(self._held)

    def miss(self, frames: Sequence[bytes], now: int) -> None:
        """Something is missing before ``frames``: hold them, in front, and ask."""
        self._go(Word.MISSING)
        self._held.appendleft(frames)
        self._bytes += sum(map(len, frames))
        self._asked_at = self._heard_at = self._missed_at = now
        self.judged = 0
        self.ask_anew()

    def ask_anew(self) -> None:
        """Ask somebody else: nothing of the answers so far means anything to him."""
        self._cursor = self._pieces = self._useless = 0
        self._had = None

    def heard(self, now: int) -> None:
        """Take note that the publisher lives: who was away gets the whole time for an answer again."""
        if now - self._heard_at >= AWAY:
            self._asked_at = now
        self._heard_at = now

    def hold(self, frames: Sequence[bytes]) -> None:
        """Keep a message that came meanwhile."""
        self._held.append(frames)
        self._bytes += sum(map(len, frames))

    def question(self, have: dict[str, int], now: int) -> Question:
        """Make the question for what comes after ``have``."""
        self._asked_at = now
        self._useless = self._useless + 1 if have == self._had else 0
        self._had = have
        return Question(have, LIMIT, self._cursor)

    def take(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """Take an answer, give what it recovered; ``RecoveryRefused`` if it leads nowhere."""
        if answer.more:
            self._pieces += 1
            if answer.cursor <= self._cursor and not answer.messages:
                raise RecoveryRefused("no_progress", "more is promised, nothing is given")
            if self._pieces > PIECES:
                raise RecoveryRefused("no_progress", f"more than {PIECES} pieces, and no end")
            if self._useless >= USELESS:
                raise RecoveryRefused(
                    "no_progress", f"{USELESS} pieces in a row with nothing new, and no end"
                )
        self._go(Word.PIECE if answer.more else Word.LAST)
        self._cursor = answer.cursor
        self.judged = 0 if answer.more else 1
        return answer.messages

    def late(self, now: int, *, asked: bool = True) -> bool:
        """Whether an answer is overdue; if nobody was ``asked``, a word whom to ask."""
        if self.state is not State.ASKING:
            return False
        overdue = now - self._asked_at >= PATIENCE and (now - self._heard_at < AWAY or not asked)
        return overdue or now - self._missed_at >= LONGEST

    def give_up(self) -> None:
        """Nobody answers, or nothing that can be used."""
        self._go(Word.SILENCE)
        self.judged = len(self._held)

    def release(self) -> tuple[Sequence[bytes], bool] | None:
        """Give the next held message and whether it was asked about; None when there is no other."""
        if not self._held:
            self._go(Word.EMPTY)
            return None
        known = self.judged > 0
        self.judged = max(0, self.judged - 1)
        frames = self._held.popleft()
        self._bytes -= sum(map(len, frames))
        return frames, known

    def _go(self, word: Word) -> None:
        self.state = NEXT[self.state, word]
