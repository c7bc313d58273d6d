"""What cells are told: on the tape before it is on the socket, and told again to who missed it.

Rules of this file. A frame is published when it is on the tape; only then is it sent, so whoever has heard
something can be told it again, after any crash. Data and numbered commands are one stream in one order.
What is only of the moment (``Welcome``, ``Stop``, ``TakeCheckpoint``, ``Inspect``, an answer) is not on the
tape.

What was missed goes to its cell on the same socket as everything else, not by a ROUTER beside it as in the
Clone pattern of the ZeroMQ guide: behind the last piece comes exactly what was published after it, so
nobody has to buffer live data, to merge two streams or to find out where they meet.
"""

from __future__ import annotations

from collections.abc import Callable

from bus import topics
from bus.messages import (
    Acked,
    CellCommand,
    CommandBody,
    Commanded,
    Filled,
    OrderChanged,
    Parameters,
    Pause,
    Replayed,
    Resume,
    TimerFired,
    encode,
)
from supervisor.store.tape import Tape

NUMBERED = Acked | Filled | OrderChanged | TimerFired | Pause | Resume | Parameters | Commanded
"""Commands that a strategy must not miss, and that a replay repeats."""
PIECE = 256 * 2**10
"""Bytes of one answer to a cell that missed something, at most but for its last frame."""


class Publication:
    """Publishes frames, ``topic|name|payload``; raises ``TapeError`` where the tape takes no more.

    ``numbers`` holds the number of the last command of each deployment.
    """

    def __init__(self, tape: Tape, send: Callable[[bytes], object]) -> None:
        self.tape = tape
        self.numbers: dict[str, int] = {}
        self._send = send
        self._waiting: list[bytes] = []
        self.publish = self._waiting.append
        """Publish one frame, with the next ``flush``."""

    def flush(self) -> None:
        """Publish what waits: one write for all of it."""
        waiting = self._waiting
        if waiting:
            self.tape.append(waiting)
            for frame in waiting:
                self._send(frame)
            waiting.clear()

    def command(self, deployment_id: str, generation: int, body: CommandBody) -> None:
        """Send one command to one cell; a numbered one is published."""
        topic = topics.cell(deployment_id)
        if isinstance(body, NUMBERED):
            number = self.numbers[deployment_id] = self.numbers.get(deployment_id, 0) + 1
            self.publish(topic + encode(CellCommand(generation, body, number)))
        else:
            self.flush()
            self._send(topic + encode(CellCommand(generation, body)))

    def since(self, at: int, wanted: Callable[[bytes], bool], most: int) -> Replayed:
        """Return the next piece of what was published from offset ``at`` on, of the ``wanted`` topics.

        At most ``most`` bytes of tape are looked through, or one frame that is longer. Raises ``TapeGone``
        if the tape does not reach back so far, ``TapeError`` if ``at`` is none of its offsets.
        """
        self.flush()
        frames: list[bytes] = []
        asked, size, end = at, 0, at + most
        while size < PIECE and at < end:
            found, at = self.tape.read(at, min(PIECE, end - at))
            if not found:
                break
            mine = [frame for frame in found if wanted(topics.of(frame))]
            size += sum(map(len, mine))
            frames += mine
        return Replayed(frames, at, at == self.tape.end, asked)
