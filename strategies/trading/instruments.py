"""What is traded: its price grid, its lots, its multiplier, its money, its names at venues.

Prices move in ticks and quantities in lots. Whether a double "is" a multiple is asked with a tolerance,
and what is put on a grid is the double nearest to the decimal number that a person would write: ten
ticks of 0.1 are 1.0, and three of them are 0.3, not 0.30000000000000004.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from bus import topics
from bus.messages import Symbol

Step: TypeAlias = Annotated[float, Meta(gt=0, le=1e12)]
Currency: TypeAlias = Annotated[str, Meta(pattern=r"^([A-Z0-9]{2,12})?$")]


class Instrument(Struct, frozen=True, kw_only=True):
    """One symbol's terms. None is unknown or not limited; ``currency`` "" is that of the account.

    ``base`` is set where the price is a rate of exchange: units of ``currency`` for one of ``base``.
    ``venues`` maps a venue to the symbol's name there.
    """

    symbol: Symbol
    tick_size: Step | None = None
    lot_size: Step | None = None
    min_quantity: Step | None = None
    multiplier: Step = 1.0
    currency: Currency = ""
    base: Currency = ""
    venues: dict[Annotated[str, Meta(min_length=1, max_length=64)], Symbol] = {}
    calendar: Annotated[str, Meta(max_length=64)] = ""

    def at(self, venue: str) -> str:
        """Return what ``venue`` calls this symbol: its own name where nothing else is said."""
        return self.venues.get(venue, self.symbol)


# ---- grids ------------------------------------------------------------------------------------------
def on_grid(value: float, step: float | None) -> bool:
    """Whether ``value`` is a multiple of ``step``; without a step everything is, but NaN never."""
    if step is None:
        return math.isfinite(value)
    count = value / step
    return abs(count - round(count)) <= _noise(count) if math.isfinite(count) else False


def round_down(value: float, step: float | None) -> float:
    """Return the largest multiple of ``step`` that is not further from zero: for quantities, in lots."""
    if step is None or math.isinf(value / step):  # finer than a double, or no step at all
        return value
    return math.copysign(_multiple(_floor(abs(value) / step), step), value)


def round_up(value: float, step: float | None) -> float:
    """Return the smallest multiple of ``step`` that is not nearer to zero."""
    if step is None or math.isinf(value / step):
        return value
    return math.copysign(_multiple(-_floor(-abs(value) / step), step), value)


def worse_price(price: float, side: int, tick_size: float | None) -> float:
    """Return ``price`` on the grid, rounded against who trades: a buy (``side`` 1) up, a sell down.

    Never below one tick: the lowest price that there is.
    """
    if tick_size is None:
        return price
    return round_up(price, tick_size) if side > 0 else max(round_down(price, tick_size), tick_size)


def _noise(count: float) -> float:
    """How far from a whole number a count of steps may be for the rounding of its parts alone.

    A thousand operations' worth, and never as much as a hundredth of a step.
    """
    return min(max(1e-9, 1e-12 * abs(count)), 1e-2)


def _floor(count: float) -> int:
    nearest = round(count)
    return nearest if abs(count - nearest) <= _noise(count) else math.floor(count)


def _multiple(count: int, step: float) -> float:
    """Return the double nearest to ``count * step`` for a step that is a decimal number, as steps are."""
    parts = _decimal(step)
    return count * step if parts is None else count * parts[0] / parts[1]


@lru_cache(maxsize=4096)
def _decimal(step: float) -> tuple[int, int] | None:
    """Return ``step`` as a whole number over a power of ten, None where it needs more than twelve digits."""
    for digits in range(13):
        scaled = step * 10**digits
        if abs(scaled - round(scaled)) <= min(1e-12 * scaled, 1e-4):
            return round(scaled), 10**digits
    return None


# ---- the table --------------------------------------------------------------------------------------
class Instruments(Struct, frozen=True):
    """All instruments that are known. ``broken`` are those of which nothing good is known, with why.

    ``problems`` has a line for everything that is wrong with the document.
    """

    known: dict[str, Instrument] = {}
    broken: dict[str, str] = {}
    problems: tuple[str, ...] = ()

    def of(self, symbol: str) -> Instrument | None:
        """Return the terms of ``symbol``: plain ones where nothing is said, None where it is said badly.

        None is unknown, not plain: with a multiplier of 1 in place of 50, no limit would mean anything.
        """
        if symbol in self.broken:
            return None
        return self.known.get(symbol) or Instrument(symbol=symbol)

    def named(self, venue: str, name: str) -> str:
        """Return our symbol for what ``venue`` calls ``name``: the name itself where nothing is said."""
        return next((i.symbol for i in self.known.values() if i.venues.get(venue) == name), name)


def parse(text: str, before: Instruments | None = None) -> Instruments:
    """Return the instruments of a TOML document with one table a symbol; raise ``ValueError`` if it is none.

    A bad table is a line in ``problems`` and leaves its symbol as it was in ``before``: a slip of the pen
    while markets are open bars nothing that traded. Where it was not known before it is ``broken``.
    """
    earlier = {} if before is None else before.known
    known: dict[str, Instrument] = {}
    broken: dict[str, str] = {}
    problems: list[str] = []
    names: dict[tuple[str, str], str] = {}
    for symbol, table in tomllib.loads(text).items():
        read = _read(symbol, table)
        if isinstance(read, Instrument):
            read = _taken(read, names) or read
        if isinstance(read, str):
            problems.append(read)
            if symbol not in earlier:
                broken[symbol] = read
                continue
            read = earlier[symbol]
        known[symbol] = read
        names.update(dict.fromkeys(read.venues.items(), symbol))
    return Instruments(known, broken, tuple(problems))


def _taken(instrument: Instrument, names: Mapping[tuple[str, str], str]) -> str:
    """Return what is wrong with its names at venues: each means one symbol of ours."""
    for venue, name in instrument.venues.items():
        if other := names.get((venue, name)):
            return f"instruments: {instrument.symbol}: venues.{venue} is {name!r}, which is {other} already"
    return ""


def _read(symbol: str, table: Any) -> Instrument | str:
    """Return the instrument, or the line that says what is wrong with its table."""
    if not isinstance(table, dict):
        return f'instruments: {symbol}: {table!r} is no table; write ["{symbol}"] and its fields below'
    if not topics.is_symbol(symbol):
        return f"instruments: {symbol!r} is no symbol: {topics.SYMBOL.pattern}"
    if "symbol" in table:
        return f"instruments: {symbol}: symbol is the name of the table, not a field of it"
    try:
        return msgspec.convert({**table, "symbol": symbol}, _Strict).instrument()
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.strip(".`")
        given = f"{path} is {table.get(path.partition('[')[0])!r}: " if path else ""
        return f"instruments: {symbol}: {given}{what}"


class _Strict(Instrument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instrument of a file: there a field that does not exist is a slip of the pen."""

    def instrument(self) -> Instrument:
        return Instrument(**msgspec.structs.asdict(self))
