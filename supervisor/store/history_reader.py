"""Closed candles as the supervisor reads them: the engine's ``history.db``, beside its one writer.

A connection a question, which never delays the writer (sqlite.org/wal.html). The file may be moved aside and
begun anew at any time (history.py): so nothing is kept open. It lags by what was not flushed, some seconds.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from bus.messages import Candle

PATIENCE: Final = 2.0
"""Seconds to wait for a lock, which only a file that is being made anew has."""
_BEFORE: Final = (
    "SELECT payload FROM candles WHERE symbol = ? AND timeframe = ? AND open_time < ? "
    "ORDER BY open_time DESC LIMIT ?"
)
_decode: Final = msgspec.msgpack.Decoder(Candle).decode


class HistoryError(Exception):
    """The file is there and cannot be read; the text says which and why."""


def candles(path: Path, symbol: str, timeframe: str, *, before: int, n: int) -> list[Candle]:
    """Return the last ``n`` candles of one series that opened before ``before`` (ns), ascending.

    None where the engine has kept none yet. It blocks: not for the loop. Raises ``HistoryError``.
    """
    if not path.exists():
        return []
    try:
        with contextlib.closing(_connect(path)) as database:
            rows = database.execute(_BEFORE, (symbol, timeframe, before, n)).fetchall()
            return [_decode(payload) for (payload,) in reversed(rows)]
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise HistoryError(f"the candles in {path} cannot be read: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
