"""When each running cell is asked for its state, and which states are taken. Pure; ``now`` is monotonic ns.

::

    IDLE --due--> ASKED --its checkpoint--> IDLE     asked again, still ASKED, if none came for AGAIN

Rules of this file. One question is under way for a cell at most. What travels from a cell keeps its order,
so the answer covers every signal that came before it, also those accepted since the question.
"""

from __future__ import annotations

from typing import Final

from bus.agenda import NEVER
from bus.messages import Checkpoint

SECOND: Final = 1_000_000_000
GAP: Final = SECOND // 10
"""At least so long between two questions to one cell: ten checkpoints a second."""
AGAIN: Final = 5 * SECOND
"""A cell that did not answer is asked again: the question, or the answer, may have died with an engine."""
LONGEST_TOPIC: Final = 256
"""Characters of a topic in a position (``bus/topics.py``: a symbol has 64)."""
SPARE_TOPICS: Final = 1_000
"""Topics in a position besides two for each symbol: its own, and each feed that ever told its health."""


class _Cell:
    """One running instance: when it is asked next, when it was last (NEVER: not yet), whether that stands."""

    __slots__ = ("asked_at", "due", "waits")

    def __init__(self, now: int) -> None:
        self.due = now
        self.asked_at = NEVER
        self.waits = False


class Saving:
    """The running cells by their deployment. ``every`` ns passes between two checkpoints at most."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.wake = NEVER
        """Nobody is to be asked before."""
        self._cells: dict[str, _Cell] = {}

    def running(self, deployment_id: str, now: int) -> None:
        """An instance is warm: asked at once, so that there is a checkpoint of it with a position."""
        self._cells[deployment_id] = _Cell(now)
        self.wake = min(self.wake, now)

    def gone(self, deployment_id: str) -> None:
        """Ask it no more."""
        self._cells.pop(deployment_id, None)

    def accepted(self, deployment_id: str, now: int) -> None:
        """A signal of it was accepted, or it was paused: it is asked as soon as ``GAP`` allows."""
        cell = self._cells.get(deployment_id)
        if cell is None or cell.waits:
            return  # what is under way comes after this signal
        soon = now if cell.asked_at == NEVER else max(now, cell.asked_at + GAP)
        cell.due = min(cell.due, soon)
        self.wake = min(self.wake, cell.due)

    def saved(self, deployment_id: str, now: int) -> None:
        """Its checkpoint came, asked for or not."""
        cell = self._cells.get(deployment_id)
        if cell is None:
            return
        cell.waits = False
        cell.due = now + self.every
        self.wake = min(self.wake, cell.due)

    def due(self, now: int) -> list[str]:
        """Return whom to ask now; that counts as asked. Nobody before ``wake``."""
        if now < self.wake:
            return []
        asked = [name for name, cell in self._cells.items() if now >= cell.due]
        for name in asked:
            cell = self._cells[name]
            cell.asked_at, cell.waits, cell.due = now, True, now + AGAIN
        self.wake = min((cell.due for cell in self._cells.values()), default=NEVER)
        return asked


def objection(checkpoint: Checkpoint, most_bytes: int, symbols: int) -> str:
    """Return why a checkpoint is not kept, "" if it is. The warden looked first; nothing rests on that."""
    position = checkpoint.position
    if len(checkpoint.state) > most_bytes:
        return f"{len(checkpoint.state):,} bytes, at most {most_bytes:,} are kept ([quota] checkpoint)"
    most_topics = 2 * symbols + SPARE_TOPICS
    if len(position) > most_topics:
        return f"a position of {len(position):,} topics, at most {most_topics:,} are known"
    if max(map(len, position), default=0) > LONGEST_TOPIC:
        return f"a topic of more than {LONGEST_TOPIC} characters in its position"
    return ""
