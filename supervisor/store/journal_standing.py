"""What stands until something changes it, in the journal: guards, latches, figures, routes, open lots. SQL.

Of each only the last word is kept: ``standing`` has one row for each thing of a kind, ``lots`` one for each
lot that is open. Nothing is in either that was not committed in the log before (journal_log.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from bus.messages import Position
from strategies.trading.accounts import Settled
from strategies.trading.figures import Figures
from strategies.trading.following import followed, owners
from strategies.trading.latches import Latch, Scope
from strategies.trading.protection import Guard
from strategies.trading.recent import MINUTE, Row, within_a_minute
from strategies.trading.records import (
    Executed,
    Forgotten,
    Guarded,
    Judged,
    Latched,
    LotRing,
    Measured,
    Parted,
    Placed,
    Rearmed,
    Routed,
    Unguarded,
)

Execute = Callable[..., sqlite3.Cursor]
ExecuteMany = Callable[..., sqlite3.Cursor]

RECENT: Final = """
-- Entries of the last minute: what limits a minute count.
CREATE TABLE IF NOT EXISTS recent (
    seq INTEGER PRIMARY KEY, deployment_id TEXT NOT NULL, account_id TEXT NOT NULL, at INTEGER NOT NULL,
    alike INTEGER NOT NULL);
"""
SCHEMA: Final = f"""
-- The last word on each guard (owner: deployment, item: symbol), latch and figures (scope, name), live order
-- (deployment, order), on what an account realised in positions that are gone (account, currency), on each
-- signal that waits for approval (deployment, signal).
CREATE TABLE standing (
    kind TEXT NOT NULL, owner TEXT NOT NULL, item TEXT NOT NULL, seq INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (kind, owner, item)) WITHOUT ROWID;
-- Open lots, each known by the record of the fill that opened it.
CREATE TABLE lots (
    deployment_id TEXT NOT NULL, symbol TEXT NOT NULL, lot INTEGER NOT NULL, quantity REAL NOT NULL,
    price REAL NOT NULL, PRIMARY KEY (deployment_id, symbol, lot)) WITHOUT ROWID;
{RECENT}
"""
UPGRADE: Final = f"""
{SCHEMA}
INSERT INTO lots SELECT deployment_id, symbol, seq, quantity, average_price(payload) FROM positions
    WHERE quantity <> 0;
UPDATE positions SET payload = first_in_first_out(payload);
"""  # noqa: S608 - constants only
"""From schema 3, which knew no lots; needs ``define_averages``. What is held becomes one lot at its average
price, and what was realised by average cost counts as realised first in, first out too: so both agree."""
KINDS: Final[dict[str, type]] = {
    "guard": Guard,
    "latch": Latch,
    "figures": Figures,
    "route": Routed,
    "settled": Settled,
    "pending": Judged,
}

_encode: Final = msgspec.msgpack.Encoder().encode
_FIGURES: Final = msgspec.msgpack.Decoder(Figures).decode


class Posting:
    """What records become here; of a thing only the last of what happened to it."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], tuple[int, bytes] | None] = {}
        self._lots: dict[tuple[str, str, int], tuple[float, float] | None] = {}
        self._shrunk: list[tuple[float, str, str, int]] = []
        self._recent: list[tuple[int, str, str, int, int]] = []
        self._follows: dict[tuple[Scope, str], list[Placed | Executed | Measured]] = {}

    def write(self, database: sqlite3.Connection) -> None:
        """Write it, in the open transaction."""
        many = database.executemany
        if self._recent:
            many("INSERT INTO recent VALUES (?, ?, ?, ?, ?)", self._recent)
            database.execute("DELETE FROM recent WHERE at <= (SELECT max(at) FROM recent) - ?", (MINUTE,))
        for owner, records in self._follows.items():
            figures = _followed(database.execute, owner, records)
            self._rows["figures", *owner] = records[-1].seq, _encode(figures)
        gone = [key for key, row in self._rows.items() if row is None]
        kept = [(*key, *row) for key, row in self._rows.items() if row is not None]
        closed = [key for key, row in self._lots.items() if row is None]
        opened = [(*key, *row) for key, row in self._lots.items() if row is not None]
        for statement, rows in (
            ("DELETE FROM standing WHERE kind = ? AND owner = ? AND item = ?", gone),
            ("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?)", kept),
            ("INSERT OR REPLACE INTO lots VALUES (?, ?, ?, ?, ?)", opened),
            ("UPDATE lots SET quantity = ? WHERE deployment_id = ? AND symbol = ? AND lot = ?", self._shrunk),
            ("DELETE FROM lots WHERE deployment_id = ? AND symbol = ? AND lot = ?", closed),
        ):
            if rows:
                many(statement, rows)

    def judged(self, record: Judged) -> None:
        """A signal waits for approval, or does so no longer."""
        if record.decision == "pending":
            row = record.seq, _encode(record)
            self._rows["pending", record.deployment_id, record.signal_id] = row
        elif record.pending:
            self._rows["pending", record.deployment_id, record.signal_id] = None

    def guarded(self, record: Guarded) -> None:
        """A guard stands so."""
        guard = record.guard
        self._rows["guard", guard.deployment_id, guard.symbol] = record.seq, _encode(guard)

    def unguarded(self, record: Unguarded) -> None:
        """A guard is gone."""
        self._rows["guard", record.deployment_id, record.symbol] = None

    def latched(self, record: Latched) -> None:
        """A latch is set."""
        latch = record.latch
        self._rows["latch", latch.scope, latch.name] = record.seq, _encode(latch)

    def rearmed(self, record: Rearmed) -> None:
        """A latch is taken back."""
        self._rows["latch", record.scope, record.name] = None

    def measured(self, record: Measured) -> None:
        """Figures stand so."""
        figures = record.figures
        self._follows[figures.scope, figures.name] = [record]

    def follow(self, record: Placed | Executed) -> None:
        """Figures follow an order or a fill."""
        for owner in owners(record):
            self._follows.setdefault(owner, []).append(record)
        if isinstance(record, Placed) and (order := record.order).like:
            row = order.seq, order.deployment_id, order.account_id, order.accepted_at, order.like
            self._recent.append(row)

    def parted(self, record: Parted) -> None:
        """What an account realised elsewhere stands so."""
        settled = record.settled
        self._rows["settled", settled.account_id, settled.currency] = record.seq, _encode(settled)

    def forgotten(self, record: Forgotten) -> None:
        """A removed deployment has no latch and no figures."""
        owner: tuple[Scope, str] = ("deployment", record.deployment_id)
        self._follows.pop(owner, None)
        self._rows["latch", *owner] = self._rows["figures", *owner] = None

    def routed(self, record: Routed) -> None:
        """A live order is where it is."""
        self._rows["route", record.deployment_id, record.order_id] = record.seq, _encode(record)

    def unrouted(self, deployment_id: str, order_id: str) -> None:
        """An order has ended: where it was is in the fills and in the log."""
        self._rows["route", deployment_id, order_id] = None

    def moved(self, record: Executed) -> None:
        """A fill opened, took from and closed lots."""
        move, fill = record.lots, record.fill
        if move is None:
            return
        owner, symbol = fill.deployment_id, fill.symbol
        for lot in move.closed:
            self._lots[owner, symbol, lot] = None
        if move.left is not None:
            lot, quantity = move.left
            known = self._lots.get((owner, symbol, lot))
            if known is not None:
                self._lots[owner, symbol, lot] = quantity, known[1]
            else:
                self._shrunk.append((quantity, owner, symbol, lot))
        if move.opened:
            self._lots[owner, symbol, record.seq] = move.opened, fill.price


def _followed(
    execute: Execute, owner: tuple[Scope, str], records: list[Placed | Executed | Measured]
) -> Figures:
    """Return figures after ``records``: from their row, or from what the first of these says they are."""
    query = "SELECT payload FROM standing WHERE kind = 'figures' AND owner = ? AND item = ?"
    row = execute(query, owner).fetchone()
    figures = _FIGURES(row[0]) if row else Figures(scope=owner[0], name=owner[1])
    for record in records:
        figures = record.figures if isinstance(record, Measured) else followed(figures, record)
    return figures


def define_averages(database: sqlite3.Connection) -> None:
    """Teach SQL to read a position's payload, for ``UPGRADE``."""
    decode = msgspec.msgpack.Decoder(Position).decode

    def average(payload: bytes) -> float:
        return decode(payload).average_price

    def renewed(payload: bytes) -> bytes:
        position = decode(payload)
        return _encode(replace(position, fifo_realised=position.realised))

    database.create_function("average_price", 1, average, deterministic=True)
    database.create_function("first_in_first_out", 1, renewed, deterministic=True)


def everything(execute: Execute, kind: str) -> list[Any]:
    """Return everything of one of the ``KINDS``, by owner and item. ``msgspec.DecodeError`` is damage."""
    decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(KINDS[kind]).decode
    query = "SELECT payload FROM standing WHERE kind = ? ORDER BY owner, item"
    return [decode(payload) for (payload,) in execute(query, (kind,))]


def pending(execute: Execute) -> list[Judged]:
    """Return the signals that wait for approval, by acceptance."""
    found: list[Judged] = everything(execute, "pending")
    return sorted(found, key=lambda judged: judged.seq)


def recent(execute: Execute) -> list[Row]:
    """Return the entries of the last minute, by acceptance. No copy of a journal has them."""
    query = "SELECT deployment_id, account_id, at, alike FROM recent ORDER BY seq"
    return within_a_minute(execute(query).fetchall())


def lots(execute: Execute) -> list[LotRing]:
    """Return the open lots of every holding, oldest first."""
    rows = execute("SELECT deployment_id, symbol, lot, quantity, price FROM lots ORDER BY 1, 2, 3")
    return [
        LotRing(owner, symbol, [(lot, quantity, price) for _, _, lot, quantity, price in mine])
        for (owner, symbol), mine in groupby(rows, key=itemgetter(0, 1))
    ]


def fill(many: ExecuteMany, seq: int, standing: Iterable[Any], rings: Iterable[LotRing]) -> None:
    """Put back what a copy of a lost journal knows, in the open transaction."""
    rows = [(*_named(thing), seq, _encode(thing)) for thing in standing]
    # Figures have followed the orders of the copy by now, from nothing: its own are what counts.
    many("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?)", rows)
    many(
        "INSERT INTO lots VALUES (?, ?, ?, ?, ?)",
        [(ring.deployment_id, ring.symbol, *lot) for ring in rings for lot in ring.lots],
    )


def _named(thing: Guard | Latch | Figures | Routed | Settled) -> tuple[str, str, str]:
    if isinstance(thing, Guard):
        return "guard", thing.deployment_id, thing.symbol
    if isinstance(thing, Latch):
        return "latch", thing.scope, thing.name
    if isinstance(thing, Figures):
        return "figures", thing.scope, thing.name
    if isinstance(thing, Settled):
        return "settled", thing.account_id, thing.currency
    return "route", thing.deployment_id, thing.order_id
