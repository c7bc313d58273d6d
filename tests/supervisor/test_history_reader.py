"""Closed candles as they are read beside the engine that writes them."""

from __future__ import annotations

import pytest

from bus.messages import Candle
from supervisor.record_views import candle as view
from supervisor.store.history import History
from supervisor.store.history_reader import HistoryError, candles

EVER = 2**63 - 1


def candle(at: int, symbol: str = "EURUSD", timeframe: str = "1m") -> Candle:
    return Candle(symbol, timeframe, at, at + 60, open=1.0, high=2.0, low=0.5, close=1.5 + at, volume=3.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


def test_where_nothing_was_kept_yet_there_is_nothing_and_no_file_is_made(path):
    assert [] == candles(path, "EURUSD", "1m", before=EVER, n=10)
    assert not path.exists()


def test_the_last_ones_before_an_instant_of_one_series_ascending(path):
    with History.open(path, print) as history:
        history.add([candle(at) for at in (60, 240, 120, 180)])
        history.add([candle(60, "GOLD"), candle(60, timeframe="5m")])
        history.flush()
        found = [one.open_time for one in candles(path, "EURUSD", "1m", before=EVER, n=3)]
        assert [120, 180, 240] == found, "while the writer has it open"
        assert [60, 120] == [one.open_time for one in candles(path, "EURUSD", "1m", before=180, n=3)]
        assert [candle(60, "GOLD")] == candles(path, "GOLD", "1m", before=EVER, n=3)
        assert [] == candles(path, "EURUSD", "1h", before=EVER, n=3)


def test_every_field_that_is_shown_is_the_candles_own():
    shown = view(candle(60)).model_dump()
    assert {name: getattr(candle(60), name) for name in shown} == shown


@pytest.mark.parametrize("garbage", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_file_is_an_error_that_names_it_and_is_left_to_the_engine(path, garbage):
    path.write_bytes(garbage)
    with pytest.raises(HistoryError, match=r"history\.db cannot be read"):
        candles(path, "EURUSD", "1m", before=EVER, n=10)
    assert garbage == path.read_bytes()
