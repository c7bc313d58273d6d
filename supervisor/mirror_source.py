"""What the mirror copies, read from daemon and journal; and the way back, for a new state directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from bus.messages import Position
from supervisor.actor import Actor
from supervisor.errors import Failed
from supervisor.mirror import Mark, MirrorError
from supervisor.signal_tail import SignalTail
from supervisor.store.tables import Deployment, Standing

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Copy(Struct, frozen=True, kw_only=True):
    """One deployment in the mirror: what it is, what is wanted of it, and its state when it was copied."""

    deployment: Deployment
    standing: Standing
    state: str


_decode = msgspec.json.Decoder(Copy).decode


def read_copies(rows: Mapping[str, bytes]) -> list[tuple[Deployment, Standing]]:
    """Return the deployments of a copy. Raises ``MirrorError`` naming the first that cannot be read."""
    found = []
    for name, row in sorted(rows.items()):
        try:
            copy = _decode(row)
        except msgspec.DecodeError as error:
            raise MirrorError(f"the copy of {name} cannot be read: {error}") from None
        found.append((copy.deployment, copy.standing))
    return found


class DaemonSource:
    """Reads for the mirror. ``journal_seq`` says where the engine's journal stands."""

    def __init__(
        self, identity: str, actors: Mapping[str, Actor], journal: SignalTail, journal_seq: Callable[[], int]
    ) -> None:
        self._identity = identity
        self._actors = actors
        self._journal = journal
        self._journal_seq = journal_seq
        self._positions: dict[str, bytes] = {}
        self._positions_at = -1
        self._checkpoints: dict[str, bytes] = {}
        self._checkpoints_at = 0

    def mark(self) -> Mark:
        """Return who we are and where the journal stands."""
        return Mark(identity=self._identity, seq=self._journal_seq(), at=time.time_ns())

    async def deployments(self) -> dict[str, bytes]:
        """Return every deployment with its standing, as JSON."""
        return {
            name: _json(
                Copy(
                    deployment=actor.deployment,
                    standing=Standing.of(actor.life),
                    state=actor.life.state.value,
                )
            )
            for name, actor in self._actors.items()
        }

    async def positions(self) -> dict[str, bytes]:
        """Return the holdings of each deployment, as JSON."""
        if self._positions_at != self._journal_seq():
            at = self._journal_seq()
            held: dict[str, list[Position]] = {}
            try:
                for position in await self._journal.ask(lambda reader: reader.positions()):
                    held.setdefault(position.deployment_id, []).append(position)
            except Failed as error:
                raise MirrorError(str(error)) from None
            self._positions = {name: _json(positions) for name, positions in held.items()}
            self._positions_at = at
        return self._positions

    async def checkpoints(self) -> dict[str, bytes]:
        """Return the newest checkpoint of each deployment; only new ones are read."""
        after = self._checkpoints_at
        try:
            saved = await self._journal.ask(lambda reader: reader.checkpoints(after))
        except Failed as error:
            raise MirrorError(str(error)) from None
        fresh = dict(self._checkpoints)
        for one in saved:
            fresh[one.deployment_id] = _pack(
                [
                    one.checkpoint.state,
                    one.checkpoint.state_version,
                    one.checkpoint.epoch,
                    one.checkpoint.position,
                ]
            )
            self._checkpoints_at = max(self._checkpoints_at, one.seq)
        self._checkpoints = {name: row for name, row in fresh.items() if name in self._actors}
        return self._checkpoints

    async def signals(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return accepted signals numbered above ``after``, as MessagePack maps."""
        try:
            found = await self._journal.ask(lambda reader: reader.accepted(after, limit))
        except Failed as error:
            raise MirrorError(str(error)) from None
        return [(signal.seq, _pack(signal)) for signal in found]
