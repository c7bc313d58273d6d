"""Closed candles against the real SQLite: what comes back, what is dropped, and that nothing is raised."""

import sqlite3

import msgspec
import pytest

from bus.market import HISTORY
from bus.messages import Candle
from supervisor.store import history as history_module
from supervisor.store.history import MOST, SPARE, History

MINUTE = 60_000_000_000
T0 = 1_700_000_040_000_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


@pytest.fixture
def told():
    return []


def candle(number, close=1.5, symbol="X", timeframe="1m"):
    opens = T0 + number * MINUTE
    return Candle(symbol, timeframe, opens, opens + MINUTE, 1.0, 2.0, 0.5, close, 10.0, turnover=0.1)


def rows(path):
    database = sqlite3.connect(path)
    try:
        return database.execute("SELECT count(*) FROM candles").fetchone()[0]
    finally:
        database.close()


def test_candles_come_back_ascending_after_a_restart(path, told):
    with History.open(path, told.append) as history:
        history.add([candle(3), candle(1)])
        history.add([candle(2), candle(2, symbol="Y"), candle(2, timeframe="5m")])
        history.flush()
    with History.open(path, told.append) as history:
        assert history.last("X", "1m", 10) == [candle(1), candle(2), candle(3)]
        assert history.last("X", "1m", 2) == [candle(2), candle(3)]
        assert history.last("Y", "1m", 10) == [candle(2, symbol="Y")]
        assert history.last("Z", "1m", 10) == []
        assert history.last("X", "1m", 0) == []
    assert (told, history.lost) == ([], 0)
    assert path.stat().st_mode & 0o777 == 0o600


def test_everything_of_a_candle_comes_back(path, told):
    odd = msgspec.structs.replace(
        candle(1),
        partial=True,
        synthetic=True,
        quality="incomplete",
        turnover=None,
        backfilled=True,
        revision=3,
    )
    with History.open(path, told.append) as history:
        history.add([odd])
        history.flush()
        assert history.last("X", "1m", 1) == [odd]


def test_what_waits_is_written_at_the_close(path, told):
    with History.open(path, told.append) as history:
        history.add([candle(1)])
        assert history.last("X", "1m", 10) == []
    assert rows(path) == 1


def test_a_candle_that_comes_again_takes_the_place_of_the_first(path, told):
    with History.open(path, told.append) as history:
        history.add([candle(1, 1.1), candle(2)])
        history.flush()
        history.add([candle(1, 1.9)])
        history.flush()
        assert history.last("X", "1m", 10) == [candle(1, 1.9), candle(2)]


def test_a_series_keeps_the_newest_and_others_are_not_touched(path, told):
    with History.open(path, told.append) as history:
        history.add([candle(1, symbol="Y")])
        for start in range(0, HISTORY + 2 * SPARE, 100):
            history.add([candle(number) for number in range(start, start + 100)])
            history.flush()
            assert rows(path) <= HISTORY + SPARE + 100 + 1
        kept = history.last("X", "1m", 10 * HISTORY)
        assert kept[-1] == candle(HISTORY + 2 * SPARE - 1)
        assert HISTORY <= len(kept) <= HISTORY + SPARE
        assert len(history.last("Y", "1m", 10)) == 1
    with History.open(path, told.append) as history:
        history.add([candle(HISTORY + 2 * SPARE)])
        history.flush()
        assert len(history.last("X", "1m", 10 * HISTORY)) == HISTORY


def test_a_file_that_is_no_database_is_moved_aside_and_told(path, told):
    path.write_bytes(b"no database" * 1000)
    with History.open(path, told.append) as history:
        history.add([candle(1)])
        history.flush()
        assert history.last("X", "1m", 10) == [candle(1)]
    moved = path.with_name("history.db.corrupt-1")
    assert told == [
        f"the history {path} is damaged (file is not a database); it was moved to {moved} and begun anew"
    ]
    assert moved.read_bytes() == b"no database" * 1000


def test_damage_that_is_found_while_it_runs_is_survived(path, told):
    with History.open(path, told.append) as history:
        history.add(candle(number) for number in range(2000))
        history.flush()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xab" * (len(data) - 4096)
    path.write_bytes(data)
    with History.open(path, told.append) as history:
        assert history.last("X", "1m", 10) == []
        history.add([candle(1)])
        history.flush()
        assert history.last("X", "1m", 10) == [candle(1)]
    assert len(told) == 1
    assert "is damaged (database disk image is malformed); it was moved to" in told[0]


def test_a_candle_that_does_not_decode_is_damage(path, told):
    History.open(path, told.append).close()
    database = sqlite3.connect(path)
    with database:
        database.execute("INSERT INTO candles VALUES ('X', '1m', 1, x'c1')")
    database.close()
    with History.open(path, told.append) as history:
        assert history.last("X", "1m", 10) == []
        assert history.last("X", "1m", 10) == []
    assert [text.split(" (")[0] for text in told] == [f"the history {path} is damaged"]


def test_a_file_of_another_version_is_begun_anew(path, told):
    with History.open(path, told.append) as history:
        history.add([candle(1)])
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with History.open(path, told.append) as history:
        assert history.last("X", "1m", 10) == []
        history.add([candle(2)])
        history.flush()
        assert history.last("X", "1m", 10) == [candle(2)]


def test_a_full_disk_is_told_once_and_costs_nothing_once_there_is_room(path, told):
    with History.open(path, told.append) as history:
        for start in (0, 1000):
            (pages,) = history._database.execute("PRAGMA page_count").fetchone()
            history._database.execute(f"PRAGMA max_page_count = {pages}")
            for half in (start, start + 500):
                history.add(candle(number) for number in range(half, half + 500))
                history.flush()
            assert history.behind == 1000
            history._database.execute("PRAGMA max_page_count = 100000")
            history.flush()
            assert history.behind == 0
        assert history.last("X", "1m", 2000) == [candle(number) for number in range(2000)]
    assert history.lost == 0
    full = (
        f"the history {path} cannot be used: database or disk is full; trading goes on, and a restart "
        "begins with fewer candles"
    )
    assert told == [full, full]


def test_a_place_where_nothing_can_be_made_is_told_once_and_tried_again(tmp_path, told):
    path = tmp_path / "folder" / "history.db"
    with History.open(path, told.append) as history:
        for _ in range(3):
            history.add([candle(1)])
            history.flush()
            assert history.last("X", "1m", 10) == []
        assert (len(told), history.behind) == (1, 3)
        assert "No such file or directory" in told[0]
        path.parent.mkdir()
        history.add([candle(2)])
        history.flush()
        assert history.last("X", "1m", 10) == [candle(1), candle(2)]


def test_what_cannot_be_written_to_the_end_is_lost_and_counted(tmp_path, told):
    history = History.open(tmp_path / "folder" / "history.db", told.append)
    history.add([candle(1)])
    history.close()
    assert (history.lost, history.behind) == (1, 0)


def test_another_writer_delays_nobody(path, told):
    with History.open(path, told.append) as history:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        history.add([candle(1)])
        history.flush()
        other.execute("ROLLBACK")
        other.close()
        assert history.behind == 1
        assert "database is locked" in told[0]


def test_no_more_waits_than_is_allowed(path, told, monkeypatch):
    monkeypatch.setattr(history_module, "MOST", 10)
    with History.open(path, told.append) as history:
        history.add(candle(number) for number in range(25))
        history.flush()
        assert (history.lost, len(history.last("X", "1m", 100))) == (15, 10)
        assert history.last("X", "1m", 1) == [candle(24)]
    assert MOST == 100_000
