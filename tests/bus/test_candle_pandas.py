"""Candles against those of pandas (expected/candles), and against published cases of other projects."""

from __future__ import annotations

import csv
import json
from typing import NamedTuple

import pytest

from bus.messages import Tick
from bus.sessions import SessionCalendar
from bus.timeframes import DAY, MINUTE, SECOND
from tests.bus.replaying import builder, delivered, ohlc, replay, replay_bars
from tests.bus.vendors import (
    FXCM_ZONE,
    KOLKATA,
    MS,
    NEW_YORK,
    NSE,
    NYSE,
    as_candle,
    instant,
    lean,
    midnight,
    stamped,
)
from tests.shared import SHARED, needs_shared

pytestmark = [needs_shared("expected"), needs_shared("data"), pytest.mark.shared]


# ---- pandas: expected/candles/*.csv --------------------------------------------------------------------
def pandas_rows(name):
    with (SHARED / "expected" / "candles" / f"{name}.csv").open() as file:
        return [
            (int(r["start_ms"]) * MS, *(float(r[k]) for k in ("open", "high", "low", "close")),
             round(float(r["volume"]), 8), int(r["n"]))
            for r in csv.DictReader(file)
        ]  # fmt: skip


def as_rows(candles):
    return [(c.open_time, *ohlc(c), round(c.volume, 8), c.trades) for c in candles]


def nautilus(name):
    return (SHARED / "data" / "nautilus" / f"tests__test_data__{name}").open()


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m"])
def test_usdjpy_quotes_give_the_candles_of_pandas(timeframe):
    with nautilus("truefx__usdjpy-ticks.csv") as file:
        ticks = [
            Tick("X", instant(r["timestamp"]), bid=float(r["bid"]), ask=float(r["ask"]))
            for r in csv.DictReader(file)
        ]
    groups = replay(builder("1m 5m 15m", price="bid", synthetic="off"), ticks, ticks[-1].ts + DAY)
    assert as_rows(delivered(groups, timeframe)) == pandas_rows(f"USDJPY_truefx_bid_{timeframe}")


@pytest.mark.parametrize("timeframe", ["1m", "15m"])
def test_eurusd_quotes_of_eastern_time_give_the_candles_of_pandas(timeframe):
    with nautilus("quote_tick_data.csv") as file:
        ticks = []
        for stamp, bid, ask, _ in csv.reader(file):
            seconds = midnight(stamp[:8], FXCM_ZONE) + _clock(stamp[9:15])
            ticks.append(Tick("X", seconds + int(stamp[15:]) * MS, bid=float(bid), ask=float(ask)))
    groups = replay(builder("1m 15m", price="bid", synthetic="off"), ticks, ticks[-1].ts + DAY)
    assert as_rows(delivered(groups, timeframe)) == pandas_rows(f"EURUSD_histdata_bid_{timeframe}")


def _clock(text):
    return (int(text[:2]) * 3600 + int(text[2:4]) * 60 + int(text[4:6])) * SECOND


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_ethusdt_trades_give_the_candles_of_pandas_with_volume_and_count(timeframe):
    path = SHARED / "data" / "freqtrade" / "tests__testdata__orderflow__public_trades_list.csv"
    with path.open() as file:
        ticks = [
            Tick("X", int(r["timestamp"]) * MS, float(r["price"]), float(r["amount"]), trade_id=r["id"])
            for r in csv.DictReader(file)
        ]
    groups = replay(builder("1m 5m", synthetic="off"), ticks, ticks[-1].ts + DAY)
    assert as_rows(delivered(groups, timeframe)) == pandas_rows(f"ETHUSDT_public_trades_{timeframe}")


@pytest.mark.parametrize(("timeframe", "count"), [("15m", 2017), ("1d", 26)])
def test_gbpusd_minutes_of_a_month_give_the_candles_of_pandas(timeframe, count):
    with nautilus("fxcm__gbpusd-m1-bid-2012.csv") as file:
        bars = [
            as_candle("1m", t := instant(r["timestamp"]), t + MINUTE,
                      [float(r[k]) for k in ("open", "high", "low", "close")])
            for r in csv.DictReader(file)
        ]  # fmt: skip
    ours = delivered(
        replay_bars(builder("1m 15m 1d", synthetic="off"), bars, bars[-1].open_time + 2 * DAY), timeframe
    )
    assert len(ours) == count
    assert as_rows(ours) == pandas_rows(f"GBPUSD_fxcm_bid_{timeframe}")


class Case(NamedTuple):
    """Minute files of LEAN, one a day, whose prices are ``scale`` times too large."""

    calendar: SessionCalendar
    zone: str
    scale: int
    files: str
    days: tuple[str, ...]
    timeframes: tuple[str, ...]

    def bars(self):
        """Minute bars that lie in the session, as the oracle has them."""
        for day in self.days:
            base = midnight(day, self.zone)
            for row in lean(f"Data__{self.files}__{day}_trade.zip"):
                opens = base + int(row[0]) * MS
                if self.calendar.segment(opens) is not None:
                    prices = [float(text) / self.scale for text in row[1:5]]
                    yield as_candle("1m", opens, opens + MINUTE, prices, float(row[5]))


SESSIONS = {
    "NIFTY50_20190101_02_NSE": Case(
        NSE, KOLKATA, 1, "index__india__minute__nifty50", ("20190101", "20190102"), ("5m", "15m", "1h", "1d")
    ),
    "YESBANK_201907_NSE": Case(
        NSE, KOLKATA, 10_000, "equity__india__minute__yesbank",
        ("20190709", "20190710", "20190711"), ("15m", "1d"),
    ),
    "SPY_NYSE": Case(
        NYSE, NEW_YORK, 10_000, "equity__usa__minute__spy",
        ("20131007", "20131008", "20131009", "20131010", "20131011"), ("5m", "15m", "1d"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "timeframe"),
    [(name, timeframe) for name, case in SESSIONS.items() for timeframe in case.timeframes],
)
def test_minutes_of_a_session_give_candles_aligned_to_its_open(name, timeframe):
    case = SESSIONS[name]
    bars = list(case.bars())
    candles = builder(" ".join(["1m", *case.timeframes]), case.calendar, synthetic="off")
    groups = replay_bars(candles, bars, bars[-1].open_time + 5 * DAY)
    ours = as_rows(delivered(groups, timeframe))
    expected = pandas_rows(f"{name}_{timeframe}")
    assert ours == expected


def test_every_expected_candle_file_is_read_by_a_test_above():
    listed = json.loads((SHARED / "expected" / "candles.json").read_text())["files"]
    read = {f"{name}_{timeframe}" for name, case in SESSIONS.items() for timeframe in case.timeframes}
    read |= {f"USDJPY_truefx_bid_{t}" for t in ("1m", "5m", "15m")}
    read |= {f"EURUSD_histdata_bid_{t}" for t in ("1m", "15m")}
    read |= {f"ETHUSDT_public_trades_{t}" for t in ("1m", "5m")} | {
        f"GBPUSD_fxcm_bid_{t}" for t in ("15m", "1d")
    }
    assert {f"candles/{name}.csv" for name in read} == {entry["file"] for entry in listed}


# ---- published cases ---------------------------------------------------------------------------------
def aggregation():
    return json.loads((SHARED / "expected" / "aggregation.json").read_text())


def test_pandas_closed_left_label_left_is_our_boundary():
    oracle = json.loads((SHARED / "expected" / "pandas_closed_label.json").read_text())
    ticks = [Tick("X", instant(f"{stamp}+00:00"), price, 1.0) for stamp, price in oracle["ticks"]]
    ours = delivered(replay(builder("1m", synthetic="off"), ticks, ticks[-1].ts + DAY), "1m")
    bars = {(r["closed"], r["label"]): r["bars"] for r in oracle["results"]}
    assert stamped(ours) == [(instant(f"{stamp}+00:00"), *prices) for stamp, *prices in bars["left", "left"]]
    assert [c.close_time for c in ours] == [instant(f"{stamp}+00:00") for stamp, *_ in bars["left", "right"]]
    assert [ohlc(c) for c in ours] != [tuple(prices) for _, *prices in bars["right", "left"]]


def test_freqtrades_six_trades_give_its_candles():
    case = aggregation()["freqtrade_mtf"]["cases"][1]
    ticks = [Tick("X", t * MS, price, amount) for t, price, amount in case["trades"]]
    groups = replay(builder("1s 1m 1h", synthetic="off"), ticks, ticks[-1].ts + DAY)
    for timeframe, expected in case["expect"].items():
        ours = delivered(groups, timeframe)
        assert [c.open_time for c in ours] == [instant(bar["date"]) for bar in expected]
        for candle, bar in zip(ours, expected, strict=True):
            assert (candle.high, candle.low) == (bar.get("high", candle.high), bar.get("low", candle.low))


def test_freqtrades_merge_shows_an_hour_on_the_quarter_that_closes_with_it():
    case = aggregation()["freqtrade_mtf"]["cases"][0]
    base = instant("2024-01-01T10:00:00+00:00")
    ticks = [Tick("X", base + i * 15 * MINUTE, 100.0 + i, 1.0) for i in range(9)]
    groups = replay(builder("15m 1h"), ticks, base + 9 * 15 * MINUTE)
    seen, visible = None, []
    for group in groups:
        seen = next((c.open_time for c in group.candles if c.timeframe == "1h"), seen)
        visible.append(seen)
    rows = [None if text is None else base + int(text[3]) * 15 * MINUTE for text in case["date_1h_by_row"]]
    assert visible == rows


def test_nautilus_puts_a_tick_on_the_close_into_the_other_candle():
    """The documented opposite: theirs is left-open, ours (LEAN, pandas, freqtrade) right-open."""
    case = aggregation()["nautilus"]["cases"][0]
    ticks = [
        Tick("X", t["ts_ns"], None, float(t["size"]), float(t["bid"]), float(t["ask"])) for t in case["ticks"]
    ]
    groups = replay(builder("1m", price="mid", synthetic="off"), ticks, ticks[-1].ts + MINUTE)
    first, second = delivered(groups, "1m")
    theirs = case["bar"]
    assert first.close_time == theirs["ts_close_ns"] == second.open_time == ticks[2].ts
    assert (first.open, first.high) == (float(theirs["open"]), float(theirs["high"]))
    assert (first.low, first.close) == (ticks[0].mid, ticks[1].mid)
    assert (round(second.open, 6), second.trades) == (float(theirs["close"]), 1)
    assert first.volume + second.volume == theirs["volume"]


def test_nautilus_table_of_labels_is_our_pair_of_stamps():
    """With right-open intervals theirs always stamps the open, left-open may stamp the close."""
    table = aggregation()["nautilus"]["cases"][1]["table"]
    ticks = [Tick("X", SECOND, 1.0, 1.0), Tick("X", 61 * SECOND, 1.0, 1.0)]
    ours = delivered(replay(builder("1m"), ticks, 2 * MINUTE), "1m")
    opens, closes = [c.open_time for c in ours], [c.close_time for c in ours]
    for on_close, interval, first, second in table:
        stamps = closes if on_close and interval == "left-open" else opens
        assert stamps == [first, second]
