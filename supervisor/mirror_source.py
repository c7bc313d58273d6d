"""What the mirror copies, read from daemon and journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from strategies.trading.records import Tally
from supervisor import mirror_rows as rows
from supervisor.actor import Actor
from supervisor.errors import Failed
from supervisor.mirror import Mark, MirrorError, Picture
from supervisor.signal_tail import SignalTail
from supervisor.store.journal_copy import JournalCopy
from supervisor.store.journal_reader import JournalReader
from supervisor.store.tables import Standing

T = TypeVar("T")


class DaemonSource:
    """Reads for the mirror. ``journal_seq`` says where the engine's journal stood last.

    Checkpoints and verdicts are gathered: each look reads only what the journal has got since the one before.
    """

    def __init__(
        self, identity: str, actors: Mapping[str, Actor], journal: SignalTail, journal_seq: Callable[[], int]
    ) -> None:
        self._identity = identity
        self._actors = actors
        self._journal = journal
        self._journal_seq = journal_seq
        self._since = 0
        self._checkpoints: dict[str, tuple[int, bytes]] = {}
        self._tallies: dict[tuple[str, int], Tally] = {}  # by id and creation: an id can be used again

    @property
    def seq(self) -> int:
        """Where the journal stood when the engine last said so."""
        return self._journal_seq()

    async def mark(self) -> Mark:
        """Return who we are and where the journal stands now."""
        seq = await self._ask(lambda reader: reader.last_seq())
        return Mark(identity=self._identity, seq=seq, at=time.time_ns())

    async def look(self, after: int, limit: int) -> Picture:
        """Return everything, of accepted signals those numbered above ``after``, at most ``limit``."""
        since, known = self._since, {name: seq for name, (seq, _) in self._checkpoints.items()}
        copy = await self._ask(lambda reader: reader.copy(after, limit, since, known))
        signals = [rows.entry(judged) for judged in copy.accepted]
        if not copy.whole:
            return Picture(seq=copy.seq, signals=signals, hashes=None)
        self._gather(copy)
        return Picture(
            seq=copy.seq,
            signals=signals,
            hashes={
                "deployments": {
                    name: rows.deployment_row(actor.deployment, Standing.of(actor.life), actor.life.state)
                    for name, actor in self._actors.items()
                },
                "positions": rows.owned_rows(copy.positions),
                "orders": rows.owned_rows(copy.orders),
                "tallies": {name: rows.tally_row(tally) for (name, _), tally in self._tallies.items()},
                "checkpoints": {name: row for name, (_, row) in self._checkpoints.items()},
                **rows.standing_rows(copy),
            },
        )

    def _gather(self, copy: JournalCopy) -> None:
        """Add what is new, drop what is of deployments that are gone."""
        if copy.seq < self._since:  # another journal took the place of one that broke
            self._checkpoints, self._tallies = {}, {}
        self._since = copy.seq
        living = {name: (name, actor.deployment.created_at) for name, actor in self._actors.items()}
        for saved in copy.checkpoints:
            self._checkpoints[saved.deployment_id] = (saved.seq, rows.checkpoint_row(saved))
        self._checkpoints = {
            name: kept for name, kept in self._checkpoints.items() if name in living and name in copy.heads
        }
        for tally in copy.tallies:
            if key := living.get(tally.deployment_id):
                self._tallies[key] = _sum(self._tallies.get(key, Tally(tally.deployment_id)), tally)
        self._tallies = {key: self._tallies[key] for key in living.values() if key in self._tallies}

    async def _ask(self, question: Callable[[JournalReader], T]) -> T:
        try:
            return await self._journal.ask(question)
        except Failed as error:
            raise MirrorError(str(error)) from None


def _sum(one: Tally, other: Tally) -> Tally:
    return msgspec.structs.replace(
        one,
        accepted=one.accepted + other.accepted,
        rejected=one.rejected + other.rejected,
        duplicate=one.duplicate + other.duplicate,
        expired=one.expired + other.expired,
    )
