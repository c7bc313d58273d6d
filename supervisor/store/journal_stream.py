"""What the journal holds for listeners: verdicts, orders and executions in the order of their records.

SQL and no state. A record is read once: each has a number of its own, and is in one of these tables.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from strategies.trading.records import Closed, Executed, Judged, Placed, Withheld
from supervisor.store.journal_rows import Execute

Told: TypeAlias = Judged | Withheld | Placed | Executed | Closed
_decode: Final = msgspec.msgpack.Decoder(Told).decode
_OF_EACH: Final = " UNION ALL ".join(
    # In brackets, so that each table gives no more than a page of its own index.
    f"SELECT * FROM (SELECT seq, payload FROM {table} AND seq > ?1 ORDER BY seq LIMIT ?2)"  # noqa: S608 - constants only
    for table in ("signals WHERE counted", "orders WHERE 1", "fills WHERE 1", "ends WHERE 1")
)
_QUERY: Final = f"SELECT payload FROM ({_OF_EACH}) ORDER BY seq LIMIT ?2"  # noqa: S608 - as above


def told_after(execute: Execute, after: int, limit: int) -> list[Told]:
    """Return what happened after record ``after``, ascending, at most ``limit``."""
    # An order that was amended since is in its row as it stands now, under the number of its placing.
    return [_decode(payload) for (payload,) in execute(_QUERY, (after, limit))]
