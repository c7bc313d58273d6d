"""The two recordings that are played, as a publisher sends them: numbered, in the native format.

Real ticks where the data lies beside the repository: euro-dollar quotes of FXCM and IBM trades from the
same hours of the day (of IBM moved by whole days, so that both are of one day). Else the synthetic market.
When a recording is over it begins again a week later.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus import synthetic
from bus.messages import Tick, encode
from bus.recordings import open_recordings
from tests.shared import SHARED

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
START = 1_399_298_000 * SECOND
"""2014-05-05 13:53:20 UTC: both markets are busy."""
FILES = {
    "fx": SHARED / "data" / "lean" / "Data__forex__fxcm__tick__eurusd__20140505_quote.zip",
    "eq": SHARED / "data" / "lean" / "Data__equity__usa__tick__ibm__20131008_trade.zip",
}
SYMBOLS = {"fx": "EURUSD", "eq": "IBM"}
MADE_UP = {
    "fx": synthetic.Instrument("EURUSD", price=1.3875, tick_size=0.00001, lot=100_000.0),
    "eq": synthetic.Instrument("IBM", price=180.0, tick_size=0.01, lot=100.0),
}


class Played(NamedTuple):
    """What one feed plays: messages ``(topic, payload)`` in order, and the event time of the last one, ns.

    The tick at place ``i`` has the number ``i + 1``.
    """

    feed: str
    symbol: str
    messages: list[tuple[bytes, bytes]]
    times: list[int]

    @property
    def last(self) -> int:
        """Event time of the last tick: what rests on later data was made by timers, after the end."""
        return self.times[-1]


def played(feed: str, length: int) -> Played:
    """Return ``length`` ticks of a feed."""
    symbol = SYMBOLS[feed]
    topic = f"tick.{symbol}".encode()
    ticks = [
        msgspec.structs.replace(tick, symbol=symbol, seq=number, flags=0)
        for number, tick in enumerate(islice(_endless(_recorded(feed)), length), 1)
    ]
    return Played(feed, symbol, [(topic, encode(tick)) for tick in ticks], [tick.ts for tick in ticks])


def _recorded(feed: str) -> list[Tick]:
    path = FILES[feed]
    if not path.exists():
        market = synthetic.market(seed=1, start=START, rate=2.0, instruments=[MADE_UP[feed]])
        return list(islice(market, 20_000))
    with open_recordings([path]) as recording:
        ticks = [message for _, message in recording if isinstance(message, Tick)]
    days = round((START - ticks[0].ts) / DAY) * DAY
    moved = [msgspec.structs.replace(tick, ts=tick.ts + days) for tick in ticks]
    return [tick for tick in moved if tick.ts >= START]


def _endless(ticks: list[Tick]) -> Iterable[Tick]:
    for week in count():
        for tick in ticks:
            yield msgspec.structs.replace(tick, ts=tick.ts + week * 7 * DAY)


def write(market: Played, path: Path) -> None:
    """Keep the messages for publishers, which are processes of their own."""
    path.write_bytes(msgspec.msgpack.encode(market.messages))


def read(path: Path) -> list[tuple[bytes, bytes]]:
    """Return what ``write`` kept."""
    return msgspec.msgpack.decode(path.read_bytes(), type=list[tuple[bytes, bytes]])
