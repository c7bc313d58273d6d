"""What a publisher keeps of what it published, for subscribers that missed it. Pure, bounded by bytes.

Messages are numbered as they are put here; per symbol two arrays lead from its ``seq`` to that number. So a
question costs a look-up for each symbol, and no more than the messages that it gets, or ``SCAN`` of them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from msgspec import Struct

from bus.feeds.recovery import PIECE, Answer, Question

CAPACITY = 64 * 2**20
"""Bytes that a shelf may take, what Python needs for a message included."""
OVERHEAD = 250
"""Bytes that a message takes beside its payload (measured: 150 to 250)."""
SCAN = 20_000
"""Messages that one question may have looked at: some ms."""
_SHRINK = 1024


class Kept(Struct, frozen=True, gc=False):
    """One message; ``first`` and ``last`` are the numbers of its ticks, -1 for a bar."""

    topic: bytes
    payload: bytes
    symbol: str
    first: int
    last: int


class Shelf:
    """The newest messages of a publisher, as many as fit into ``capacity`` bytes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.size = 0
        """Bytes taken."""
        self._capacity = capacity
        self._kept: list[Kept | None] = []
        self._head = 0
        self._base = 1
        """Number of the message at index 0; 0 is no message's, but a first question's cursor."""
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        return len(self._kept) - self._head

    def put(self, topic: bytes, payload: bytes, symbol: str, first: int = -1, last: int = -1) -> None:
        """Keep one message that was published: a tick, a batch numbered ``first`` to ``last``, or a bar.

        A number that is not above the one before of its symbol begins a new count: what is held of the old
        one is not given out any more.
        """
        number = self._base + len(self._kept)
        self._kept.append(Kept(topic, payload, symbol, first, max(first, last)))
        self.size += len(payload) + OVERHEAD
        if first >= 0:
            line = self._lines.get(symbol)
            if line is None or first <= line.last:
                line = self._lines[symbol] = _Line()
            line.add(max(first, last), number)
        while self.size > self._capacity and len(self) > 1:
            self._drop()

    def answer(self, question: Question) -> Answer:
        """Give a piece of what the asker has not, in the order of publication."""
        at = question.cursor
        lost: list[str] = []
        if at < self._base + self._head:
            at, lost = self._first_missing(question.have)
        messages: list[tuple[bytes, bytes]] = []
        size, have = 0, question.have
        end = self._base + len(self._kept)
        stop = min(end, at + SCAN)
        while at < stop and len(messages) < question.limit:
            kept = self._kept[at - self._base]
            if kept is not None and self._wanted(kept, at, have):
                size += len(kept.topic) + len(kept.payload)
                if size > PIECE and messages:
                    break
                messages.append((kept.topic, kept.payload))
            at += 1
        return Answer(at < end, messages, lost, at)

    def _first_missing(self, have: dict[str, int]) -> tuple[int, list[str]]:
        """Find the first message with a tick that the asker has not, and the symbols that have holes.

        Bars have no numbers: those after that message are given too, those before it are taken for heard.
        """
        at = self._base + len(self._kept)
        lost: list[str] = []
        for symbol, line in self._lines.items():
            had = have.get(symbol, -1)
            if line.last <= had:
                continue
            number = line.after(had)
            at = min(at, number)
            kept = self._kept[number - self._base]
            if symbol in have and kept is not None and kept.first > had + 1:
                lost.append(symbol)
        return at, lost

    def _wanted(self, kept: Kept, number: int, have: dict[str, int]) -> bool:
        if kept.last < 0:
            return True
        return kept.last > have.get(kept.symbol, -1) and number >= self._lines[kept.symbol].begins

    def _drop(self) -> None:
        """Let the oldest message go."""
        kept, number = self._kept[self._head], self._base + self._head
        self._kept[self._head] = None
        self._head += 1
        if kept is not None:
            self.size -= len(kept.payload) + OVERHEAD
            line = self._lines[kept.symbol] if kept.last >= 0 else None
            if line is not None and number >= line.begins and line.drop():
                del self._lines[kept.symbol]
        if self._head > _SHRINK and self._head * 2 > len(self._kept):
            del self._kept[: self._head]
            self._base += self._head
            self._head = 0


class _Line:
    """The numbered messages of one symbol: by ascending ``seq``, each with its number on the shelf."""

    __slots__ = ("_head", "_numbers", "_seqs", "begins", "last")

    def __init__(self) -> None:
        self.last = -1
        self.begins = 0
        """Number of the first message of this count."""
        self._seqs = array("q")
        self._numbers = array("q")
        self._head = 0

    def add(self, seq: int, number: int) -> None:
        self.begins = self.begins or number
        self.last = seq
        self._seqs.append(seq)
        self._numbers.append(number)

    def after(self, seq: int) -> int:
        """The number of the first message with a tick above ``seq``."""
        return self._numbers[bisect_right(self._seqs, seq, self._head)]

    def drop(self) -> bool:
        """Let the oldest go; True if nothing is left."""
        self._head += 1
        if self._head > _SHRINK and self._head * 2 > len(self._seqs):
            del self._seqs[: self._head], self._numbers[: self._head]
            self._head = 0
        return self._head == len(self._seqs)
