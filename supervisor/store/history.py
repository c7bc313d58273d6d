"""Closed candles over restarts, for warm-up: SQLite, written now and then, missed by nobody for long.

Nothing here decides about a trade. So nothing here raises once it is open: what cannot be written waits
(``MOST`` candles; the oldest of more are dropped and counted), what cannot be read is not there, and a
damaged file is moved aside and begun anew. Each first trouble is told once, until it works again. A power cut
may cost the last candles or the file (``synchronous=OFF``, sqlite.org/pragma.html#pragma_synchronous); the
death of the process costs only what was not flushed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Self

import msgspec

from bus.messages import Candle
from bus.past import HISTORY
from supervisor.store.journal_file import damaged, quarantine

VERSION: Final = 1
"""Of the schema, in ``PRAGMA user_version``; a file of any other is begun anew."""
MOST: Final = 100_000
"""Candles that wait for a flush; the oldest of more are dropped, as if the disk were full."""
SPARE: Final = HISTORY // 4
"""Candles of one series written since it was last pruned, from which pruning it is worth it."""

_SCHEMA: Final = f"""
BEGIN;
DROP TABLE IF EXISTS candles;
CREATE TABLE candles (
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, open_time INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (symbol, timeframe, open_time)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""
_WRITE: Final = "INSERT OR REPLACE INTO candles VALUES (?, ?, ?, ?)"
_LAST: Final = (
    "SELECT payload FROM candles WHERE symbol = ? AND timeframe = ? ORDER BY open_time DESC LIMIT ?"
)
_PRUNE: Final = (
    "DELETE FROM candles WHERE symbol = ?1 AND timeframe = ?2 AND open_time <= ("
    "SELECT open_time FROM candles WHERE symbol = ?1 AND timeframe = ?2 "
    "ORDER BY open_time DESC LIMIT 1 OFFSET ?3)"
)


class History:
    """The closed candles of all series, ``HISTORY`` of each. Not for two threads.

    ``lost`` candles were not written. ``tell`` gets one sentence on each first trouble.
    """

    def __init__(self, path: Path, tell: Callable[[str], object]) -> None:
        self.path = path
        self.lost = 0
        self._tell = tell
        self._database: sqlite3.Connection | None = None
        self._waiting: list[Candle] = []
        self._unpruned: dict[tuple[str, str], int] = {}
        self._troubled = False
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Candle).decode

    @classmethod
    def open(cls, path: Path, tell: Callable[[str], object]) -> Self:
        """Open ``path``, made if absent; one that is damaged is moved aside. Never raises.

        Where it cannot be opened at all, nothing is kept until a later ``flush`` finds that it can.
        """
        history = cls(path, tell)
        history._reach()
        return history

    def __enter__(self) -> Self:
        """Return itself; closed on the way out."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, candles: Iterable[Candle]) -> None:
        """Take closed candles, in any order, to be written with the next ``flush``."""
        waiting = self._waiting
        waiting += candles
        if (excess := len(waiting) - MOST) > 0:
            self.lost += excess
            del waiting[:excess]

    def flush(self) -> None:
        """Write what was added. A candle of the same symbol, timeframe and open time takes its place."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        database = self._reach()
        if database is None:
            self.add(waiting)
            return
        rows = [(c.symbol, c.timeframe, c.open_time, self._encode(c)) for c in waiting]
        try:
            with database:
                database.execute("BEGIN")
                database.executemany(_WRITE, rows)
                self._prune(database, waiting)
        except sqlite3.Error as error:
            self.add(waiting)
            self._unpruned.clear()
            self._trouble(error)
        else:
            self._troubled = False

    @property
    def behind(self) -> int:
        """How many candles wait for a ``flush``, or for the disk to have room again."""
        return len(self._waiting)

    def last(self, symbol: str, timeframe: str, count: int) -> list[Candle]:
        """Return the newest ``count`` candles of one series that were flushed, ascending."""
        database = self._reach()
        if database is None:
            return []
        try:
            rows = database.execute(_LAST, (symbol, timeframe, count)).fetchall()
            return [self._decode(payload) for (payload,) in reversed(rows)]
        except sqlite3.Error as error:
            self._trouble(error)
        except msgspec.DecodeError as error:
            self._abandon(f"a candle of {symbol} {timeframe}: {error}")
        return []

    def close(self) -> None:
        """Write what waits, and close; what still cannot be written is lost."""
        self.flush()
        self.lost += len(self._waiting)
        self._waiting.clear()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _prune(self, database: sqlite3.Connection, written: Iterable[Candle]) -> None:
        """Drop the oldest of each series that has grown by ``SPARE`` since it was last looked at."""
        unpruned = self._unpruned
        for candle in written:
            series = candle.symbol, candle.timeframe
            unpruned[series] = unpruned.get(series, SPARE) + 1  # a series is looked at once after the start
        for series, count in unpruned.items():
            if count >= SPARE:
                database.execute(_PRUNE, (*series, HISTORY))
                unpruned[series] = 0

    # ---- trouble ------------------------------------------------------------------------------------
    def _reach(self) -> sqlite3.Connection | None:
        """Return the database, opened if it is not; None, and told, while it cannot be."""
        if self._database is None:
            try:
                self._database = self._open()
            except (sqlite3.Error, OSError) as error:
                self._trouble(error)
        return self._database

    def _open(self) -> sqlite3.Connection:
        self.path.touch(mode=0o600)
        database = sqlite3.connect(self.path, timeout=0.0, isolation_level=None)
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")
            if version != VERSION:
                database.executescript(_SCHEMA)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _trouble(self, error: sqlite3.Error | OSError) -> None:
        if isinstance(error, sqlite3.Error) and damaged(error):
            self._abandon(str(error))
        elif not self._troubled:
            self._troubled = True
            self._tell(
                f"the history {self.path} cannot be used: {error}; trading goes on, and a restart begins "
                "with fewer candles"
            )

    def _abandon(self, why: str) -> None:
        """Move a damaged file aside and begin another."""
        if self._database is not None:
            self._database.close()
            self._database = None
        self._unpruned.clear()
        try:
            moved = quarantine(self.path, why).moved_to
            self._database = self._open()
        except (sqlite3.Error, OSError) as error:
            self._troubled = True
            self._tell(f"the history {self.path} is damaged ({why}) and cannot be begun anew: {error}")
            return
        self._tell(f"the history {self.path} is damaged ({why}); it was moved to {moved} and begun anew")
