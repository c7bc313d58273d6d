"""Which column of a table means what: recognised names, and the user's own ``--map COL=NAME``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from bus.recordings.report import RecordingError

Role: TypeAlias = Literal[
    "time", "clock", "symbol", "price", "size", "bid", "ask", "bid_size", "ask_size", "trade_id",
    "open", "high", "low", "close",
]  # fmt: skip

NAMES: dict[Role, tuple[str, ...]] = {
    # In order of preference. A column that only tells when something was received comes last.
    "time": (
        "timestamp", "ts", "datetime", "date_time", "open_time", "opentime", "time", "date", "gmt_time",
        "local_timestamp", "receipt_timestamp", "__index_level_0__",
    ),
    "symbol": ("symbol", "ticker", "instrument", "pair", "ric"),
    "price": ("price", "last", "ltp", "last_price", "trade_price"),
    "size": (
        "size", "qty", "quantity", "amount", "volume", "vol", "last_size", "last_quantity",
        "tick_volume", "tickvol",
    ),
    "bid": ("bid", "bid_price", "best_bid", "bidprice"),
    "ask": ("ask", "ask_price", "best_ask", "askprice", "offer"),
    "bid_size": ("bid_size", "bid_amount", "bid_qty", "bid_volume", "bidsize"),
    "ask_size": ("ask_size", "ask_amount", "ask_qty", "ask_volume", "asksize"),
    "trade_id": ("trade_id", "id", "tid"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
}  # fmt: skip
"""Recognised names of columns, lower case, ``-`` and blanks as ``_``."""

_BOOK = {"is_snapshot", "level", "bids[0].price", "bids"}
"""Columns that only order book files have; their ``price`` is no trade."""


class Layout(Struct, frozen=True):
    """Where each role stands in a row, counted from 0. ``bars`` if a row is a candle, else a tick."""

    roles: dict[Role, int]
    bars: bool
    has_header: bool = True
    default_zone: str | None = None
    date_format: str | None = None
    symbol: str | None = None


def normal(name: str) -> str:
    """Return a column name as it is compared: ``<Bid-Price>`` is ``bid_price``."""
    return name.strip().strip("\ufeff<>\"'").lower().replace(" ", "_").replace("-", "_")


def recognise(path: Path, header: Sequence[str], mapping: Mapping[str, str]) -> Layout:
    """Return the layout of a table with this header; ``RecordingError`` naming what is missing."""
    names = [normal(one) for one in header]
    if book := _BOOK.intersection(names):
        raise RecordingError(
            path, f"an order book file (column {min(book)!r}), not trades, quotes or bars", line=1
        )
    roles: dict[Role, int] = {}
    for role, known in NAMES.items():
        found = next((names.index(one) for one in known if one in names), None)
        if found is not None:
            roles[role] = found
    if "date" in names and "time" in names:
        roles["time"], roles["clock"] = names.index("date"), names.index("time")
    elif "time" not in roles and names[0] in ("", "index", "unnamed:_0"):
        roles["time"] = 0  # what pandas calls the column of its index
    roles.update(mapped(path, header, mapping))
    return complete(path, header, roles)


def mapped(path: Path, header: Sequence[str], mapping: Mapping[str, str]) -> dict[Role, int]:
    """Return the roles that the user gave, column by name or by number from 1."""
    names = [normal(one) for one in header]
    roles: dict[Role, int] = {}
    for column, name in mapping.items():
        role = next((known for known in (*NAMES, "clock") if known == normal(name)), None)
        if role is None:
            allowed = ", ".join((*NAMES, "clock"))
            raise RecordingError(path, f"--map {column}={name}: {name!r} is not one of {allowed}")
        if normal(column) in names:
            roles[role] = names.index(normal(column))
        elif column.isdecimal() and 1 <= int(column) <= len(names):
            roles[role] = int(column) - 1
        else:
            near = difflib.get_close_matches(normal(column), names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RecordingError(
                path, f"--map {column}={name}: no column {column!r} among {', '.join(header)}{hint}"
            )
    return roles


def complete(path: Path, header: Sequence[str], roles: dict[Role, int]) -> Layout:
    """Decide what a row is, or say what is missing for it to be anything."""
    shown = ", ".join(repr(one) for one in header[:12])[:100]
    if "time" not in roles:
        expected = (
            "expected timestamp, datetime, time, date or the like, or a column named by you (--map COL=time)"
        )
        raise RecordingError(path, f"no time column among {shown}; {expected}", line=1)
    bars = all(role in roles for role in ("open", "high", "low", "close"))
    if not bars and "price" not in roles and "close" in roles and "open" not in roles:
        roles["price"] = roles["close"]  # a series of closes is a series of prices
    if not bars and not {"price", "bid", "ask"} & set(roles):
        raise RecordingError(
            path,
            f"no prices among the columns {shown}; expected price (or last, close, ltp), or bid and ask, "
            "or open, high, low and close, or columns named by you (--map COL=price)",
            line=1,
        )
    return Layout(roles=roles, bars=bars)
