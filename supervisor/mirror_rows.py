"""The rows of the copy, written and read: what each hash and the stream hold, as bytes. Pure.

Whoever reads trusts nothing: a row that does not decode, or that speaks of another than its key says, is
left out and named; the rest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from bus.messages import Checkpoint, Count, Position
from strategies.trading.accounts import Settled
from strategies.trading.figures import Figures
from strategies.trading.latches import Latch
from strategies.trading.orders import Order
from strategies.trading.protection import Guard
from strategies.trading.records import Judged, LotRing, Routed, Saved, Tally
from strategies.trading.replies import accepted_signal
from supervisor.mirror import Entry
from supervisor.store.journal_copy import JournalCopy
from supervisor.store.tables import Deployment, Standing

HASHES = (
    "deployments", "positions", "orders", "tallies", "checkpoints", "lots", "guards", "routes", "latches",
    "figures", "settled", "pending",
)  # fmt: skip
NAMED = 5
"""Signals that cannot be read are named up to so many, and counted."""
LARGEST = 2**62

T = TypeVar("T")
Owned = TypeVar("Owned", Position, LotRing, Guard, Routed, Judged)
Scoped = TypeVar("Scoped", Latch, Figures)
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Copy(Struct, frozen=True, kw_only=True):
    """One deployment in the mirror: what it is, what is wanted of it, and its state when it was copied."""

    deployment: Deployment
    standing: Standing
    state: str


class SavedRow(Struct, frozen=True, array_like=True):
    """A checkpoint in the mirror; ``seq``, ``at`` and ``generation`` are the journal's.

    ``epoch`` names the tape that numbers ``position``, ``offset`` is the checkpoint's ``at`` on it.
    """

    state: bytes
    state_version: int
    epoch: int
    position: dict[str, int]
    seq: int
    at: int
    generation: int
    offset: int = 0
    paused: bool = False


class TallyRow(Struct, frozen=True, kw_only=True):
    """Verdicts of one deployment over its life."""

    accepted: Count
    rejected: Count
    duplicate: Count
    expired: Count


class Contents(Struct, frozen=True, kw_only=True):
    """A copy as it lies there: ``hashes`` by name and id, ``records`` of the stream by ascending number."""

    hashes: dict[str, dict[str, bytes]]
    records: list[tuple[int, bytes]]


class Found(Struct, frozen=True, kw_only=True):
    """A copy as it was understood. ``unreadable`` is (deployment or "", what and why)."""

    deployments: list[tuple[Deployment, Standing]]
    journal: JournalCopy
    unreadable: list[tuple[str, str]]


# ---- writing --------------------------------------------------------------------------------------
def deployment_row(deployment: Deployment, standing: Standing, state: str) -> bytes:
    """Return a row of ``deployments``."""
    return _json(Copy(deployment=deployment, standing=standing, state=state))


def checkpoint_row(saved: Saved) -> bytes:
    """Return a row of ``checkpoints``."""
    kept = saved.checkpoint
    return _pack(
        SavedRow(
            state=kept.state,
            state_version=kept.state_version,
            epoch=kept.epoch,
            position=kept.position,
            seq=saved.seq,
            at=saved.at,
            generation=saved.generation,
            offset=kept.at,
            paused=kept.paused,
        )
    )


def tally_row(tally: Tally) -> bytes:
    """Return a row of ``tallies``."""
    return _json(
        TallyRow(
            accepted=tally.accepted,
            rejected=tally.rejected,
            duplicate=tally.duplicate,
            expired=tally.expired,
        )
    )


def standing_rows(copy: JournalCopy) -> dict[str, dict[str, bytes]]:
    """Return what stands until something changes it: the rows of its hashes, by name."""
    return {
        "lots": owned_rows(copy.lots),
        "guards": owned_rows(copy.guards),
        "routes": owned_rows(copy.routes),
        "pending": owned_rows(copy.pending),
        "latches": {f"{latch.scope}:{latch.name}": _json(latch) for latch in copy.latches},
        "settled": {f"{one.account_id}:{one.currency}": _json(one) for one in copy.settled},
        "figures": {f"{figures.scope}:{figures.name}": _json(figures) for figures in copy.figures},
    }


def owned_rows(
    owned: Iterable[Position | Order | LotRing | Guard | Routed | Judged],
) -> dict[str, bytes]:
    """Return rows of things that deployments own: a JSON list for each deployment that has any."""
    lists: dict[str, list[Any]] = {}
    for one in owned:
        lists.setdefault(one.deployment_id, []).append(one)
    return {name: _json(mine) for name, mine in lists.items()}


def entry(judged: Judged) -> Entry:
    """Return the stream's entry of an accepted signal."""
    return Entry(judged.seq, _pack(accepted_signal(judged)), _pack(judged))


# ---- reading --------------------------------------------------------------------------------------
_COPY = msgspec.json.Decoder(Copy).decode
_ORDERS = msgspec.json.Decoder(list[Order]).decode
_SETTLED = msgspec.json.Decoder(Settled).decode
_TALLY = msgspec.json.Decoder(TallyRow).decode
_SAVED = msgspec.msgpack.Decoder(SavedRow).decode
_JUDGED = msgspec.msgpack.Decoder(Judged).decode


def read_contents(contents: Contents, seq: int) -> Found:
    """Understand a copy that goes up to record ``seq``, as far as it can be understood."""
    reader = _Reader(contents)
    deployments = reader.each("deployments", "deployment", _deployment)
    accepted = reader.accepted()
    return Found(
        deployments=deployments,
        journal=JournalCopy(
            seq=max(seq, accepted[-1].seq if accepted else 0),
            tallies=reader.each("tallies", "tally", _tally),
            positions=[
                one for mine in reader.each("positions", "positions", _owned(Position)) for one in mine
            ],
            orders=reader.every("orders", "waiting orders", _orders),
            checkpoints=reader.each("checkpoints", "checkpoint", _saved),
            accepted=accepted,
            lots=reader.every("lots", "lots", _owned(LotRing)),
            guards=reader.every("guards", "guards", _owned(Guard)),
            routes=reader.every("routes", "routes", _owned(Routed)),
            pending=reader.every("pending", "signals that wait for approval", _pending),
            latches=reader.each("latches", "latch", _scoped(Latch)),
            figures=reader.each("figures", "figures", _scoped(Figures)),
            settled=reader.each("settled", "money", _settled),
        ),
        unreadable=reader.unreadable,
    )


class _Reader:
    """Reads the rows of a copy and keeps a list of what it could not read."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.unreadable: list[tuple[str, str]] = []

    def each(self, hash_name: str, what: str, read: Callable[[str, bytes], T]) -> list[T]:
        found = []
        for name, row in sorted(self._contents.hashes.get(hash_name, {}).items()):
            try:
                found.append(read(name, row))
            except (msgspec.DecodeError, ValueError) as error:
                self.unreadable.append((name, f"the {what} of {name} cannot be read: {error}"))
        return found

    def every(self, hash_name: str, what: str, read: Callable[[str, bytes], list[T]]) -> list[T]:
        return [one for mine in self.each(hash_name, what, read) for one in mine]

    def accepted(self) -> list[Judged]:
        found, lost = [], []
        for number, record in self._contents.records:
            try:
                judged = _JUDGED(record)
                bytes.fromhex(judged.key)
                _same(judged.seq, number, "number")
                _bounded(judged.at)
                found.append(judged)
            except (msgspec.DecodeError, ValueError):
                lost.append(number)
        if lost:
            names = ", ".join(map(str, lost[:NAMED])) + (", ..." if len(lost) > NAMED else "")
            self.unreadable.append(("", f"{len(lost)} accepted signals cannot be read: {names}"))
        return found


def _deployment(name: str, row: bytes) -> tuple[Deployment, Standing]:
    copy = _COPY(row)
    _same(copy.deployment.id, name, "id")
    # Who can write to Redis must not be able to have code run unconfined: trust is for an operator to give.
    return msgspec.structs.replace(copy.deployment, trusted_path=""), copy.standing


def _owned(kind: type[Owned]) -> Callable[[str, bytes], list[Owned]]:
    """Return what reads a row of things of ``kind`` that one deployment owns."""
    decode = msgspec.json.Decoder(list[kind]).decode  # type: ignore[valid-type]  # a type at run time

    def read(name: str, row: bytes) -> list[Owned]:
        found: list[Owned] = decode(row)
        for one in found:
            _same(one.deployment_id, name, "id")
        return found

    return read


def _settled(name: str, row: bytes) -> Settled:
    found = _SETTLED(row)
    _same(f"{found.account_id}:{found.currency}", name, "account and currency")
    return found


def _scoped(kind: type[Scoped]) -> Callable[[str, bytes], Scoped]:
    """Return what reads a row of the latch or the figures of one deployment or account."""
    decode = msgspec.json.Decoder(kind).decode

    def read(name: str, row: bytes) -> Scoped:
        found = decode(row)
        _same(f"{found.scope}:{found.name}", name, "name")
        return found

    return read


def _pending(name: str, row: bytes) -> list[Judged]:
    found = _owned(Judged)(name, row)
    for judged in found:
        bytes.fromhex(judged.key)
        _same(judged.decision, "pending", "verdict")
        for number in (judged.seq, judged.at, judged.until):
            _bounded(number)
    return sorted(found, key=lambda judged: judged.seq)


def _orders(name: str, row: bytes) -> list[Order]:
    found = _ORDERS(row)
    for order in found:
        _same(order.deployment_id, name, "id")
        for number in (order.seq, order.accepted_at, order.like + 1):
            _bounded(number)
    return found


def _tally(name: str, row: bytes) -> Tally:
    return Tally(name, **msgspec.structs.asdict(_TALLY(row)))


def _saved(name: str, row: bytes) -> Saved:
    kept = _SAVED(row)
    _bounded(kept.seq)
    _bounded(kept.at)
    return Saved(
        seq=kept.seq,
        at=kept.at,
        deployment_id=name,
        generation=kept.generation,
        checkpoint=Checkpoint(
            kept.state, kept.state_version, kept.epoch, kept.position, kept.offset, kept.paused
        ),
    )


def _same(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise ValueError(f"its {what} is {found}")


def _bounded(number: int) -> None:
    """A number of a journal or a time: SQLite holds 63 bits."""
    if not 0 < number < LARGEST:
        raise ValueError(f"{number} is not between 0 and {LARGEST}")
