"""Orders and executions as the journal has them, for people: the newest last.

Every question is one query (journal_reader.py); what cannot be read raises ``JournalError``, so that nobody
takes a ledger that is broken for an empty one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from strategies.trading.orders import Order
from strategies.trading.records import Executed, Placed
from supervisor.store.journal_rows import Execute

WAITING: Final = "waiting"
_PLACED: Final = msgspec.msgpack.Decoder(Placed).decode
_EXECUTED: Final = msgspec.msgpack.Decoder(Executed).decode


class Known(Struct, frozen=True):
    """An order and how it stands: ``waiting``, ``filled``, or the word for why it ended otherwise."""

    order: Order
    status: str


def orders(execute: Execute, owners: Sequence[str] | None, *, ended: bool, limit: int) -> list[Known]:
    """Return the orders of ``owners`` (None: of all), only those that wait unless ``ended``; ascending."""
    where, given = _of(owners)
    if not ended:
        where += " AND status = 'waiting'"
    query = f"SELECT payload, status FROM orders WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants only
    rows = execute(query, [*given, limit]).fetchall()
    return [Known(_PLACED(payload).order, status) for payload, status in rows[::-1]]


def trades(
    execute: Execute, owners: Sequence[str] | None, *, after: int | None, limit: int
) -> list[Executed]:
    """Return executions of ``owners`` (None: of all), the last or the first after ``after``; ascending."""
    where, given = _of(owners)
    if after is not None:
        query = f"SELECT payload FROM fills WHERE {where} AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - as above
        return [_EXECUTED(payload) for (payload,) in execute(query, [*given, after, limit])]
    query = f"SELECT payload FROM fills WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - as above
    return [_EXECUTED(payload) for (payload,) in execute(query, [*given, limit]).fetchall()[::-1]]


def fills_from(execute: Execute, owner: str, most: int) -> int:
    """Return the number of the first of the last ``most`` executions of ``owner``, 0 where there is none."""
    newest = "SELECT seq FROM fills WHERE deployment_id = ? ORDER BY seq DESC LIMIT ?"
    (first,) = execute(f"SELECT ifnull(min(seq), 0) FROM ({newest})", (owner, most)).fetchone()  # noqa: S608 - a constant
    return int(first)


def _of(owners: Sequence[str] | None) -> tuple[str, list[Any]]:
    if owners is None:
        return "1", []
    return f"deployment_id IN ({', '.join('?' * len(owners))})", list(owners)
