"""Recorded streams of real publishers: a JSON object a line, ``{"enc": "utf-8"|"hex", "frames": [...]}``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

import msgspec
from msgspec import Struct

from bus.recordings.report import RowRefused
from bus.recordings.source import Frames, Row, Source, opened, text_of


class _Recorded(Struct):
    enc: Literal["utf-8", "hex"]
    frames: list[str]


_DECODE = msgspec.json.Decoder(_Recorded).decode


def open_wire(path: Path) -> Source:
    """Open one recorded stream."""
    with opened(path) as (handle, size):
        text = text_of(path, handle)
        return Source(path, "recorded frames", _lines(text), _build, handle, size, text)


def _lines(text: TextIO) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text, 1):
        if line.strip():
            yield number, [line]


def _build(row: Row) -> Frames:
    try:
        recorded = _DECODE(str(row[0]))
        if not recorded.frames:
            raise RowRefused("no frames")
        if recorded.enc == "hex":
            return Frames([bytes.fromhex(frame) for frame in recorded.frames])
        return Frames([frame.encode() for frame in recorded.frames])
    except (msgspec.DecodeError, ValueError) as error:
        raise RowRefused(
            "not a recorded message", f'{error}; expected {{"enc": ..., "frames": [...]}}'
        ) from None
