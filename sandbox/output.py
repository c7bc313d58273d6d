"""What a strategy writes: two pipes into lines for the supervisor, and the stack out of stderr."""

from __future__ import annotations

import select
import time

from sandbox.lines import LONGEST, WAITING, LineQueue, Splitter, harmless
from sandbox.reports import Supervisor
from sandbox.spec import LogLines, Warned
from sandbox.ward import Ward

STACK = 64 * 1024
"""Bytes of stderr kept for the stack of a hang or crash."""
LAST_OUTPUT = 2 * 2**20
"""Bytes read from the pipe of a dead process: more than a pipe holds."""
TELL_AGAIN = 10.0
"""Seconds between two warnings that lines were dropped."""
FLUSH_AFTER = 0.02
"""Seconds between two reports of lines: many lines a report, soon enough for ``logs -f``."""


class Output:
    """Output of one strategy process."""

    def __init__(self, ward: Ward, supervisor: Supervisor, bytes_per_s: float, now: float) -> None:
        self.queue = LineQueue(bytes_per_s, now)
        self._bytes_per_s = bytes_per_s
        self._told = 0
        self._tell_at = now
        self._supervisor = supervisor
        self._ward = ward
        self._splitters = {ward.stdout: Splitter(), ward.stderr: Splitter()}
        self._names = {ward.stdout: "out", ward.stderr: "err"}
        self._tail = b""
        self._flushed = now

    @property
    def pipes(self) -> tuple[int, ...]:
        """Descriptors of the pipes that are still open at the strategy's end."""
        return tuple(self._names)

    @property
    def behind(self) -> bool:
        """Whether there are lines that may leave and have not."""
        return self.queue.ready

    def read(self, pipe: int, now: float) -> bool:
        """Take what a pipe holds; False once it is closed."""
        data = self._ward.read(pipe)
        if data is None:
            return True
        if not data:
            self._end(pipe, now)
            return False
        self._take(pipe, data, now)
        return True

    def _take(self, pipe: int, data: bytes, now: float) -> None:
        if pipe == self._ward.stderr:
            self._tail = (self._tail + data)[-STACK:]
        splitter = self._splitters[pipe]
        skipped = splitter.skipped
        for text in splitter.feed(data, self.queue.room(now)):
            self.queue.add((time.time_ns(), self._names[pipe], text), now)
        self.queue.lost(splitter.skipped - skipped)

    def _end(self, pipe: int, now: float) -> None:
        for text in self._splitters[pipe].end():
            self.queue.add((time.time_ns(), self._names[pipe], text), now)
        del self._names[pipe]

    def log(self, text: str, now: float) -> None:
        """Add a line of ``ctx.log``, or several; of more than can wait, the last."""
        lines = text.splitlines()
        self.queue.lost(max(0, len(lines) - WAITING))
        for line in lines[-WAITING:]:
            cut = f" ... {len(line) - LONGEST} characters cut" if len(line) > LONGEST else ""
            self.queue.add((time.time_ns(), "log", harmless(line[:LONGEST]) + cut), now)

    def flush(self, now: float, *, force: bool = False) -> None:
        """Report the lines that may leave."""
        if now - self._flushed < FLUSH_AFTER and not force:
            return
        self._flushed = now
        reports = self.queue.take(now)
        for number, (lines, dropped) in enumerate(reports):
            if not self._supervisor.report(LogLines(lines, dropped)):
                self.queue.put_back(reports[number:])
                break
        if self.queue.dropped > self._told and now >= self._tell_at:
            dropped, self._told = self.queue.dropped - self._told, self.queue.dropped
            self._tell_at = now + TELL_AGAIN
            limit = f"more than {self._bytes_per_s:,} bytes a second, or than the supervisor takes"
            self._supervisor.report(Warned("log_limit", f"{dropped:,} lines dropped: {limit}"))

    def read_stack(self, timeout: float) -> None:
        """Read stderr until the process is gone, or ``timeout`` seconds: it is writing its stack."""
        poll = select.poll()
        poll.register(self._ward.pidfd, select.POLLIN)
        if self._ward.stderr in self._names:
            poll.register(self._ward.stderr, select.POLLIN)
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            ready = [descriptor for descriptor, _ in poll.poll(left * 1000)]
            if self._ward.stderr in ready and not self.read(self._ward.stderr, time.monotonic()):
                poll.unregister(self._ward.stderr)
            elif self._ward.pidfd in ready:
                return

    def finish(self) -> None:
        """Read both pipes of a dead process to their end, then report everything, whatever the rate."""
        now = time.monotonic()
        for pipe in self.pipes:
            self._take(pipe, self._ward.read_to_end(pipe, LAST_OUTPUT), now)
            self._end(pipe, now)
        for lines, dropped in self.queue.take(now, everything=True):
            if not self._supervisor.report_last(LogLines(lines, dropped)):
                self.queue.lost(len(lines))

    @property
    def tail(self) -> str:
        """The end of stderr, ``STACK`` bytes at most."""
        return self._tail.decode("utf-8", "backslashreplace")
