"""freqtrade's files of trades: one JSON list of ``[ms, id, type, side, price, amount, cost]``, often gzipped.

The list is read whole: that is what the format forces (its 190 kB sample holds 12,477 trades).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bus.messages import Tick
from bus.recordings.columns import Layout
from bus.recordings.report import RecordingError, RowRefused
from bus.recordings.rows import RowReader
from bus.recordings.source import ReadOptions, Row, Source, opened, text_of
from bus.recordings.tables import symbol_for
from bus.recordings.times import TimeReader, parse_zone

_LAYOUT = Layout(roles={"time": 0, "trade_id": 1, "price": 4, "size": 5}, bars=False)
_EXPECTED = "expected a JSON list of trades, [ms, id, type, side, price, amount, cost] each"


def open_trades(path: Path, options: ReadOptions) -> Source:
    """Open one file of trades; the symbol is that of the file's name (``XRP_ETH-trades.json.gz``)."""
    with opened(path) as (handle, size):
        try:
            with text_of(path, handle) as text:
                rows = msgspec.json.decode(text.read().encode(), type=list[Any])
        except msgspec.DecodeError as error:
            raise RecordingError(path, f"{error}; {_EXPECTED}", line=1) from None
        times = TimeReader(parse_zone(options.timezone or "UTC"), options.date_format)
        reader = RowReader(_LAYOUT, times, symbol=symbol_for(path, _LAYOUT, options))

        def build(row: Row) -> Tick:
            if not isinstance(row, list):
                raise RowRefused("missing columns", _EXPECTED)
            return reader.tick(row)

        return Source(path, "freqtrade trades", enumerate(rows, 1), build, handle, size)
