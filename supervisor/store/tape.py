"""The tape: everything that the engine publishes to cells, durable, in the order of publication.

What is published is appended first. So one order holds for data and commands, and a cell that was away, or
an engine that died, is given the same frames in the same order again (ARCHITECTURE.md). Offsets are bytes
over the life of a tape, and only grow; whoever goes on from one must name the tape's ``identity`` too.

On disk it is a folder of segments, named by the offset at which they begin. The oldest go when all together
exceed a limit. A write that has returned survives the death of the process (it is in the page cache); a
power cut may cost what was written since the last ``sync``. The torn end of a write is cut off at the next
opening. Damage before the end is another matter: nobody can say what is missing, so the whole tape is moved
aside, and a new one with another identity begins.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from supervisor.store.tape_folder import (
    Damaged,
    TapeError,
    TapeGone,
    known_identity,
    lock,
    make_identity,
    opened,
    segment_path,
    segments,
    set_aside,
)
from supervisor.store.tape_records import HEAD, needed, pack, resumes, unpack

__all__ = ["Tape", "TapeError", "TapeGone", "set_aside"]

LIMIT: Final = 256 * 2**20
"""Bytes that are kept; a segment more while one is being filled."""
SEGMENT: Final = 8 * 2**20
"""Bytes after which a new segment begins."""
PIECE: Final = 2**18
"""Bytes that are read at once where a whole segment is looked through."""


class Tape:
    """Writer and reader of one folder. One thread, but for ``sync``; ``open`` it, ``close`` it.

    ``identity`` is unix time in ns at its making. ``begin`` and ``end`` are the offsets of the oldest
    record that is kept and behind the newest. ``torn`` bytes were cut off its end at the opening;
    ``damage`` says in one sentence that, and why, another tape was moved aside to begin this one.
    """

    def __init__(self, folder: Path, held: int, *, limit: int, segment: int) -> None:
        self.folder = folder
        self.identity = 0
        self.begin = 0
        self.end = 0
        self.torn = 0
        self.damage = ""
        self._lock = held
        self._limit = limit
        self._segment = segment
        self._bases: list[int] = []  # where the segments begin, ascending
        self._file = -1  # the last of them, for appending
        self._spoilt = False  # bytes of a failed write may be left behind the end
        self._synced = -1  # the segment that was the last one at the last sync

    @classmethod
    def open(cls, folder: Path, *, limit: int = LIMIT, segment: int = SEGMENT) -> Self:
        """Open the tape in ``folder``, made if absent. Raises ``TapeError``, as if another process has it.

        A damaged one is moved to ``FOLDER.damaged-N`` and a new one begun: see ``damage``.
        """
        try:
            tape = cls(folder, lock(folder), limit=limit, segment=segment)
            try:
                tape._load()
            except Damaged as damaged:
                moved = set_aside(folder)
                tape.close()
                tape = cls(folder, lock(folder), limit=limit, segment=segment)
                tape._load()
                tape.damage = (
                    f"the tape {folder} is damaged ({damaged}); it was moved to {moved}, nothing of it was "
                    "used, and a new one begun"
                )
            except BaseException:
                tape.close()
                raise
        except OSError as error:
            raise TapeError(f"the tape {folder} cannot be opened: {error.strerror}") from None
        return tape

    def __enter__(self) -> Self:
        """Return itself; closed on the way out."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing ------------------------------------------------------------------------------------
    @property
    def fresh(self) -> bool:
        """Whether the next ``append`` is the first of its segment, where it should begin with a mark."""
        written = self.end - self._bases[-1] if self._bases else 0
        return not written or written >= self._segment

    def append(self, frames: Sequence[bytes]) -> int:
        """Write ``frames``, all in one segment with one write(2), and return the new end.

        ``TapeError`` if the disk is full or broken: then nothing of them is on the tape, and the next
        ``append`` may succeed.
        """
        if not frames:
            return self.end
        data = memoryview(pack(frames, self.end))
        try:
            if self._file < 0 or self._spoilt or self.end - self._bases[-1] >= self._segment:
                self._prepare()
            written = os.write(self._file, data)
            while written < len(data):  # a disk that is full takes a part, and says why at the next try
                written += os.write(self._file, data[written:])
        except OSError as error:
            self._take_back()
            raise TapeError(f"the tape {self.folder} cannot be written: {error.strerror}") from None
        self.end += written
        return self.end

    def _prepare(self) -> None:
        """Make the last segment ready to be appended to; begin a new one if it is full."""
        if self._spoilt:
            os.ftruncate(self._file, self.end - self._bases[-1])
            self._spoilt = False
        if self.fresh and (not self._bases or self.end > self._bases[-1]):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            following = os.open(segment_path(self.folder, self.end), flags, 0o600)
            full, self._file = self._file, following
            self._bases.append(self.end)
            if full >= 0:
                os.close(full)
            self._drop()

    def _take_back(self) -> None:
        if self._file >= 0:
            self._spoilt = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.end - self._bases[-1])
                self._spoilt = False

    def _drop(self) -> None:
        """Drop the oldest segments beyond the limit; one that cannot be removed is tried again later."""
        with contextlib.suppress(OSError):
            while self.end - self._bases[0] > self._limit and len(self._bases) > 1:
                segment_path(self.folder, self._bases[0]).unlink(missing_ok=True)
                del self._bases[0]
        self.begin = self._bases[0]

    def renumber(self) -> None:
        """Be another tape from now on, with the same frames: nobody goes on from an offset of before.

        Raises ``TapeError``.
        """
        try:
            self.identity = make_identity(self.folder)
        except OSError as error:
            raise TapeError(f"the tape {self.folder} cannot be renumbered: {error.strerror}") from None

    def sync(self) -> None:
        """Have what was appended so far survive a power cut. The one method for a thread of its own.

        It may wait for the disk, and holds nobody up. Raises ``TapeError``.
        """
        last = self._synced
        try:
            for base in [one for one in list(self._bases) if one >= last]:
                # Gone if it was dropped meanwhile; any descriptor of a file will do, see fdatasync(2).
                with contextlib.suppress(FileNotFoundError), opened(segment_path(self.folder, base)) as file:
                    os.fdatasync(file)
                last = base
            if last != self._synced:
                os.fsync(self._lock)  # the folder, for the names of new segments
                self._synced = last
        except OSError as error:
            raise TapeError(f"the tape {self.folder} cannot be synced: {error.strerror}") from None

    def close(self) -> None:
        """Give back the files and the lock; nothing is synced. Twice is once."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    # ---- reading ------------------------------------------------------------------------------------
    def read(self, at: int, most: int) -> tuple[list[bytes], int]:
        """Return whole frames from offset ``at`` on and the offset behind them; none only at the end.

        They are at most ``most`` bytes with their records' heads, or one that is longer, and of one
        segment: fewer than ``most`` says nothing about what follows. ``TapeGone`` before ``begin``;
        ``TapeError`` where no whole record begins, in the middle of one as well as in damage.
        """
        if at < self.begin:
            raise TapeGone(f"the tape {self.folder} begins at {self.begin}, after {at}")
        if at == self.end:
            return [], at
        if at > self.end:
            raise TapeError(f"the tape {self.folder} ends at {self.end}, before {at}")
        try:
            frames, used = self._piece(at, most)
        except OSError as error:
            raise TapeError(f"the tape {self.folder} cannot be read: {error.strerror}") from None
        if not used:
            raise TapeError(f"the tape {self.folder} has no whole record at {at}")
        return frames, at + used

    def _piece(self, at: int, most: int) -> tuple[list[bytes], int]:
        """Return frames as ``read`` does, and how many bytes they are; 0 where there is none."""
        index = bisect_right(self._bases, at) - 1
        base = self._bases[index]
        ends = self._bases[index + 1] if index + 1 < len(self._bases) else self.end
        with opened(segment_path(self.folder, base)) as file:
            data = os.pread(file, min(max(most, HEAD), ends - at), at - base)
            frames, used = unpack(data, at)
            if not used and len(data) < (length := needed(data)) <= ends - at:
                frames, used = unpack(os.pread(file, length, at - base), at)
        return frames, used

    def last(self, prefix: bytes) -> tuple[int, bytes] | None:
        """Return the newest frame that starts with ``prefix``, and the offset behind it; None without one.

        Looks through whole segments, from the newest: each should begin with such a frame.
        """
        ends = self.end
        for base in reversed(self._bases):
            found, at = None, base
            while at < ends:
                frames, behind = self.read(at, PIECE)
                for frame in frames:
                    at += HEAD + len(frame)
                    if frame.startswith(prefix):
                        found = at, frame
                at = behind
            if found is not None:
                return found
            ends = base
        return None

    # ---- opening ------------------------------------------------------------------------------------
    def _load(self) -> None:
        """Take up what lies in the folder. Raises ``Damaged``, ``OSError``."""
        self._bases, self.end = segments(self.folder)
        if not self._bases:
            # Under an identity without a segment nothing was published yet, or all of it is lost.
            self.identity = make_identity(self.folder)
            return
        self.identity = known_identity(self.folder)
        self.begin = self._bases[0]
        self._file = os.open(
            segment_path(self.folder, self._bases[-1]), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        )
        self._cut()

    def _cut(self) -> None:
        """Cut the torn end off the last segment. Raises ``Damaged`` if there is more behind it."""
        at = base = self._bases[-1]
        while at < self.end and (used := self._piece(at, PIECE)[1]):
            at += used
        if at == self.end:
            return
        with opened(segment_path(self.folder, base)) as file:
            rest = os.pread(file, self.end - at, at - base)
        if resumes(rest, at):
            raise Damaged(f"no whole record at {at}, and there are some behind it")
        os.ftruncate(self._file, at - base)
        self.torn, self.end = self.end - at, at
