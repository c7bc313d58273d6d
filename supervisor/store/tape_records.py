"""Records of the tape: a length, a checksum and the frame. Pure; tape.py writes and reads them.

::

    length  u32   of the frame in bytes, never 0
    crc     u32   CRC-32 of the frame, begun with the record's offset on the tape xor its length
    frame

The checksum is begun with the offset, so bytes are a record only where they were written: neither a record
that lies inside another one's frame nor an old block of the disk at the wrong place passes for one. Numbers
are in the host's own byte order; a tape never leaves its host.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final
from zlib import crc32

_HEAD: Final = struct.Struct("=II")
HEAD: Final = _HEAD.size
"""Bytes before a frame."""
LOOKED_FOR: Final = 2**16
"""Length of the longest record that ``resumes`` looks for; with a longer one, chance would cost too much."""
_U32: Final = 0xFFFF_FFFF


def pack(frames: Iterable[bytes], at: int) -> bytes:
    """Return ``frames`` as records, the first of which will lie at offset ``at``. No frame may be empty."""
    parts: list[bytes] = []
    for frame in frames:
        length = len(frame)
        if not length:
            raise ValueError("an empty frame has no place on the tape")
        parts += _HEAD.pack(length, crc32(frame, (at ^ length) & _U32)), frame
        at += HEAD + length
    return b"".join(parts)


def unpack(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the whole records at the start of ``data``, which lies at ``at``, and how many bytes they are.

    The first that is cut off or no record ends it.
    """
    frames: list[bytes] = []
    position, size = 0, len(data)
    unpack_from = _HEAD.unpack_from
    while position + HEAD < size:
        length, crc = unpack_from(data, position)
        starts = position + HEAD
        stops = starts + length
        if not length or stops > size:
            break
        frame = data[starts:stops]
        if crc32(frame, ((at + position) ^ length) & _U32) != crc:
            break
        frames.append(frame)
        position = stops
    return frames, position


def needed(data: bytes) -> int:
    """Return how many bytes the record at the start of ``data`` says it has; 0 if even that is cut off."""
    return HEAD + _HEAD.unpack_from(data)[0] if len(data) >= HEAD else 0


def resumes(data: bytes, at: int) -> bool:
    """Whether a whole record begins anywhere behind the first byte of ``data``, which lies at ``at``.

    This tells damage from the torn end of a write: behind the latter there is nothing.
    """
    after = needed(data)
    if after and unpack(data[after:], at + after)[0]:
        return True
    whole = memoryview(data)
    for shift in range(1, 5):
        words = whole[shift : shift + (len(data) - shift) // 4 * 4].cast("I")
        for index, length in enumerate(words):
            if 0 < length <= LOOKED_FOR:
                starts = shift + 4 * index
                if unpack(data[starts : starts + HEAD + length], at + starts)[0]:
                    return True
    return False
