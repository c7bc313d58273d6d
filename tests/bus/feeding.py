"""Building messages of the native feed, and reading recorded ones, for the tests of the feeds."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.shared import SHARED

T0 = 1_700_000_000 * 10**9
SECOND = 10**9
SAMPLES = SHARED / "wire" / "samples"


def tick(symbol: str = "EURUSD", ts: int = T0, *rest: Any) -> list[bytes]:
    """One ``tick.*`` message; ``rest`` as on the wire: last, size, bid, ask, bid_size, ask_size, seq, id."""
    return [f"tick.{symbol}".encode(), msgspec.msgpack.encode([symbol, ts, *rest])]


def trade(ts: int, last: float = 1.5, seq: int | None = None, trade_id: str | None = None) -> list[bytes]:
    """One trade of EURUSD."""
    return tick("EURUSD", ts, last, 1.0, None, None, None, None, seq, trade_id)


def heartbeat(ts: int, **last_seq: int) -> list[bytes]:
    """One ``hb`` message."""
    return [b"hb", msgspec.msgpack.encode([ts, last_seq])]


def quote_message(symbol: str, mode: str, **fields: Any) -> list[bytes]:
    """One OpenAlgo message of NSE."""
    return [
        f"NSE_{symbol}_{mode}".encode(),
        json.dumps({"symbol": symbol, "exchange": "NSE"} | fields).encode(),
    ]


def recorded(name: str) -> list[list[bytes]]:
    """The messages of one file of ``../shared/wire/samples``."""
    lines = (json.loads(line) for line in (SAMPLES / name).read_text().splitlines())
    return [
        [bytes.fromhex(frame) if line["enc"] == "hex" else frame.encode() for frame in line["frames"]]
        for line in lines
    ]
