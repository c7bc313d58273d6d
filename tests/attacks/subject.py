"""One attacker in its cell, from its birth to what is left of it, as a supervisor and an engine see it."""

from __future__ import annotations

import os
import re
import select
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sandbox.confine.cgroup import Group
from sandbox.handle import CellHandle
from sandbox.spec import Died, LogLines, Ready, WardenReport, Warned
from tests.attacks.catalogue import Act
from tests.attacks.outcome import MARK, outcome
from tests.attacks.results import Result

KEPT = 25
"""Lines of its log that are shown when an act does not go as it should."""
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters (but tabulator and newline), line separators, and what changes the direction of text."""
STRETCH = float(os.environ.get("ATTACKS_STRETCH", "1"))
"""How many times slower than usual this host is (``tests.host.service``): so much longer is waited."""
START = 60.0 * STRETCH
END = 30.0 * STRETCH
"""Seconds that a cell gets to be ready, and to end; only one that fails takes as long."""


class Stage(StrEnum):
    """How far an attacker is: what has to come next, in this order."""

    STARTING = "starting"
    STRUCK = "struck"
    STOPPING = "stopping"


class Size(NamedTuple):
    """How large a process ever was: bytes resident, room in its table of descriptors."""

    peak: int
    slots: int


class Subject:
    """An act, its cell, and everything known of both. ``group`` is what its strategy is in, if anything."""

    def __init__(self, act: Act, handle: CellHandle, symbol: str, group: Group | None, now: float) -> None:
        self.act = act
        self.handle = handle
        self.symbol = symbol
        self.stage = Stage.STARTING
        self.deadline = now + START
        self.over = False
        self.ready = False
        self.died: Died | None = None
        self.group = group
        self._warden = Size(0, 0)
        self._born = now
        self._lines: list[str] = []
        self._marked: list[str] = []
        self._left: list[str] = []

    @property
    def outcome(self) -> str | None:
        """What came of it, None if nothing has yet."""
        return outcome(self._marked, self.died)

    def take(self, reports: list[WardenReport]) -> None:
        """Take note of what its warden reported; of a log no more than is shown."""
        for report in reports:
            match report:
                case Ready():
                    self.ready = True
                case Died(detail=detail, stack=stack):
                    self.died = report
                    self._check(detail, stack)
                case LogLines(lines=lines):
                    texts = [text for _, _, text in lines]
                    self._check(*(text.replace("\n", "\0") for text in texts))
                    self._marked += [text for text in texts if text.startswith(MARK)]
                    self._lines = [*self._lines, *(text[:300] for text in texts)][-KEPT:]
                case Warned(kind=kind, detail=detail):
                    self._lines = [*self._lines, f"[{kind}] {detail[:300]}"][-KEPT:]
                    self._check(kind, detail)

    def _check(self, *texts: str) -> None:
        """Take note of what steers a terminal: operators read these texts."""
        self._left += [f"what steers a terminal: {text!r:.200}" for text in texts if DANGEROUS.search(text)]

    def measure(self) -> None:
        """Note how large its warden has become; nothing once it is gone."""
        self._warden = size_of(self.handle.warden_pid) or self._warden

    def give_up(self, why: str) -> None:
        """Kill the whole cell, and remember that it had to be."""
        self._left.append(why)
        self.handle.kill()

    def finish(self, now: float) -> Result:
        """Close the cell, whose warden has closed its end; look whether its processes are gone."""
        for name, pidfd in (("strategy", self.handle.strategy_pidfd), ("warden", self.handle.warden_pidfd)):
            if pidfd is not None and not has_ended(pidfd):
                self._left.append(f"its {name} lives on")
        self.handle.kill()
        self.handle.close()
        died = self.died
        return Result(
            outcome=self.outcome or ("silence" if self.stage is not Stage.STARTING else "stillborn"),
            death=f"{died.cause}: {died.detail}" if died else "its warden told nothing",
            log=self._lines,
            took=now - self._born,
            strategy_peak=died.peak_memory if died else 0,
            group_peak=(self.group.peak or 0) if self.group else 0,
            warden_peak=self._warden.peak,
            warden_slots=self._warden.slots,
            left=self._left,
        )


def has_ended(pidfd: int, timeout: float = 5.0) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def size_of(pid: int | None) -> Size | None:
    """Return how large a process was so far (VmHWM and FDSize, proc_pid_status(5)); None if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    known = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    if "VmHWM" not in known:  # it is dying
        return None
    return Size(int(known["VmHWM"].split()[0]) * 1024, int(known["FDSize"]))
