"""LEAN's data zips (github.com/QuantConnect/Lean, Data/ and its readme.md files).

A file's place names what is in it: ``equity/usa/minute/spy/20131007_trade.zip``, with ``/`` or, in one
flat folder, ``__`` between the parts. Times are milliseconds since local midnight (tick, second, minute) or
``YYYYMMDD HH:MM`` (hour, daily); equity prices are ten-thousandths; quote bars are four prices of the bid,
its size, four of the ask, its size.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bus.messages import Bar, Tick
from bus.recordings.report import RecordingError, RowRefused
from bus.recordings.rows import checked, price, size
from bus.recordings.source import ReadOptions, Row, Source, as_text, opened
from bus.recordings.times import SECOND, LocalClock, TimeReader, parse_zone
from bus.topics import SYMBOL_ALLOWED, is_symbol

# "dataTimeZone" of LEAN's market-hours-database.json. FXCM keeps New York's winter offset all year.
_ZONES = {
    ("forex", "fxcm"): "UTC-05:00",
    ("forex", "oanda"): "UTC",
    ("cfd", "oanda"): "UTC",
    ("equity", "usa"): "America/New_York",
    ("equity", "india"): "Asia/Kolkata",
    ("index", "india"): "Asia/Kolkata",
}
_CRYPTO = ("crypto", "cryptofuture")
_TIMEFRAMES = {"second": "1s", "minute": "1m", "hour": "1h", "daily": "1d"}
_ASSETS = {asset for asset, _ in _ZONES} | set(_CRYPTO)
_DATED = re.compile(r"(\d{8})_(trade|quote)")
_UNDATED = re.compile(r"([A-Za-z0-9.]+?)(?:_(trade|quote))?")


class Place(Struct, frozen=True):
    """What the name of a LEAN file says. ``date`` is YYYYMMDD, None for hour and daily files."""

    asset: str
    market: str
    resolution: str
    symbol: str
    quotes: bool
    date: str | None


def place_of(path: Path) -> Place | None:
    """Return what the name says, None if it is not one of LEAN's."""
    parts = [part.lower() for part in re.split(r"/|__", path.with_suffix("").as_posix())]
    for resolution in ("tick", *_TIMEFRAMES):
        index = len(parts) - (2 if resolution in ("hour", "daily") else 3)
        if index < 2 or parts[index] != resolution or parts[index - 2] not in _ASSETS:
            continue
        asset, market, last = parts[index - 2], parts[index - 1], parts[-1]
        found = (_UNDATED if resolution in ("hour", "daily") else _DATED).fullmatch(last)
        if found is None:
            return None
        quotes = found[2] == "quote" if found[2] else asset in ("forex", "cfd")
        if resolution in ("hour", "daily"):
            return Place(asset, market, resolution, found[1].upper(), quotes, None)
        return Place(asset, market, resolution, parts[index + 1].upper(), quotes, found[1])
    return None


def open_lean(path: Path, place: Place, options: ReadOptions) -> Source:
    """Open one LEAN zip; ``RecordingError`` if it is damaged or its market's time zone is not known."""
    zone_name = options.timezone or (
        "UTC" if place.asset in _CRYPTO else _ZONES.get((place.asset, place.market))
    )
    if zone_name is None:
        raise RecordingError(
            path, f"the time zone of {place.asset}/{place.market} is not known; give one (--timezone)"
        )
    symbol = options.symbol or place.symbol
    if not is_symbol(symbol):
        raise RecordingError(path, f"symbol: {symbol!r} is not {SYMBOL_ALLOWED}")
    zone = parse_zone(zone_name)
    build = _builder(place, symbol, _clock(place, LocalClock(zone), TimeReader(zone)), options.price)
    kind = f"LEAN {place.asset} {place.market} {place.resolution} {'quotes' if place.quotes else 'trades'}"
    with opened(path) as (handle, size):
        archive = zipfile.ZipFile(handle)
        text = as_text(archive.open(_member(path, archive, place)))
        return Source(path, kind, enumerate(csv.reader(text), 1), build, handle, size, text)


def _member(path: Path, archive: zipfile.ZipFile, place: Place) -> str:
    """Return the csv to read. A zip may hold another day's as well: the name tells which one is meant."""
    names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
    meant = [name for name in names if place.date is None or Path(name).name.startswith(place.date)]
    if len(meant) != 1:
        wanted = "one csv" if place.date is None else f"one csv of {place.date}"
        raise RecordingError(path, f"holds {', '.join(names[:5]) or 'no csv'}; expected {wanted}")
    return meant[0]


def _clock(place: Place, clock: LocalClock, times: TimeReader) -> Callable[[str], int]:
    """Return what reads the first column."""
    if place.date is None:
        return times.read
    midnight = TimeReader(parse_zone("UTC")).read(place.date)  # local midnight, as its own clock counts

    def since_midnight(cell: str) -> int:
        # Whole milliseconds, but old tick files have fractions of one ("34200000.5").
        whole, _, fraction = cell.partition(".")
        try:
            ns = int(whole) * 1_000_000 + (int(fraction[:6].ljust(6, "0")) if fraction else 0)
        except ValueError:
            raise RowRefused("bad time", f"{cell!r} is not milliseconds since midnight") from None
        if not 0 <= ns < 86_400 * SECOND:
            raise RowRefused("bad time", f"{cell!r} is not within a day")
        return clock.utc(midnight + ns)

    return since_midnight


def _builder(place: Place, symbol: str, when: Callable[[str], int], side: str) -> Callable[[Row], Tick | Bar]:
    """Return what turns one row into a message."""
    divisor = 10_000 if place.asset == "equity" else 1

    def scaled(cell: object) -> float:
        return price(str(cell)) / divisor

    def quote_tick(row: Row) -> Tick:
        return Tick(symbol=symbol, ts=when(str(row[0])), bid=scaled(row[1]), ask=scaled(row[2]))

    def trade_tick(row: Row) -> Tick:
        if len(row) > 5 and row[5] == "1":
            raise RowRefused("suspicious", "flagged by its vendor")
        return Tick(symbol=symbol, ts=when(str(row[0])), last=scaled(row[1]), size=size(row[2]))

    def trade_bar(row: Row) -> Bar:
        first, high, low, last = (scaled(cell) for cell in row[1:5])
        bar = Bar(symbol, timeframe, when(str(row[0])), first, high, low, last, size(row[5]), closed=True)
        return checked(bar)

    def quote_bar(row: Row) -> Bar:
        bids, asks = [scaled(cell) for cell in row[1:5]], [scaled(cell) for cell in row[6:10]]
        if side == "mid":  # as LEAN's QuoteBar: half way between the two, price by price
            values = [(bid + ask) / 2 for bid, ask in zip(bids, asks, strict=True)]
        else:
            values = bids if side == "bid" else asks
        first, high, low, last = values
        return checked(Bar(symbol, timeframe, when(str(row[0])), first, high, low, last, 0.0, closed=True))

    timeframe = _TIMEFRAMES.get(place.resolution, "")
    if place.resolution == "tick":
        return _whole(quote_tick if place.quotes else trade_tick)
    return _whole(quote_bar if place.quotes else trade_bar)


def _whole(build: Callable[[Row], Tick | Bar]) -> Callable[[Row], Tick | Bar]:
    """Refuse rows with too few columns."""

    def whole(row: Row) -> Tick | Bar:
        try:
            return build(row)
        except (IndexError, ValueError):
            raise RowRefused("missing columns", f"{len(row)} columns") from None

    return whole
