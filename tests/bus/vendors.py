"""Readers of the recordings in ``../shared/data``, and calendars that fit them, for the oracle tests."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import datetime
from zoneinfo import ZoneInfo

from bus.messages import Candle
from bus.sessions import WeeklySegment, always, at, weekly
from bus.timeframes import MINUTE, SECOND
from tests.bus.replaying import ohlc
from tests.shared import SHARED

MS = SECOND // 1000
LEAN = SHARED / "data" / "lean"
NEW_YORK, KOLKATA, FXCM_ZONE = "America/New_York", "Asia/Kolkata", "Etc/GMT+5"
FXCM = always(FXCM_ZONE)
NYSE = weekly("NYSE", NEW_YORK, [WeeklySegment(day, at("09:30"), at("16:00")) for day in range(5)])
NSE = weekly("NSE", KOLKATA, [WeeklySegment(day, at("09:15"), at("15:30")) for day in range(5)])


def midnight(day, zone):
    """UTC ns of the local midnight that opens the day ``YYYYMMDD``."""
    local = datetime.strptime(day, "%Y%m%d").replace(tzinfo=ZoneInfo(zone))
    return int(local.timestamp()) * SECOND


def lean(name, member=0):
    """Rows of a LEAN zip file."""
    with zipfile.ZipFile(LEAN / name) as archive:
        inside = sorted(archive.namelist())[member]
        return list(csv.reader(io.StringIO(archive.read(inside).decode())))


def fx_bars(day, resolution, side):
    """(open time, o, h, l, c) of one side of a LEAN quote file."""
    first = {"bid": 1, "ask": 6}[side]
    base = midnight(day, FXCM_ZONE)
    rows = lean(f"Data__forex__fxcm__{resolution}__eurusd__{day}_quote.zip")
    return [(base + int(row[0]) * MS, *map(float, row[first : first + 4])) for row in rows]


def fx_history(resolution, side):
    """The same of the hour and daily files, whose first column is a local time, 2014-05-01 to 15."""
    first = {"bid": 1, "ask": 6}[side]
    rows = [
        row
        for row in lean(f"Data__forex__fxcm__{resolution}__eurusd.zip")
        if "20140501" <= row[0][:8] <= "20140515"
    ]
    return [
        (
            midnight(row[0][:8], FXCM_ZONE) + int(row[0][9:11]) * 60 * MINUTE,
            *map(float, row[first : first + 4]),
        )
        for row in rows
    ]


def stamped(candles):
    """(open time, o, h, l, c) of ours."""
    return [(c.open_time, *ohlc(c)) for c in candles]


def as_candle(timeframe, opens, closes, prices, volume=0.0):
    """One bar of a file; ``trades`` is 1, so that the count of a candle is the rows in it."""
    return Candle("X", timeframe, opens, closes, *prices, volume, trades=1)


def instant(text):
    """UTC ns of an ISO time with offset, exact to the microsecond."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) * 1000
