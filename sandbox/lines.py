"""Lines of a strategy's output: split, made harmless, limited. Pure.

What does not fit the rate waits in a short queue whose oldest line is dropped and counted, so that the
last lines before a death are always there, flood or not.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from typing import TypeAlias

from sandbox.watchdog import TokenBucket

LONGEST = 8192
"""Bytes kept of one line; the rest of it is dropped and said so."""
WAITING = 200
"""Lines that may wait for the rate: what an operator is shown after a death (supervision.md)."""
REPORT = 96 * 1024
"""Bytes of text in one report: half of what the control channel takes in one datagram."""

HELD = 4 * 2**20
"""Bytes that may wait for a supervisor that does not read; beyond, the oldest lines are lost."""

ENVELOPE = 32
"""Bytes that a line counts beside its text: time, stream and framing."""

Line: TypeAlias = tuple[int, str, str]
"""(unix ns, "out" | "err" | "log", text)."""

# C0 but tab, DEL and C1: an escape sequence in a log could otherwise rewrite the operator's terminal. And
# Unicode's separators of lines, and what turns the direction of text around (UAX 9, "Directional Formatting
# Characters"): with these a line says to its reader what its bytes do not.
_ALWAYS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_ALWAYS}\n]")
_CONTROL_BUT_NEWLINE = re.compile(f"[{_ALWAYS}]")


def harmless(text: str) -> str:
    r"""Return ``text`` with its control characters written out as ``\xNN`` or ``\uNNNN``."""
    return _CONTROL.sub(_written_out, text)


def harmless_text(text: str) -> str:
    r"""Return ``text`` of several lines likewise, its newlines as they are."""
    return _CONTROL_BUT_NEWLINE.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


class Splitter:
    """Cuts one byte stream into lines; bounded, whatever comes."""

    def __init__(self) -> None:
        self.skipped = 0
        """Lines that nobody had room for, since the start."""
        self._open = b""
        self._cut = 0

    def feed(self, data: bytes, room: int = sys.maxsize) -> list[str]:
        """Return the lines that ``data`` completes.

        Of more than ``room`` lines only the first, and the last ``WAITING``: a flood of empty lines is not
        worth the time to decode what the queue will drop (``LineQueue.room``).
        """
        *complete, rest = (self._open + data).split(b"\n")
        if (surplus := len(complete) - room) > 0:
            self.skipped += surplus
            del complete[-WAITING - surplus : -WAITING]
        lines = []
        for line in complete:
            lines.append(self._text(line))
            self._cut = 0
        if len(rest) > LONGEST:
            self._cut += len(rest) - LONGEST
            rest = rest[:LONGEST]
        self._open = rest
        return lines

    def end(self) -> list[str]:
        """Return what is left as a last line, if anything is."""
        rest, self._open = self._open, b""
        return [self._text(rest)] if rest else []

    def _text(self, line: bytes) -> str:
        cut = self._cut + max(0, len(line) - LONGEST)
        text = harmless(line[:LONGEST].removesuffix(b"\r").decode("utf-8", "backslashreplace"))
        return f"{text} ... {cut} bytes cut" if cut else text


class LineQueue:
    """Lines on their way to the supervisor, at ``bytes_per_s`` with one second's worth at once."""

    def __init__(self, bytes_per_s: float, now: float) -> None:
        self.dropped = 0
        """Lines lost since the start."""
        self._burst = max(bytes_per_s, LONGEST)
        self._bucket = TokenBucket(bytes_per_s, self._burst, now)
        self._waiting: deque[Line] = deque()
        self._ready: list[Line] = []
        self._told = 0

    @property
    def ready(self) -> bool:
        """Whether there are lines that may leave."""
        return bool(self._ready)

    def room(self, now: float) -> int:
        """Return how many more lines could leave or wait, were they all empty."""
        return WAITING + int(self._bucket.level(now) / ENVELOPE)

    def add(self, line: Line, now: float) -> None:
        """Take one line."""
        self._waiting.append(line)
        self._admit(now)
        if len(self._waiting) > WAITING:
            self._waiting.popleft()
            self.dropped += 1

    def _admit(self, now: float) -> None:
        # Written out, a line of control characters is larger than the smallest burst: it takes all of that.
        while self._waiting and self._bucket.take(min(_size(self._waiting[0]), self._burst), now):
            self._ready.append(self._waiting.popleft())

    def take(self, now: float, *, everything: bool = False) -> list[tuple[list[Line], int]]:
        """Return what may leave now, in reports: (lines, dropped since the last report)."""
        self._admit(now)
        lines, self._ready = self._ready, []
        if everything:
            lines += self._waiting
            self._waiting.clear()
        reports: list[list[Line]] = []
        size = REPORT
        for line in lines:
            size += _size(line)
            if size > REPORT:
                reports.append([])
                size = _size(line)
            reports[-1].append(line)
        if self.dropped > self._told and not reports:
            reports.append([])
        dropped, self._told = self.dropped - self._told, self.dropped
        return [(report, dropped if i == 0 else 0) for i, report in enumerate(reports)]

    def put_back(self, reports: list[tuple[list[Line], int]]) -> None:
        """Take back reports of ``take`` that found no room on their way: they leave first next time."""
        self._told -= sum(dropped for _, dropped in reports)
        self._ready[:0] = [line for lines, _ in reports for line in lines]
        held = sum(map(_size, self._ready))
        surplus = 0
        while held > HELD:
            held -= _size(self._ready[surplus])
            surplus += 1
        del self._ready[:surplus]
        self.dropped += surplus

    def lost(self, count: int) -> None:
        """Count lines that were taken but could not be sent."""
        self.dropped += count


def _size(line: Line) -> int:
    return len(line[2].encode("utf-8", "replace")) + ENVELOPE
