"""What every reader of a recording returns, and how it is told to read."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO, Literal, TypeAlias

from msgspec import Struct

from bus.messages import Bar, Tick
from bus.recordings.report import Cell, RecordingError

DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeError)
"""What reading a file raises when the file itself is damaged."""

SAMPLE = 200
"""Rows that a reader looks at before it decides what the rest is."""


class ReadOptions(Struct, frozen=True, kw_only=True):
    """How to read files that do not tell it themselves.

    ``columns`` maps a column (name, or number from 1) to a role (``bus.recordings.columns.NAMES``).
    ``price`` is which side of a candle of quotes becomes its prices; ``label`` whether candles are
    stamped with their open or their close; ``rate`` messages a second of recorded frames, which carry
    no times.
    """

    symbol: str | None = None
    columns: Mapping[str, str] = {}
    timezone: str | None = None
    timeframe: str | None = None
    date_format: str | None = None
    price: Literal["mid", "bid", "ask"] = "mid"
    label: Literal["open", "close"] = "open"
    rate: float = 1000.0


class Frames(Struct, frozen=True):
    """One recorded message of a real publisher, frame by frame as it was."""

    frames: list[bytes]


Message: TypeAlias = Tick | Bar | Frames
Row: TypeAlias = Sequence[Cell]


class Source(Struct, frozen=True):
    """One opened file: numbered rows, and what turns a row into a message.

    ``rows`` yields (line, row); ``build`` raises ``RowRefused``. ``handle`` is closed by whoever opened
    the recording, and its position over ``size`` tells how far reading has come.
    """

    path: Path
    kind: str
    rows: Iterator[tuple[int, Row]]
    build: Callable[[Row], Message]
    handle: BinaryIO
    size: int
    text: object = None
    """The stream over ``handle``, kept: collected earlier, it would close the handle of its owner."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for a ``Source``, and tell its size in bytes: closed here only if making the source fails.

    A file that cannot be read, or is damaged where it was looked at, is a ``RecordingError``.
    """
    try:
        handle = path.open("rb")
        size = max(1, path.stat().st_size)
    except OSError as error:
        raise RecordingError(path, f"cannot be read: {error.strerror}") from None
    try:
        yield handle, size
    except DAMAGE as error:
        handle.close()
        raise RecordingError(path, f"damaged: {error}") from None
    except BaseException:
        handle.close()
        raise


def text_of(path: Path, handle: BinaryIO) -> io.TextIOWrapper:
    """Return the text in an opened file, through gzip if its first two bytes say so."""
    gzipped = handle.read(2) == b"\x1f\x8b"
    handle.seek(0)
    stream = gzip.GzipFile(fileobj=handle, mode="rb") if gzipped else handle
    if b"\0" in stream.read(4096):
        raise RecordingError(path, "a binary file; expected text, a LEAN zip or Parquet")
    stream.seek(0)
    return as_text(stream)


def as_text(stream: BinaryIO | gzip.GzipFile | IO[bytes]) -> io.TextIOWrapper:
    """Return the text in a stream: a byte that is no UTF-8 spoils its row, not the file."""
    # utf-8-sig eats the mark that spreadsheets write.
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
