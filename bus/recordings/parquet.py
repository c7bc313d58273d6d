"""Parquet files with named columns, through pyarrow (the extra ``parquet``): imported nowhere else.

Only the columns that mean something are read, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from bus.recordings.columns import Role, recognise
from bus.recordings.report import Cell, RecordingError, RowRefused
from bus.recordings.rows import RowReader, choose
from bus.recordings.source import SAMPLE, ReadOptions, Row, Source, opened
from bus.recordings.tables import symbol_for
from bus.recordings.times import LocalClock, TimeReader, parse_zone

BATCH = 16_384


class StampReader(TimeReader):
    """Reads cells that are ns already: a stamp with a zone is UTC in Parquet, one without is local time."""

    def __init__(self, zone: tzinfo, *, local: bool) -> None:
        super().__init__(zone)
        self._local = LocalClock(zone) if local else None

    def read(self, cell: Cell) -> int:
        """Return UTC ns; ``RowRefused`` for a null or a time before 1970."""
        if not isinstance(cell, int) or cell <= 0:
            raise RowRefused("bad time", f"{cell!r} is not after 1970")
        return cell if self._local is None else self._local.utc(cell)


def open_parquet(path: Path, options: ReadOptions) -> Source:
    """Open one Parquet file; ``RecordingError`` if its columns cannot be understood."""
    with opened(path) as (handle, size):
        try:
            return _open(path, pq.ParquetFile(handle), options, handle=handle, size=size)
        except pa.ArrowException as error:
            what = str(error).splitlines()[0]
            raise RecordingError(path, f"not a readable Parquet file: {what}") from None


def _open(path: Path, file: Any, options: ReadOptions, *, handle: BinaryIO, size: int) -> Source:
    names: list[str] = file.schema_arrow.names
    layout = recognise(path, names, options.columns)
    wanted = sorted(set(layout.roles.values()))
    roles: dict[Role, int] = {role: wanted.index(column) for role, column in layout.roles.items()}
    layout = replace(layout, roles=roles)
    times = _times(file.schema_arrow.field(wanted[roles["time"]]).type, options)
    reader = RowReader(layout, times, symbol=symbol_for(path, layout, options))
    rows = _rows(file, [names[column] for column in wanted])
    sample = list(islice(rows, SAMPLE))
    if not sample:
        raise RecordingError(path, "holds no rows")
    first_rows = [row for _, row in sample]
    build = choose(path, reader, layout, first_rows, timeframe=options.timeframe, label=options.label)
    return Source(path, "Parquet", chain(sample, rows), build, handle, size)


def _times(column: Any, options: ReadOptions) -> TimeReader:
    zone = parse_zone(options.timezone or "UTC")
    if pa.types.is_timestamp(column) or pa.types.is_date(column):
        return StampReader(zone, local=getattr(column, "tz", None) is None)
    return TimeReader(zone, options.date_format)


def _rows(file: Any, columns: list[str]) -> Iterator[tuple[int, Row]]:
    """Yield numbered rows; a batch that cannot be read ends the file as a damaged one."""
    number = 0
    try:
        for batch in file.iter_batches(BATCH, columns=columns):
            for row in zip(*(_cells(column) for column in batch.columns), strict=True):
                number += 1
                yield number, row
    except pa.ArrowException as error:
        raise OSError(str(error).splitlines()[0]) from None


def _cells(column: Any) -> list[Cell]:
    """Return the values of a column; stamps of any unit as ns."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[column.type.unit]
        values: list[int | None] = column.cast(pa.int64()).to_pylist()
        return [None if value is None else value * scale for value in values]
    cells: list[Cell] = column.to_pylist()
    return cells
