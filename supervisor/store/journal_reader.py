"""The journal as the supervisor reads it: a connection of its own that never delays the writer.

In WAL mode a reader sees the last commit as of its query, and holds no lock that a writer waits for. What it
reads are the tables, which the engine brings level with its log some milliseconds after each commit
(``Journal.post``), whole groups at a time. Every method is one query; call it from one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

import msgspec

from bus.messages import AcceptedSignal, Checkpoint, Fill, Position
from strategies.trading.records import Closed, Executed, Judged, Noted, Placed, Saved, Withheld
from strategies.trading.replies import accepted_signal, signal_row, withheld_row
from supervisor.store import journal_chain, journal_copy, journal_ledger, journal_log, journal_standing
from supervisor.store import journal_checkpoints as checkpoints
from supervisor.store.journal_chain import Chain
from supervisor.store.journal_checkpoints import Kept, Summary
from supervisor.store.journal_copy import JournalCopy
from supervisor.store.journal_file import connect_readonly, unreadable
from supervisor.store.journal_ledger import Known
from supervisor.store.journal_rows import ACCEPTED, Execute
from supervisor.store.journal_stream import Told, told_after
from supervisor.store.journal_verdicts import Kinds, verdicts_after

T = TypeVar("T")

_SIGNALS: Final = "signals WHERE counted"
_FILLS: Final = "fills WHERE 1"
_EVENTS: Final = "events WHERE 1"

_LARGEST: Final = 2**63 - 1
"""Largest integer of SQLite (sqlite.org/datatype3.html)."""
_SIGNAL: Final = msgspec.msgpack.Decoder(Judged | Withheld).decode
_FILL: Final = msgspec.msgpack.Decoder(Executed).decode
_OUTCOME: Final = msgspec.msgpack.Decoder(Judged | Withheld | Placed | Executed | Closed).decode
_POSITION: Final = msgspec.msgpack.Decoder(Position).decode
_EVENT: Final = msgspec.msgpack.Decoder(Noted).decode


class JournalReader:
    """Reads what an engine has committed. ``open`` it once the engine is ready, ``close`` it."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal of a running or ended engine; ``JournalError`` if there is none."""
        return cls(path, connect_readonly(path))

    def __enter__(self) -> Self:
        """Return itself; closed on the way out."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Twice is fine."""
        self._database.close()

    def signals(
        self, deployment_id: str | None = None, after_seq: int | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Return verdicts as rows of ``signals --json`` (``replies.ROW``), ascending ``seq``.

        At most ``limit``: the first ones after ``after_seq``, or the last ones when it is None.
        """
        records = self._page(_SIGNALS, _SIGNAL, deployment_id, after_seq, limit)
        return [withheld_row(r) if isinstance(r, Withheld) else signal_row(r) for r in records]

    def fills(
        self, deployment_id: str | None = None, after_seq: int | None = None, limit: int = 100
    ) -> list[Fill]:
        """Return executions, ascending; ``after_seq`` and ``limit`` as for ``signals``."""
        records = self._page(_FILLS, _FILL, deployment_id, after_seq, limit)
        return [record.fill for record in records]

    def executions(self, after_seq: int, limit: int) -> list[Executed]:
        """Return executions with their sequence and the position after each, for the mirror."""
        return self._page(_FILLS, _FILL, None, after_seq, limit)

    def events(self, after_seq: int | None = None, limit: int = 100) -> list[Noted]:
        """Return what the core noted, ascending; ``after_seq`` and ``limit`` as for ``signals``."""
        return self._page(_EVENTS, _EVENT, None, after_seq, limit)

    def positions(self, deployment_id: str | None = None) -> list[Position]:
        """Return positions, unmarked, by deployment and symbol; flat ones with their profit too."""
        where, arguments = ("WHERE deployment_id = ?", [deployment_id]) if deployment_id else ("", [])
        query = f"SELECT payload FROM positions {where} ORDER BY deployment_id, symbol"  # noqa: S608 - constants only
        return _rows(self._database, self.path, query, arguments, _POSITION)

    def accepted(self, after_seq: int, limit: int) -> list[AcceptedSignal]:
        """Return accepted signals after ``after_seq``, ascending, at most ``limit``."""
        return accepted_after(self._database, self.path, after_seq, limit)

    def checkpoint(self, deployment_id: str) -> Checkpoint | None:
        """Return the newest good checkpoint of a deployment, if it has one."""
        saved = self._ask(lambda execute: checkpoints.newest(execute, deployment_id)).saved
        return saved.checkpoint if saved else None

    def checkpoints(self, deployment_id: str) -> list[Kept]:
        """Return every checkpoint of a deployment that is kept, the newest first, refused ones too."""
        return self._ask(lambda execute: checkpoints.kept(execute, deployment_id))

    def saved(self, deployment_id: str, seq: int) -> Saved | None:
        """Return the checkpoint of record ``seq``, a refused one too; None if it is damaged or not there."""
        return self._ask(lambda execute: checkpoints.whole(execute, deployment_id, seq))

    def summaries(self) -> dict[str, Summary]:
        """Return what is kept of each deployment that has a checkpoint."""
        return self._ask(checkpoints.summaries)

    def orders(self, owners: Sequence[str] | None, *, ended: bool, limit: int) -> list[Known]:
        """Return orders and how they stand (``journal_ledger.orders``)."""
        return self._ask(lambda execute: journal_ledger.orders(execute, owners, ended=ended, limit=limit))

    def trades(self, owners: Sequence[str] | None, *, after: int | None, limit: int) -> list[Executed]:
        """Return executions (``journal_ledger.trades``)."""
        return self._ask(lambda execute: journal_ledger.trades(execute, owners, after=after, limit=limit))

    def told_after(self, after: int, limit: int) -> list[Told]:
        """Return what listeners are told of (``journal_stream.told_after``)."""
        return self._ask(lambda execute: told_after(execute, after, limit))

    def pending(self) -> list[Judged]:
        """Return the signals that wait for approval (``journal_standing.pending``)."""
        return self._ask(journal_standing.pending)

    def chain(self, signal_id: str) -> Chain | None:
        """Return what followed from one signal (``journal_chain.chain``)."""
        return self._ask(lambda execute: journal_chain.chain(execute, signal_id))

    def verdicts(
        self,
        owners: Sequence[str] | None,
        *,
        verdict: str | None,
        rule: str | None,
        after: int | None,
        limit: int,
    ) -> list[dict[str, Any]]:
        """Return verdicts as ``signals`` does, by what became of them (``journal_chain.signals``)."""
        found = self._ask(
            lambda execute: journal_chain.signals(
                execute, owners, verdict=verdict, rule=rule, after=after, limit=limit
            )
        )
        return [withheld_row(one) if isinstance(one, Withheld) else signal_row(one) for one in found]

    def fills_from(self, owner: str, most: int) -> int:
        """Return the number of the first of the last ``most`` executions of a deployment, 0 without one."""
        return self._ask(lambda execute: journal_ledger.fills_from(execute, owner, most))

    def verdicts_after(self, after: int) -> tuple[int, Kinds]:
        """Return how many verdicts there are of each kind (``journal_verdicts.verdicts_after``)."""
        return self._ask(lambda execute: verdicts_after(execute, after))

    def last_seq(self) -> int:
        """Return the newest committed record's number, 0 in an empty journal; it may not be posted yet."""
        try:
            return journal_log.last_seq(self._database.execute)
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from None

    def copy(
        self, after: int, limit: int, since: int, known: Mapping[str, int] = MappingProxyType({})
    ) -> JournalCopy:
        """Return what a copy is to know, as of one commit; the arguments as for ``journal_copy.read``."""
        try:
            return journal_copy.read(self._database.execute, after, limit, since, known)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise unreadable(self.path, error) from None

    def _ask(self, question: Callable[[Execute], T]) -> T:
        try:
            return question(self._database.execute)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise unreadable(self.path, error) from None

    def _page(
        self, rows: str, decode: Any, deployment_id: str | None, after_seq: int | None, limit: int
    ) -> list[Any]:
        arguments: list[Any] = []
        if deployment_id is not None:
            rows += " AND deployment_id = ?"
            arguments.append(deployment_id)
        if after_seq is not None:
            rows += " AND seq > ?"
            arguments.append(after_seq)
        order = "DESC" if after_seq is None else "ASC"
        query = f"SELECT payload FROM {rows} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - constants only
        found = _rows(self._database, self.path, query, [*arguments, limit], decode)
        return found[::-1] if after_seq is None else found


def accepted_after(
    database: sqlite3.Connection, path: Path, after_seq: int, limit: int
) -> list[AcceptedSignal]:
    """Return accepted signals after ``after_seq``, ascending, at most ``limit``."""
    # Those of removed deployments too: a consumer that was away is owed them.
    query = f"SELECT payload FROM signals WHERE {ACCEPTED} AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - a constant
    after_seq = max(0, min(after_seq, _LARGEST))  # a consumer may ask for any number that MessagePack has
    return [accepted_signal(judged) for judged in _rows(database, path, query, [after_seq, limit], _SIGNAL)]


def outcomes_after(
    database: sqlite3.Connection, path: Path, after_seq: int
) -> list[Judged | Placed | Executed | Closed]:
    """Return verdicts, executions, beginnings and ends of orders after ``after_seq``, ascending.

    Of a flood only what was listed; an order is as it is now.
    """
    query = (
        "SELECT payload FROM (SELECT seq, payload FROM signals WHERE seq > ?1 "
        "UNION ALL SELECT seq, payload FROM orders WHERE seq > ?1 "
        "UNION ALL SELECT seq, payload FROM fills WHERE seq > ?1 "
        "UNION ALL SELECT seq, payload FROM ends WHERE seq > ?1) ORDER BY seq"
    )
    found = _rows(database, path, query, [after_seq], _OUTCOME)
    return [record for record in found if not isinstance(record, Withheld)]


def _rows(
    database: sqlite3.Connection, path: Path, query: str, arguments: list[Any], decode: Any
) -> list[Any]:
    try:
        return [decode(payload) for (payload,) in database.execute(query, arguments)]
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise unreadable(path, error) from None
