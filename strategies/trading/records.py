"""What is journalled: every output of the core that must outlive the process, as frozen structs.

``seq`` numbers all records of one journal from 1 without a gap, whatever their kind; the core counts,
since it is the one writer. ``at`` is the core's ``now`` in ns. Fields are only ever added at the end,
with a default. ``Snapshot`` is not written but built from the rest: all that the core must know again.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from bus.messages import Checkpoint, Decision, Fill, Position, Signal
from strategies.trading.orders import Order


class Judged(Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """The verdict on one signal, accepted or not. ``quantity`` is the signed order, None where none is.

    ``key`` is the idempotency key in hex. Identity fields are the connection's, never the child's.
    """

    seq: int
    at: int
    deployment_id: str
    generation: int
    decision: Decision
    rule: str
    detail: str
    signal_id: str
    key: str
    quantity: float | None
    account_id: str
    strategy: str
    version: str
    code_hash: str
    trading_mode: str
    signal: Signal


class Withheld(Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """``count`` refusals of one rule that were too many to be listed one by one (a flood)."""

    seq: int
    at: int
    deployment_id: str
    generation: int
    decision: Decision
    rule: str
    count: int


class Placed(Struct, frozen=True, array_like=True, tag=3, kw_only=True):
    """An order waits from here on. Its ``seq`` is the record's."""

    seq: int
    at: int
    order: Order


class Closed(Struct, frozen=True, array_like=True, tag=4, kw_only=True):
    """An order ended without a fill: ``reason`` is ``cancelled`` or ``nothing_to_reduce``."""

    seq: int
    at: int
    deployment_id: str
    symbol: str
    order_id: str
    order_seq: int
    reason: str


class Executed(Struct, frozen=True, array_like=True, tag=5, kw_only=True):
    """An order filled, whole; ``position`` is the one after it, unmarked."""

    seq: int
    at: int
    order_id: str
    order_seq: int
    fill: Fill
    position: Position


class Saved(Struct, frozen=True, array_like=True, tag=6, kw_only=True):
    """A strategy's checkpoint. Every signal that it had sent before has a smaller ``seq``.

    ``at`` is of the wall clock: people are told how old it is, also where the market is a recording.
    """

    seq: int
    at: int
    deployment_id: str
    generation: int
    checkpoint: Checkpoint


class Noted(Struct, frozen=True, array_like=True, tag=7, kw_only=True):
    """Something for the event log that no other record tells."""

    seq: int
    at: int
    deployment_id: str
    kind: str
    detail: str


class Tally(Struct, frozen=True, array_like=True):
    """Verdicts of one deployment over its life; ``accepted`` counts modified ones too."""

    deployment_id: str
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    expired: int = 0


class KeyRing(Struct, frozen=True, array_like=True):
    """Keys of accepted signals of one deployment in one symbol, each with its time, by acceptance."""

    deployment_id: str
    symbol: str
    keys: list[tuple[bytes, int]] = []


class Snapshot(Struct, frozen=True, array_like=True, tag=8, kw_only=True):
    """The state of the core after record ``seq``, in a fixed order, so that equal states are equal."""

    seq: int = 0
    tallies: list[Tally] = []
    positions: list[Position] = []
    orders: list[Order] = []
    keys: list[KeyRing] = []


class Refused(Struct, frozen=True, array_like=True, tag=9, kw_only=True):
    """The checkpoint of record ``checkpoint`` is bad: never loaded again, kept for inspection."""

    seq: int
    at: int
    deployment_id: str
    checkpoint: int
    why: str


class Cleared(Struct, frozen=True, array_like=True, tag=10, kw_only=True):
    """Every checkpoint of a deployment up to here was dropped: its next instance begins afresh."""

    seq: int
    at: int
    deployment_id: str


Record: TypeAlias = (
    Judged | Withheld | Placed | Closed | Executed | Saved | Noted | Snapshot | Refused | Cleared
)
