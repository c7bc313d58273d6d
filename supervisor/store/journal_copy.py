"""What trading must know of a journal when its file is lost: read of one, and put into a new one.

History stays behind: fills, refusals and events are told of by their sums only. What is read is as of one
commit (a read transaction sees one, https://sqlite.org/isolation.html): an order that waits in a copy has
not filled in its positions, and every signal before a checkpoint is among the accepted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from bus.messages import Position
from strategies.trading import lots
from strategies.trading.accounts import Settled
from strategies.trading.books import AGREES
from strategies.trading.figures import Figures
from strategies.trading.latches import Latch
from strategies.trading.orders import Order
from strategies.trading.protection import Guard
from strategies.trading.records import Judged, LotRing, Placed, Record, Routed, Saved, Tally
from supervisor.store import journal_checkpoints as checkpoints
from supervisor.store import journal_rows as rows
from supervisor.store import journal_standing as standing
from supervisor.store.journal_rows import Execute

LEAP: Final = 500_000
"""Numbers left out when a journal goes on from a copy. A copy is written behind: the journal that was lost
had given out higher numbers, and a consumer that saw them must not see them again on other signals. Half of
``journal.KEEP``, so that the next ``prune`` does not take the new rows for old ones."""

_encode: Final = msgspec.msgpack.Encoder().encode
_JUDGED: Final = msgspec.msgpack.Decoder(Judged).decode
_PLACED: Final = msgspec.msgpack.Decoder(Placed).decode
_POSITION: Final = msgspec.msgpack.Decoder(Position).decode


class JournalCopy(Struct, frozen=True, kw_only=True):
    """What is known of a journal up to record ``seq``; ``accepted`` and ``checkpoints`` ascending.

    ``heads`` is the number of the newest good checkpoint by deployment, of those not read as well.
    ``whole`` is False for a page of accepted signals that others follow: then only those were read.
    """

    seq: int
    whole: bool = True
    tallies: list[Tally] = []
    positions: list[Position] = []
    orders: list[Order] = []
    checkpoints: list[Saved] = []
    heads: dict[str, int] = {}
    accepted: list[Judged] = []
    lots: list[LotRing] = []
    guards: list[Guard] = []
    latches: list[Latch] = []
    figures: list[Figures] = []
    routes: list[Routed] = []
    settled: list[Settled] = []
    pending: list[Judged] = []


def read(
    execute: Execute, after: int, limit: int, since: int, known: Mapping[str, int] = MappingProxyType({})
) -> JournalCopy:
    """Return positions and waiting orders, and what is new: for a copy that is kept level.

    New are accepted signals above ``after``, at most ``limit``, verdicts above ``since``, and of each
    deployment the newest good checkpoint, if it is not the one that is ``known`` by its number: one that is
    refused later makes an older one the newest. A journal that ends before ``since`` is another one: then
    everything of it is new.
    """
    with _one_commit(execute):
        seq = rows.posted(execute)
        accepted = [
            _JUDGED(payload)
            for (payload,) in execute(
                f"SELECT payload FROM signals WHERE {rows.ACCEPTED} AND seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 - a constant
                (after, limit),
            )
        ]
        if len(accepted) == limit:
            return JournalCopy(seq=accepted[-1].seq, whole=False, accepted=accepted)
        since, known = (since, known) if since <= seq else (0, {})
        heads = checkpoints.heads(execute)
        return JournalCopy(
            seq=seq,
            tallies=rows.tallies(execute, since),
            positions=[_POSITION(payload) for (payload,) in execute("SELECT payload FROM positions")],
            orders=[
                _PLACED(payload).order
                for (payload,) in execute("SELECT payload FROM orders WHERE status = 'waiting' ORDER BY seq")
            ],
            checkpoints=list(checkpoints.changed(execute, known, heads)),
            heads=heads,
            accepted=accepted,
            lots=standing.lots(execute),
            guards=standing.everything(execute, "guard"),
            latches=standing.everything(execute, "latch"),
            figures=standing.everything(execute, "figures"),
            routes=standing.everything(execute, "route"),
            settled=standing.everything(execute, "settled"),
            pending=standing.pending(execute),
        )


@contextmanager
def _one_commit(execute: Execute) -> Iterator[None]:
    execute("BEGIN")
    try:
        yield
    finally:
        execute("ROLLBACK")  # nothing was written


def write(database: sqlite3.Connection, copy: JournalCopy) -> None:
    """Fill an empty journal, in the open transaction; its next number is ``LEAP`` beyond the copy's."""
    # A copy that was being caught up with may have decided on what it still has waiting.
    decided = {judged.signal_id for judged in copy.accepted}
    waiting = [judged for judged in copy.pending if judged.signal_id not in decided]
    placed = [Placed(seq=order.seq, at=order.accepted_at, order=order) for order in copy.orders]
    records: list[Record] = [*copy.accepted, *waiting, *placed, *copy.checkpoints]
    rows.post(database, records)
    execute = database.execute
    uncounted = {tally.deployment_id: tally.accepted for tally in copy.tallies}
    for judged in reversed(copy.accepted):
        # The newest ones are those of the count; older ones were of a removed deployment of that name.
        if uncounted.get(judged.deployment_id, 0) > 0:
            uncounted[judged.deployment_id] -= 1
        else:
            execute("UPDATE signals SET counted = 0 WHERE seq = ?", (judged.seq,))
    for tally in copy.tallies:
        name = tally.deployment_id
        counts = {
            "accepted": uncounted[name],
            "rejected": tally.rejected,
            "duplicate": tally.duplicate,
            "expired": tally.expired,
        }
        for decision, count in counts.items():
            if count:
                execute("INSERT INTO tallies VALUES (?, ?, ?)", (name, decision, count))
    for position in copy.positions:
        execute(
            "INSERT INTO positions VALUES (?, ?, ?, ?, ?)",
            (position.deployment_id, position.symbol, copy.seq, position.quantity, _encode(position)),
        )
    execute("DELETE FROM recent")  # orders that wait are not the entries of the last minute
    things = [*copy.guards, *copy.latches, *copy.figures, *copy.routes, *copy.settled]
    standing.fill(database.executemany, copy.seq, things, _lots(copy))
    rows.set_posted(execute, max([copy.seq, *(record.seq for record in records)]) + LEAP)


def _lots(copy: JournalCopy) -> list[LotRing]:
    """Return the lots of every holding; one at its average price where the copy's own are not the holding.

    Rows of a copy are read one by one, so one of a pair may be missing. Books whose lots are not their
    positions are refused, and no engine would start with them.
    """
    known = {(ring.deployment_id, ring.symbol): ring.lots for ring in copy.lots}
    rings = []
    for one in copy.positions:
        if not one.quantity:
            continue
        mine = known.get((one.deployment_id, one.symbol), [])
        numbers = [lot for lot, _, _ in mine]
        in_order = numbers == sorted(set(numbers)) and all(0 <= lot <= copy.seq for lot in numbers)
        total = lots.quantity(lots.Lot(*lot) for lot in mine)
        if not (in_order and abs(total - one.quantity) <= AGREES * abs(one.quantity)):
            mine = [(0, one.quantity, one.average_price)]
        rings.append(LotRing(one.deployment_id, one.symbol, mine))
    return rings
