"""What is refused of cells, as events: the first of a kind at once, then now and then how many more.

An event is a row in a database. A cell that was fenced out, or that is not what it should be, may say what is
refused thousands of times a second: each is counted, and the log of events is not its to fill. Times are
monotonic ns.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

EVERY = 60_000_000_000
"""One cell is told of under one kind no more often than this."""

Tell = Callable[[str, str, str, int], None]
"""Kind, detail, deployment and generation."""


class _Known(Struct):
    """When a kind was last told of one cell, and what was refused since."""

    told_at: int
    more: int = 0
    last: str = ""


class Refusals:
    """Counts by kind and by whose it is; ``tell`` takes what becomes an event."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._known: dict[tuple[str, str, int], _Known] = {}

    def note(self, kind: str, detail: str, deployment_id: str, generation: int, now: int) -> None:
        """Take note of one refusal."""
        known = self._known.get((kind, deployment_id, generation))
        if known is None:
            self._known[kind, deployment_id, generation] = _Known(now)
            self._tell(kind, detail, deployment_id, generation)
        else:
            known.more, known.last = known.more + 1, detail

    def look(self, now: int) -> None:
        """Tell what is due, and forget who was quiet; to be called once a second or so."""
        for (kind, deployment_id, generation), known in list(self._known.items()):
            if now - known.told_at < EVERY:
                continue
            if not known.more:
                del self._known[kind, deployment_id, generation]
                continue
            self._tell(kind, f"{known.more} more, the last: {known.last}", deployment_id, generation)
            known.told_at, known.more = now, 0
