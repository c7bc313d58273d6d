"""The journal's log: what one turn of the engine's loop decided, as ONE row.

That row is the commit. The tables that others read are brought level afterwards, many turns at once
(``Journal.post``): at 1,000 signals a second seven statements and as many pages a signal, with its order and
its fill, were a third of the engine's work (benchmarks/README.md). The rows of a group are in the tables all
together or not at all, so whoever reads the tables sees the journal as of one commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from strategies.trading.records import Record
from supervisor.store.journal_rows import Execute

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Record]).decode


def write(execute: Execute, after: int, records: Sequence[Record]) -> bool:
    """Commit ``records``, which follow record ``after``; False if another writer has gone on from there.

    One statement outside any transaction is a transaction (sqlite.org/lang_transaction.html). The newest row
    is never dropped, so that it is always known who wrote last.
    """
    row = (records[-1].seq, _encode(records), after)
    statement = "INSERT INTO log SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM log WHERE seq > ?)"
    return execute(statement, row).rowcount == 1


def since(execute: Execute, seq: int) -> Iterator[Record]:
    """Yield the records of the groups after record ``seq``, ascending. ``msgspec.DecodeError`` is damage."""
    for (records,) in execute("SELECT records FROM log WHERE seq > ? ORDER BY seq", (seq,)):
        yield from _decode(records)


def last_seq(execute: Execute) -> int:
    """Return the number of the newest record that was committed, 0 in a new journal."""
    (newest,) = execute(
        "SELECT max(seq) FROM (SELECT max(seq) AS seq FROM log UNION ALL "
        "SELECT value FROM meta WHERE name = 'posted')"
    ).fetchone()
    return newest or 0


def drop(execute: Execute, seq: int) -> None:
    """Drop the groups before the one that ends with record ``seq``."""
    execute("DELETE FROM log WHERE seq < ?", (seq,))
