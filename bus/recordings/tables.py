"""CSV and its relatives (.csv, .txt, .tsv, gzipped, or the one table in a zip), with or without a header."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, TextIO

from msgspec import Struct
from msgspec.structs import replace

from bus.recordings.columns import Layout, Role, complete, mapped, recognise
from bus.recordings.report import RecordingError, RowRefused
from bus.recordings.rows import RowReader, choose, symbol_from_name
from bus.recordings.source import SAMPLE, ReadOptions, Row, Source, as_text, opened, text_of
from bus.recordings.times import TimeReader, parse_zone
from bus.topics import SYMBOL_ALLOWED, is_symbol

_PRICE = r"\d+\.?\d*"
_EPOCH = r"\d{9,19}(\.\d+)?"
_BARS: dict[Role, int] = {"open": 1, "high": 2, "low": 3, "close": 4, "size": 5}


class Shape(Struct, frozen=True):
    """A file without a header that its first row gives away: ``cells`` match its first cells in full."""

    name: str
    width: int
    cells: tuple[str, ...]
    roles: dict[Role, int]
    zone: str = "UTC"


SHAPES = (
    # https://www.histdata.com/f-a-q/: "Eastern Standard Time (EST) time-zone WITHOUT Day Light Savings".
    # Their ticks end in a volume that is always 0: it is none.
    Shape(
        "HistData ticks", 4, (r"\d{8} \d{9}", _PRICE, _PRICE), {"time": 0, "bid": 1, "ask": 2}, "UTC-05:00"
    ),
    Shape("HistData bars", 6, (r"\d{8} \d{6}", _PRICE), {"time": 0, **_BARS}, "UTC-05:00"),
    Shape(
        "TrueFX",
        4,
        (r"[A-Z]{3}/[A-Z]{3}", r"\d{8} \d\d:\d\d:\d\d\.\d{3}"),
        {"symbol": 0, "time": 1, "bid": 2, "ask": 3},
    ),
    Shape("Kraken trades", 3, (_EPOCH, _PRICE, _PRICE), {"time": 0, "price": 1, "size": 2}),
    Shape("Binance klines", 12, (r"\d{13,16}", _PRICE), {"time": 0, **_BARS}),
)


def open_table(path: Path, options: ReadOptions) -> Source:
    """Open a file of delimited text; ``RecordingError`` if its columns cannot be understood."""
    with opened(path) as (handle, size):
        return _open(path, text_of(path, handle), options, handle=handle, size=size)


def open_zipped_table(path: Path, options: ReadOptions) -> Source:
    """Open the one .csv or .txt in a zip (HistData ships its files so, with a status report beside)."""
    with opened(path) as (handle, size):
        archive = zipfile.ZipFile(handle)
        names = archive.namelist()
        found = [one for one in names if one.lower().endswith(".csv")]
        found = found or [one for one in names if one.lower().endswith(".txt")]
        if len(found) != 1:
            raise RecordingError(
                path, f"holds {', '.join(names[:5]) or 'nothing'}; expected one .csv or .txt"
            )
        return _open(path, as_text(archive.open(found[0])), options, handle=handle, size=size)


def _open(path: Path, text: TextIO, options: ReadOptions, *, handle: BinaryIO, size: int) -> Source:
    """Look at the first rows and decide what they are."""
    rows = _numbered(text)
    first = next(rows, None)
    if first is None:
        raise RecordingError(path, "holds no rows")
    line, cells = first
    kind, layout = _layout(path, [str(cell) for cell in cells], options)
    if not layout.has_header:
        rows = chain([first], rows)
    zone = parse_zone(options.timezone or layout.default_zone or "UTC")
    symbol = symbol_for(path, layout, options)
    reader = RowReader(layout, TimeReader(zone, options.date_format), symbol=symbol)
    sample = list(islice(rows, SAMPLE))
    if not sample:
        raise RecordingError(path, "holds a header and no rows", line=line)
    first_rows = [row for _, row in sample]
    build = choose(path, reader, layout, first_rows, timeframe=options.timeframe, label=options.label)
    return Source(path, kind, chain(sample, rows), build, handle, size, text)


def symbol_for(path: Path, layout: Layout, options: ReadOptions) -> str | None:
    """Return the one symbol of a file, None if each row names its own; ``RecordingError`` if nothing does."""
    symbol = options.symbol
    if symbol is None:
        if "symbol" in layout.roles:
            return None
        symbol = symbol_from_name(path)
        if symbol is None:
            raise RecordingError(
                path, "names no symbol, neither in a column nor in its own name; give one (--symbol)"
            )
    if not is_symbol(symbol):
        raise RecordingError(path, f"symbol: {symbol!r} is not {SYMBOL_ALLOWED}")
    return symbol


def _layout(path: Path, first: list[str], options: ReadOptions) -> tuple[str, Layout]:
    if _is_header(first, options.date_format):
        return "table", recognise(path, first, options.columns)
    if options.columns:
        numbered = [str(number) for number in range(1, len(first) + 1)]
        layout = complete(path, numbered, mapped(path, numbered, options.columns))
        return "table", replace(layout, has_header=False)
    for shape in SHAPES:
        if len(first) == shape.width and all(
            re.fullmatch(pattern, cell.strip()) for pattern, cell in zip(shape.cells, first, strict=False)
        ):
            layout = Layout(shape.roles, "open" in shape.roles, has_header=False, default_zone=shape.zone)
            return shape.name, layout
    known = ", ".join(shape.name for shape in SHAPES)
    raise RecordingError(
        path,
        f"no header, and the first row {','.join(first)[:60]!r} is none of {known}; "
        "expected a header, or the columns by number (--map 1=time --map 2=price)",
        line=1,
    )


def _is_header(cells: list[str], date_format: str | None) -> bool:
    """Whether no cell of the first row is a number or a time."""
    times = TimeReader(parse_zone("UTC"), date_format)
    for cell in cells:
        try:
            float(cell)
        except ValueError:
            pass
        else:
            return False
        try:
            times.read(cell)
        except RowRefused:
            continue
        return False
    return True


def _numbered(text: TextIO) -> Iterator[tuple[int, Row]]:
    """Yield (line, cells) of every row that is not blank."""
    head = text.readline()
    delimiter = max(",;\t|", key=head.count)
    rows = csv.reader(chain([head], text), delimiter=delimiter)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, [f"unreadable: {error}"]
            continue
        if row and (len(row) > 1 or row[0].strip()):
            yield rows.line_num, row
