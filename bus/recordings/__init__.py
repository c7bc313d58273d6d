"""Recorded market data, read back in time order: LEAN zips, tables (CSV, Parquet), trades, wire streams.

``open_recordings`` opens any number of files and merges them by time. A file that is not understood is
refused at once, with one line; a row that is not understood is counted by reason and stops nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from bus.messages import Tick
from bus.recordings.lean import open_lean, place_of
from bus.recordings.report import RecordingError, RowRefused, Tally
from bus.recordings.rows import event_time
from bus.recordings.source import DAMAGE, Frames, Message, ReadOptions, Source
from bus.recordings.tables import open_table, open_zipped_table
from bus.recordings.trades import open_trades
from bus.recordings.wire import open_wire

__all__ = ["Frames", "Message", "ReadOptions", "Recording", "RecordingError", "Tally", "open_recordings"]

_WIRE = "recorded frames"

GIVE_UP = 100
"""A file whose first so many rows are all refused is not what it was taken for."""


class Recording:
    """Opened files as one iterator of ``(ns, message)`` in time order; iterate once, then ``close``.

    The time of a tick is its own, that of a bar its close, that of recorded frames their place in their
    file at the wanted rate. Rows of one file that run backwards stay in the order of the file, as their
    publisher sent them.
    """

    def __init__(self, sources: Sequence[Source], tally: Tally, *, rate: float) -> None:
        self.sources = sources
        self.tally = tally
        self.frames = any(source.kind == _WIRE for source in sources)
        """Whether this is a recorded wire stream, whose messages are sent as they are."""
        streams = [_stream(source, tally, rate) for source in sources]
        # The first messages are taken now: a file nobody understands is told before anything is sent.
        firsts = [next(stream) for stream in streams]
        self.ticks_only = all(isinstance(message, Tick) for _, message in firsts)
        """Whether there are neither candles nor recorded frames in it."""
        self._streams = [chain([first], stream) for first, stream in zip(firsts, streams, strict=True)]

    def __iter__(self) -> Iterator[tuple[int, Message]]:
        return heapq.merge(*self._streams, key=itemgetter(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def fraction(self) -> float:
        """How much of the bytes on disk has been read, 0 to 1: what a progress bar can know in advance."""
        done = sum(source.size if source.handle.closed else source.handle.tell() for source in self.sources)
        return min(1.0, done / sum(source.size for source in self.sources))

    def close(self) -> None:
        """Close every file. Twice is fine."""
        for source in self.sources:
            source.handle.close()


def open_recordings(paths: Sequence[Path], options: ReadOptions | None = None) -> Recording:
    """Open all files, or raise ``RecordingError`` for the first that is not understood and close the rest."""
    options = options or ReadOptions()
    if not paths:
        raise ValueError("no file given")
    sources: list[Source] = []
    try:
        sources.extend(_open(path, options) for path in paths)
        _check_together(sources)
        return Recording(sources, Tally(), rate=options.rate)
    except BaseException:
        for source in sources:
            source.handle.close()
        raise


def _check_together(sources: Sequence[Source]) -> None:
    if len({source.kind == _WIRE for source in sources}) > 1:
        raise RecordingError(sources[0].path, "market data and recorded frames cannot be replayed together")


def _open(path: Path, options: ReadOptions) -> Source:
    """Choose the reader by the file's name."""
    if path.is_dir():
        raise RecordingError(path, "a folder; expected files")
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith(".zip"):
            place = place_of(path)
            return open_zipped_table(path, options) if place is None else open_lean(path, place, options)
        if name.endswith(".jsonl"):
            return open_wire(path)
        if name.endswith(".json"):
            return open_trades(path, options)
        if name.endswith((".parquet", ".pq")):
            return _open_parquet(path, options)
        return open_table(path, options)
    except RecordingError:
        raise
    except ValueError as error:  # a wrong option: its own line, with the file it was wanted for
        raise RecordingError(path, str(error)) from None


def _open_parquet(path: Path, options: ReadOptions) -> Source:
    try:
        # Only for a Parquet file: pyarrow is an extra, and loading it takes longer than most replays.
        from bus.recordings.parquet import open_parquet  # noqa: PLC0415
    except ImportError:
        raise RecordingError(path, "Parquet needs pyarrow: pip install 'stratd[parquet]'") from None
    return open_parquet(path, options)


def _stream(source: Source, tally: Tally, rate: float) -> Iterator[tuple[int, Message]]:
    """Yield the messages of one file with their times, counting what is refused."""
    delivered = refused = 0
    last_line = 0
    example = ""
    while True:
        try:
            last_line, row = next(source.rows)
        except StopIteration:
            break
        except DAMAGE as error:
            if not delivered:
                raise RecordingError(source.path, f"damaged: {error}", line=last_line + 1) from None
            tally.refuse(source.path, last_line + 1, RowRefused("damaged file", str(error)), [])
            break
        try:
            message = source.build(row)
        except RowRefused as error:
            refused += 1
            tally.refuse(source.path, last_line, error, row)
            example = example or f"line {last_line} {error.reason}: {error}"
            if refused == GIVE_UP and not delivered:
                break
            continue
        ts = round(delivered * 1e9 / rate) if isinstance(message, Frames) else event_time(message)
        delivered += 1
        yield ts, message
    if not delivered:
        what = f"not one of its first {refused} rows is understood as {source.kind}; {example}"
        raise RecordingError(source.path, what if refused else "holds no rows")
