"""Recordings: what each kind of file becomes, and what is told about one that is not understood."""

import contextlib
import csv
import gzip
import io
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Bar, Tick
from bus.recordings import Frames, ReadOptions, RecordingError, open_recordings
from bus.recordings.lean import Place, place_of
from bus.recordings.report import RowRefused
from bus.recordings.rows import infer_timeframe, symbol_from_name
from bus.recordings.times import SECOND, LocalClock, TimeReader, parse_zone
from tests.shared import SHARED, needs_shared

LEAN = SHARED / "data" / "lean"
MINUTE = 60 * SECOND


def ns(text):
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def read(*paths, **options):
    with open_recordings([Path(path) for path in paths], ReadOptions(**options)) as recording:
        return [message for _, message in recording], recording.tally


def written(tmp_path, text, name="SYM.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def refusal(path, **options):
    with pytest.raises(RecordingError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


# ---- times ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1700000000", 1_700_000_000 * SECOND),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("1700000000123", 1_700_000_000_123_000_000),
        ("1583020803145000", 1_583_020_803_145_000_000),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        (1_700_000_000.123456, 1_700_000_000_123_456_000),
        ("2020-01-02", ns("2020-01-02")),
        ("20200102", ns("2020-01-02")),
        ("20200102173005", ns("2020-01-02T17:30:05")),
        ("2020.01.02 17:30", ns("2020-01-02T17:30")),
        ("20200101 170000065", ns("2020-01-01T17:00:00.065")),
        ("2020-01-02T17:30:05.123456789Z", ns("2020-01-02T17:30:05.123456") + 789),
        ("2020-01-02 17:30:05+05:30", ns("2020-01-02T12:00:05")),
        ("2020-01-02 17:30:05-0500", ns("2020-01-02T22:30:05")),
        ("01-Apr-10", ns("2010-04-01")),
        ("1-May-2009 10:15", ns("2009-05-01T10:15")),
    ],
)
def test_a_time_is_read_exactly_in_every_recognised_form(cell, expected):
    assert expected == TimeReader(UTC).read(cell)


@pytest.mark.parametrize(
    "cell",
    ["", "yesterday", "02/03/2010 16:53:50", "2020-13-01", "2020-01-32", "2020-01-01 25:00", None, "0", "-5"],
)
def test_what_is_no_time_is_refused(cell):
    with pytest.raises(RowRefused, match="is not"):
        TimeReader(UTC).read(cell)


def test_a_format_reads_what_could_be_misread():
    reader = TimeReader(UTC, "%d/%m/%Y %H:%M:%S")
    assert ns("2010-03-02T16:53:50") == reader.read("02/03/2010 16:53:50")


def naive(year):
    return datetime(year, 1, 1)  # noqa: DTZ001  # a wall clock


@given(st.datetimes(naive(1974), naive(2200)), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_a_number_is_the_same_moment_in_every_unit(moment, unit):
    seconds = ns(moment.isoformat()) // SECOND
    assert seconds * SECOND == TimeReader(UTC).read(str(seconds * unit))


@given(
    st.datetimes(naive(1971), naive(2037)),
    st.sampled_from(["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_local_time_becomes_utc_as_the_zone_database_says(moment, name):
    zone = parse_zone(name)
    expected = ns(moment.replace(tzinfo=zone, fold=0).isoformat())  # of an hour that comes twice, the first
    assert expected == LocalClock(zone).utc(ns(moment.isoformat()))
    assert expected == TimeReader(zone).read(moment.isoformat())


def test_a_zone_is_a_name_or_an_offset_and_anything_else_lists_near_matches():
    assert timedelta(hours=-5) == parse_zone("UTC-05:00").utcoffset(None)
    assert timedelta(hours=5, minutes=30) == parse_zone("+05:30").utcoffset(None)
    with pytest.raises(ValueError, match="did you mean America/New_York"):
        parse_zone("America/NewYork")


# ---- LEAN -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "Data/equity/usa/minute/spy/20131007_trade.zip",
            Place("equity", "usa", "minute", "SPY", quotes=False, date="20131007"),
        ),
        (
            "Data__forex__fxcm__tick__eurusd__20140504_quote.zip",
            Place("forex", "fxcm", "tick", "EURUSD", quotes=True, date="20140504"),
        ),
        ("forex/fxcm/hour/eurusd.zip", Place("forex", "fxcm", "hour", "EURUSD", quotes=True, date=None)),
        (
            "crypto/coinbase/daily/btcusd_trade.zip",
            Place("crypto", "coinbase", "daily", "BTCUSD", quotes=False, date=None),
        ),
        ("equity/usa/daily/ibm.zip", Place("equity", "usa", "daily", "IBM", quotes=False, date=None)),
        ("downloads/HISTDATA_EURUSD.zip", None),
        ("equity/usa/minute/spy/notes.zip", None),
    ],
)
def test_the_place_of_a_lean_file_tells_what_is_in_it(name, expected):
    assert expected == place_of(Path(name))


@needs_shared("data")
@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        (
            "forex__fxcm__tick__eurusd__20140505_quote",
            58_143,
            Tick("EURUSD", ns("2014-05-05T05:00:03.074"), bid=1.38756, ask=1.38758),
        ),
        (
            "equity__usa__tick__ibm__20131007_trade",
            24_293,
            Tick("IBM", ns("2013-10-07T08:00:30.270"), last=181.52, size=283.0),
        ),
        (
            "equity__usa__minute__spy__20131007_trade",
            828,
            Bar("SPY", "1m", ns("2013-10-07T08:00"), 167.41, 167.41, 167.25, 167.27, 3197.0, closed=True),
        ),
        (
            "equity__usa__daily__spy",  # in winter: five hours behind, not four
            5849,
            Bar("SPY", "1d", ns("1998-01-02T05:00"), 97.31, 97.53, 96.53, 97.36, 2_150_000.0, closed=True),
        ),
        (
            "equity__india__minute__yesbank__20190709_trade",
            377,
            Bar("YESBANK", "1m", ns("2019-07-09T03:45"), 95.0, 95.0, 93.9, 94.85, 1_730_100.0, closed=True),
        ),
        (
            "index__india__minute__nifty50__20190102_trade",  # whose zip holds the next day as well
            377,
            Bar(
                "NIFTY50",
                "1m",
                ns("2019-01-02T03:37"),
                10868.85,
                10868.85,
                10868.85,
                10868.85,
                0.0,
                closed=True,
            ),
        ),
        (
            "crypto__coinbase__second__btcusd__20161007_trade",
            4063,
            Bar(
                "BTCUSD",
                "1s",
                ns("2016-10-07T00:00:04"),
                611.78,
                611.87,
                611.78,
                611.87,
                0.60046,
                closed=True,
            ),
        ),
    ],
)
def test_a_lean_file_becomes_exactly_its_rows(name, count, first):
    messages, tally = read(LEAN / f"Data__{name}.zip")
    assert first == messages[0]
    assert (count, {}) == (len(messages), dict(tally.refused))


@needs_shared("data")
@pytest.mark.parametrize(
    ("side", "open_"), [("bid", 1.38756), ("ask", 1.38758), ("mid", (1.38756 + 1.38758) / 2)]
)
def test_a_candle_of_quotes_has_the_prices_of_the_side_asked_for(side, open_):
    (first, *_), _ = read(LEAN / "Data__forex__fxcm__minute__eurusd__20140505_quote.zip", price=side)
    assert (open_, ns("2014-05-05T05:00")) == (first.open, first.open_time)


@needs_shared("data")
def test_the_ticks_of_a_day_fold_into_the_vendors_own_seconds():
    """The oracle of expected/aggregation.json, so that no tick is lost or misplaced in time."""
    ticks, _ = read(LEAN / "Data__forex__fxcm__tick__eurusd__20140505_quote.zip")
    bars, _ = read(LEAN / "Data__forex__fxcm__second__eurusd__20140505_quote.zip", price="bid")
    seconds = {}
    for tick in ticks:
        seconds.setdefault(tick.ts // SECOND * SECOND, []).append(tick.bid)
    folded = [(at, bids[0], max(bids), min(bids), bids[-1]) for at, bids in seconds.items()]
    assert folded == [(bar.open_time, bar.open, bar.high, bar.low, bar.close) for bar in bars]
    assert 17_495 == len(bars)


def lean_zip(
    tmp_path,
    rows,
    *,
    place="equity/usa/tick/abc",
    name="20200102_trade",
    member="20200102_abc_Trade_Tick.csv",
):
    folder = tmp_path / place
    folder.mkdir(parents=True)
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "\n".join(rows) + "\n")
    return path


def test_rows_of_a_lean_file_that_cannot_be_are_counted_and_stop_nothing(tmp_path):
    rows = [
        "34200000,1000000,5,P,0,0",
        "34200001,1000000,5,P,0,1",
        "34200002,0,5,P,0,0",
        "34200003,nan,5,P,0,0",
        "34200004,1000000,-1,P,0,0",
        "99999999999,1000000,5,P,0,0",
        "34200005",
        "34200005.5,1000100,5,P,0,0",
    ]
    messages, tally = read(lean_zip(tmp_path, rows))
    opened = ns("2020-01-02T14:30")
    assert [(opened, 100.0), (opened + 5_500_000, 100.01)] == [(tick.ts, tick.last) for tick in messages]
    assert tally.refused == {
        "suspicious": 1,
        "bad price": 2,
        "bad size": 1,
        "bad time": 1,
        "missing columns": 1,
    }
    assert "20200102_trade.zip:3: '34200002,0,5,P,0,0'" in tally.examples["bad price"]


def test_a_market_whose_clock_is_not_known_wants_a_time_zone(tmp_path):
    path = lean_zip(tmp_path, ["34200000,1000000,5"], place="equity/mars/tick/abc")
    assert ": the time zone of equity/mars is not known; give one (--timezone)" == refusal(path)
    assert 1 == len(read(path, timezone="UTC")[0])


def test_a_lean_zip_without_its_day_says_what_it_holds(tmp_path):
    path = lean_zip(tmp_path, ["1,1,1"], member="20200103_abc_Trade_Tick.csv")
    assert ": holds 20200103_abc_Trade_Tick.csv; expected one csv of 20200102" == refusal(path)


def test_a_damaged_zip_is_one_line(tmp_path):
    path = lean_zip(tmp_path, ["1,1,1"])
    path.write_bytes(b"PK\x03\x04 and then nothing")
    assert ": damaged: File is not a zip file" == refusal(path)


# ---- tables ---------------------------------------------------------------------------------------
@needs_shared("data")
@pytest.mark.parametrize(
    ("name", "options", "count", "first"),
    [
        (
            "backtesting_py/backtesting__test__GOOG.csv",
            {},
            2148,
            Bar("GOOG", "1d", ns("2004-08-19"), 100.0, 104.06, 95.96, 100.34, 22_351_900.0, closed=True),
        ),
        (
            "backtesting_py/backtesting__test__EURUSD.csv",
            {},
            5000,
            Bar(
                "EURUSD", "1h", ns("2017-04-19T09:00"), 1.0716, 1.0722, 1.07083, 1.07219, 1413.0, closed=True
            ),
        ),
        (
            "backtrader/datas__2006-min-005.txt",  # labelled by the close of its candles
            {"symbol": "SX5E", "timezone": "Europe/Berlin", "label": "close"},
            2142,
            Bar("SX5E", "5m", ns("2006-01-02T08:00"), 3578.73, 3587.88, 3578.73, 3582.99, 0.0, closed=True),
        ),
        (
            "backtrader/datas__2006-week-001.txt",
            {"symbol": "SX5E"},
            52,
            Bar("SX5E", "1w", ns("2006-01-06"), 3578.73, 3666.99, 3578.73, 3666.99, 0.0, closed=True),
        ),
        (
            "backtrader/datas__2006-month-001.txt",
            {"symbol": "SX5E"},
            12,
            Bar("SX5E", "1M", ns("2006-01-31"), 3578.73, 3707.63, 3515.07, 3691.41, 0.0, closed=True),
        ),
        (
            "backtrader/datas__ticksample.csv",
            {"symbol": "FUT"},
            135,
            Tick("FUT", ns("2015-09-23T20:57:42.146"), last=3067.0, size=180.0),
        ),
        (
            "backtrader/datas__bidask.csv",
            {"symbol": "X", "date_format": "%d/%m/%Y %H:%M:%S"},
            10,
            Tick("X", ns("2010-03-02T16:53:50"), bid=0.5346, ask=0.5347),
        ),
        (
            "nautilus/tests__test_data__quote_tick_data.csv",  # HistData: New York's winter time, all year
            {"symbol": "EURUSD"},
            9500,
            Tick("EURUSD", ns("2020-01-01T22:00:00.065"), bid=1.1212, ask=1.12172),
        ),
        (
            "nautilus/tests__test_data__truefx__usdjpy-ticks.csv",
            {},
            1000,
            Tick("USDJPY", ns("2013-01-01T22:00:00.295"), bid=86.655, ask=86.728),
        ),
        (
            "nautilus/tests__test_data__ADABTC-1m-2021-11-27.csv",
            {},
            10,
            Bar(
                "ADABTC",
                "1m",
                ns("2021-11-27"),
                2.853e-05,
                2.854e-05,
                2.851e-05,
                2.854e-05,
                36304.2,
                closed=True,
            ),
        ),
        (
            "nautilus/tests__test_data__tardis__bitmex_trades_XBTUSD.csv",
            {},
            10,
            Tick(
                "XBTUSD",
                ns("2020-03-01T00:00:03.145"),
                last=8531.5,
                size=2152.0,
                trade_id="ccc3c1fa-212c-e8b0-1706-9b9c4f3d5ecf",
            ),
        ),
        (
            "nautilus/tests__test_data__tardis__huobi-dm-swap_quotes_BTC-USD.csv",
            {},
            10,
            Tick(
                "BTC-USD",
                ns("2020-05-01T00:00:01.099"),
                bid=8629.2,
                ask=8629.3,
                bid_size=806.0,
                ask_size=5494.0,
            ),
        ),
        (
            "freqtrade/tests__testdata__kraken__trades_csv__BCHEUR.csv",
            {},
            148,
            Tick("BCHEUR", ns("2023-01-01T00:03:56"), last=90.54, size=1.1044842),
        ),
        (
            "freqtrade/tests__testdata__XRP_ETH-trades.json.gz",
            {},
            12_477,
            Tick("XRP/ETH", ns("2019-10-11T00:00:11.620"), last=0.00141342, size=23.0, trade_id="13519807"),
        ),
    ],
)
def test_a_shared_table_becomes_exactly_its_rows(name, options, count, first):
    messages, tally = read(SHARED / "data" / name, **options)
    assert first == messages[0]
    assert (count, {}) == (len(messages), dict(tally.refused))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_is_told_from_the_first_row(tmp_path, delimiter):
    text = "timestamp,price,qty\n1700000000,1.5,2\n1700000001,1.6,3\n".replace(",", delimiter)
    messages, _ = read(written(tmp_path, text))
    assert [(1.5, 2.0), (1.6, 3.0)] == [(tick.last, tick.size) for tick in messages]


def test_columns_of_unknown_names_are_mapped_by_the_user(tmp_path):
    path = written(tmp_path, "when,what,paid\n1700000000,AAA,1.5\n1700000001,BBB,1.6\n")
    columns = {"when": "time", "what": "symbol", "paid": "price"}
    messages, _ = read(path, columns=columns)
    assert [("AAA", 1.5), ("BBB", 1.6)] == [(tick.symbol, tick.last) for tick in messages]


def test_columns_without_a_header_are_mapped_by_number(tmp_path):
    path = written(tmp_path, "x,1.5,1700000000\ny,1.6,1700000001\n")
    messages, _ = read(path, columns={"3": "time", "2": "price"})
    assert [("SYM", 1.5), ("SYM", 1.6)] == [(tick.symbol, tick.last) for tick in messages]


def test_a_mark_that_spreadsheets_write_and_blank_lines_are_no_rows(tmp_path):
    path = tmp_path / "SYM.csv"
    path.write_bytes("\ufeffTime,Price\r\n1700000000,1.5\r\n\r\n1700000001,1.6\r\n\r\n".encode())
    messages, tally = read(path)
    assert (2, {}) == (len(messages), dict(tally.refused))


def test_a_table_may_be_gzipped_or_the_one_table_in_a_zip(tmp_path):
    text = "timestamp,bid,ask\n1700000000,1.5,1.6\n"
    packed = tmp_path / "SYM.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    zipped = tmp_path / "SYM.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("SYM.csv", text)
        archive.writestr("readme.txt", "not a table")
    expected = [Tick("SYM", 1_700_000_000 * SECOND, bid=1.5, ask=1.6)]
    assert (expected, expected) == (read(packed)[0], read(zipped)[0])


def test_bad_rows_are_counted_by_reason_and_stop_nothing(tmp_path):
    rows = ["timestamp,symbol,price,size", "1700000000,A,1.5,1", "soon,A,1.5,1", "1700000001,A,-1,1"]
    rows += ["1700000002,A,inf,1", "1700000003,A,x,1", "1700000004,a b,1.5,1", "1700000005,A,,", "1700000006"]
    rows += ["1700000007,A,1.5,nan", "1700000008,A,1.5,"]
    messages, tally = read(written(tmp_path, "\n".join(rows)))
    assert [1_700_000_000, 1_700_000_008] == [tick.ts // SECOND for tick in messages]
    assert tally.refused == {
        "bad time": 1,
        "bad price": 2,
        "not a number": 1,
        "bad symbol": 1,
        "empty cell": 1,
        "missing columns": 1,
        "bad size": 1,
    }
    assert "SYM.csv:3: 'soon,A,1.5,1' ('soon' is not a time)" == tally.examples["bad time"]


def test_a_candle_whose_high_is_not_its_highest_is_refused(tmp_path):
    rows = ["time,open,high,low,close", "1700000000,2,3,1,2", "1700000060,2,1,3,2", "1700000120,2,3,1,2"]
    messages, tally = read(written(tmp_path, "\n".join(rows)))
    assert ({"not a candle": 1}, 2) == (dict(tally.refused), len(messages))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": holds no rows"),
        ("time,price\n", ":1: holds a header and no rows"),
        (
            "a,price\n1,2\n",
            ":1: no time column among 'a', 'price'; expected timestamp, datetime, time, date or",
        ),
        ("time,colour\n1,2\n", ":1: no prices among the columns 'time', 'colour'; expected price (or last,"),
        ("1,2\n3,4\n", ":1: no header, and the first row '1,2' is none of HistData ticks,"),
        (
            "time,price\nnever,1\n",
            ": not one of its first 1 rows is understood as table; line 2 bad time: 'never' is not a time",
        ),
        (
            "time,price\n" + "never,1\n" * 150,
            ": not one of its first 100 rows is understood as table; line 2",
        ),
        (
            "timestamp,is_snapshot,price\n1,true,2\n",
            ":1: an order book file (column 'is_snapshot'), not trades, quotes or bars",
        ),
        (
            "time,open,high,low,close\n" + "".join(f"17000000{n:02},2,3,1,2\n" for n in (0, 7, 31, 50, 90)),
            ": open, high, low and close, but the times do not tell a timeframe; give one (--timeframe)",
        ),
    ],
)
def test_a_table_that_is_not_understood_is_one_line_with_what_was_expected(tmp_path, text, expected):
    assert refusal(written(tmp_path, text)).startswith(expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"columns": {"prise": "price"}},
            ": --map prise=price: no column 'prise' among time, price; did you mean 'price'?",
        ),
        ({"columns": {"price": "prise"}}, ": --map price=prise: 'prise' is not one of time, symbol, price,"),
        ({"symbol": "A B"}, ": symbol: 'A B' is not letters, digits and"),
        ({"timezone": "Europe/Belin"}, ": timezone: 'Europe/Belin' is neither an IANA name"),
    ],
)
def test_a_wrong_option_is_named_with_the_file_it_was_meant_for(tmp_path, options, expected):
    path = written(tmp_path, "time,price\n1700000000,1\n")
    assert refusal(path, **options).startswith(expected)


def test_a_wrong_timeframe_is_one_line(tmp_path):
    path = written(tmp_path, "time,open,high,low,close\n1700000000,2,3,1,2\n")
    assert "is not a number and one of s, m, h, d, w, M" in refusal(path, timeframe="7x", label="close")
    assert "is not a number and one of s, m, h, d, w, M" in refusal(path, timeframe="7x")


def test_a_file_named_after_no_symbol_wants_one(tmp_path):
    path = written(tmp_path, "time,price\n1700000000,1\n", name="2006-day-001.txt")
    assert ": names no symbol, neither in a column nor in its own name; give one (--symbol)" == refusal(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GOOG.csv", "GOOG"),
        ("eurusd-2020-01.csv", "EURUSD"),
        ("DAT_ASCII_EURUSD_T_202001.csv", "EURUSD"),
        ("XRP_ETH-trades.json.gz", "XRP/ETH"),
        ("my_old_data.csv", None),
        ("2006-day.txt", None),
    ],
)
def test_a_symbol_is_taken_from_a_name_only_where_that_is_no_guess(name, expected):
    assert expected == symbol_from_name(Path(name))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [([60, 60, 120, 60], "1m"), ([86400, 3 * 86400, 86400], "1d"), ([3600] * 3, "1h"), ([0.5, 0.5], None),
     ([900, 900], "15m"), ([1, 1, 7], "1s"), ([31 * 86400, 28 * 86400, 31 * 86400, 30 * 86400], "1M"),
     ([7 * 86400] * 3, "1w"), ([], None)],
)  # fmt: skip
def test_a_timeframe_is_what_most_steps_have(steps, expected):
    times = [ns("2020-01-01")]
    for step in steps:
        times.append(times[-1] + int(step * SECOND))
    assert expected == infer_timeframe(times)


def test_a_folder_a_missing_file_and_a_binary_one_are_told_in_one_line_each(tmp_path):
    assert ": a folder; expected files" == refusal(tmp_path)
    assert ": cannot be read: No such file or directory" == refusal(tmp_path / "absent.csv")
    binary = tmp_path / "SYM.csv"
    binary.write_bytes(bytes(range(256)))
    assert ": a binary file; expected text, a LEAN zip or Parquet" == refusal(binary)


def test_a_gzip_cut_short_delivers_what_is_whole_and_counts_the_damage(tmp_path):
    rows = "timestamp,price\n" + "".join(f"{1_700_000_000 + n},{1 + n * 7919 % 997}\n" for n in range(20_000))
    path = tmp_path / "SYM.csv.gz"
    path.write_bytes(gzip.compress(rows.encode())[:-2000])
    messages, tally = read(path)
    assert {"damaged file": 1} == dict(tally.refused)
    assert 10_000 < len(messages) < 20_000


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_but_a_recording_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "SYM.csv"
    path.write_bytes(content)
    with contextlib.suppress(RecordingError):
        read(path)


@given(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=5), max_size=20))
def test_every_row_of_a_table_is_delivered_or_counted(tmp_path_factory, rows):
    out = io.StringIO()
    csv.writer(out).writerows([["timestamp", "price"], ["1700000000", "1"], *rows])
    path = written(tmp_path_factory.mktemp("any"), out.getvalue().replace("\0", ""))
    with path.open(newline="") as handle:
        expected = sum(1 for row in csv.reader(handle) if row and (len(row) > 1 or row[0].strip())) - 1
    messages, tally = read(path)
    assert expected == len(messages) + tally.refused.total()


# ---- other files ----------------------------------------------------------------------------------
def test_parquet_with_named_columns_reads_as_the_same_csv_does(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    stamps = [
        ns("2024-03-08T14:30:00.123456"),
        ns("2024-03-11T13:30:00"),
    ]  # New York changed its clocks between
    wall = [ns("2024-03-08T09:30:00.123456"), ns("2024-03-11T09:30:00")]
    expected = [Tick("AAA", stamps[0], last=1.5, size=2.0), Tick("BBB", stamps[1], last=1.6)]
    rest = {"ticker": ["AAA", "BBB"], "noise": [[1], [2]], "price": [1.5, 1.6], "qty": [2.0, None]}
    times = {
        "naive": pa.array(wall, pa.timestamp("ns")),
        "aware": pa.array([one // 1000 for one in stamps], pa.timestamp("us", tz="Asia/Kolkata")),
        "number": pa.array([one // 1000 for one in stamps], pa.int64()),
        "text": pa.array(["2024-03-08 09:30:00.123456", "2024-03-11 09:30:00"]),
    }
    for name, column in times.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({**rest, "timestamp": column}), path)
        messages, tally = read(path, timezone="America/New_York")
        assert (expected, {}) == (messages, dict(tally.refused)), name


def test_parquet_dates_and_candles(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    days = [datetime(2020, 1, day).date() for day in (1, 2, 3)]  # noqa: DTZ001
    prices = {name: [2.0, 2.0, 2.0] for name in ("open", "high", "low", "close")}
    path = tmp_path / "ABC.parquet"
    pq.write_table(pa.table({"date": days, **prices, "volume": [1, 2, 3]}), path)
    messages, _ = read(path)
    assert Bar("ABC", "1d", ns("2020-01-01"), 2.0, 2.0, 2.0, 2.0, 1.0, closed=True) == messages[0]


def test_a_file_that_is_no_parquet_is_one_line(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "ABC.parquet"
    path.write_bytes(b"nothing of the kind")
    assert refusal(path).startswith(": not a readable Parquet file: ")


def test_without_pyarrow_a_parquet_file_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "bus.recordings.parquet", raising=False)
    path = tmp_path / "ABC.parquet"
    path.touch()
    assert ": Parquet needs pyarrow: pip install 'stratd[parquet]'" == refusal(path)


def test_a_json_file_that_is_no_list_of_trades_says_what_was_expected(tmp_path):
    path = written(tmp_path, '{"a": 1}', name="ABC.json")
    assert "expected a JSON list of trades, [ms, id, type, side, price, amount, cost] each" in refusal(path)


def test_recorded_frames_come_back_as_they_were(tmp_path):
    lines = [
        {"enc": "utf-8", "frames": ["topic", "é"]},
        {"enc": "hex", "frames": ["80059501"]},
        {"enc": "rot13", "frames": ["x"]},
        {"enc": "hex", "frames": ["zz"]},
        {"enc": "utf-8", "frames": []},
    ]
    path = written(tmp_path, "\n".join(json.dumps(line) for line in lines), name="any.jsonl")
    messages, tally = read(path)
    assert [Frames([b"topic", "é".encode()]), Frames([b"\x80\x05\x95\x01"])] == messages
    assert tally.refused == {"not a recorded message": 2, "no frames": 1}


@needs_shared("wire")
def test_a_recorded_stream_of_a_real_publisher_is_whole():
    messages, tally = read(SHARED / "wire" / "samples" / "openalgo_angel_YESBANK_20190709.jsonl")
    assert (1508, {}) == (len(messages), dict(tally.refused))
    assert {2} == {len(message.frames) for message in messages}


# ---- many files -----------------------------------------------------------------------------------
def test_files_are_merged_by_the_time_at_which_a_message_could_be_known(tmp_path):
    ticks = written(tmp_path, "time,price\n1700000050,1\n1700000060,2\n1700000070,3\n", name="TICK.csv")
    bars = written(
        tmp_path, "time,open,high,low,close\n1700000000,1,2,1,1.5\n1700000060,1,2,1,2\n", name="BAR.csv"
    )
    messages, _ = read(ticks, bars, timeframe="1m")
    assert ["TICK", "TICK", "BAR", "TICK", "BAR"] == [message.symbol for message in messages]


def test_frames_and_market_data_are_not_replayed_together(tmp_path):
    table = written(tmp_path, "time,price\n1700000050,1\n")
    frames = written(tmp_path, '{"enc": "utf-8", "frames": ["a"]}', name="any.jsonl")
    with pytest.raises(RecordingError, match="market data and recorded frames cannot be replayed together"):
        read(table, frames)


def test_the_fraction_read_goes_from_little_to_all(tmp_path):
    text = "time,price\n" + "".join(f"{1_700_000_000 + n},1\n" for n in range(50_000))
    with open_recordings([written(tmp_path, text)]) as recording:
        seen = [recording.fraction for _ in recording]
    assert seen == sorted(seen)
    assert (True, 1.0) == (seen[0] < 0.2, seen[-1])
