"""What is journalled: every output of the core that must outlive the process, as frozen structs.

``seq`` numbers all records of one journal from 1 without a gap, whatever their kind; the core counts,
since it is the one writer. ``at`` is the core's ``now`` in ns. Fields are only ever added at the end,
with a default. ``Snapshot`` is not written but built from the rest: all that the core must know again.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from bus.messages import Checkpoint, Decision, Fill, Position, Signal
from strategies.trading.accounts import Settled
from strategies.trading.figures import Figures
from strategies.trading.latches import Latch, Scope
from strategies.trading.orders import Order, Role
from strategies.trading.protection import Guard


class Judged(Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """The verdict on one signal, accepted or not. ``quantity`` is the signed order, None where none is.

    ``key`` is the idempotency key in hex. Identity fields are the connection's, never the child's.

    A ``pending`` one waits for a person until ``until`` (ns, the clock of ``at``). What became of it is
    another record with the same ``signal_id``, in which ``pending`` is the number of the first: ``by`` names
    who decided, "" for nobody, and ``remark`` is theirs.
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
    until: int = 0
    pending: int = 0
    by: str = ""
    remark: str = ""


class Withheld(Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """``count`` refusals of one rule that were too many to be listed one by one (a flood).

    ``account_id``, here and of ``Closed``, is "" in journals of the first versions: whose it was is unknown.
    """

    seq: int
    at: int
    deployment_id: str
    generation: int
    decision: Decision
    rule: str
    count: int
    account_id: str = ""


class Placed(Struct, frozen=True, array_like=True, tag=3, kw_only=True):
    """An order waits from here on. Its ``seq`` is the record's."""

    seq: int
    at: int
    order: Order


class Closed(Struct, frozen=True, array_like=True, tag=4, kw_only=True):
    """An order ended with something unfilled: ``reason`` is a word (``ENDINGS``), ``detail`` a sentence."""

    seq: int
    at: int
    deployment_id: str
    symbol: str
    order_id: str
    order_seq: int
    reason: str
    detail: str = ""
    signal_id: str = ""
    filled: float = 0.0
    account_id: str = ""


class LotMove(Struct, frozen=True, array_like=True):
    """What a fill did to the lots of a holding, each known by the record of the fill that opened it.

    ``closed`` are gone, ``left`` is what one of them has left (lot, quantity), ``opened`` the signed
    quantity of the new one, 0.0 for none.
    """

    closed: list[int] = []
    left: tuple[int, float] | None = None
    opened: float = 0.0


class Executed(Struct, frozen=True, array_like=True, tag=5, kw_only=True):
    """An order filled; ``position`` is the one after it, unmarked.

    ``order`` is what is left of it, None when nothing is; ``filled`` what of it has traded so far, signed, 0
    in journals of before. ``closed`` is the profit, net of fees, of the round trip that the fill ended, None
    where it ended none.
    """

    seq: int
    at: int
    order_id: str
    order_seq: int
    fill: Fill
    position: Position
    order: Order | None = None
    lots: LotMove | None = None
    closed: float | None = None
    role: Role = "signal"
    filled: float = 0.0


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


class LotRing(Struct, frozen=True, array_like=True):
    """The open lots of one holding, oldest first: (lot, signed quantity, price)."""

    deployment_id: str
    symbol: str
    lots: list[tuple[int, float, float]] = []


class Snapshot(Struct, frozen=True, array_like=True, tag=8, kw_only=True):
    """The state of the core after record ``seq``, in a fixed order, so that equal states are equal."""

    seq: int = 0
    tallies: list[Tally] = []
    positions: list[Position] = []
    orders: list[Order] = []
    keys: list[KeyRing] = []
    lots: list[LotRing] = []
    guards: list[Guard] = []
    latches: list[Latch] = []
    figures: list[Figures] = []
    routes: list[Routed] = []
    settled: list[Settled] = []
    recent: list[tuple[str, str, int, int]] = []
    pending: list[Judged] = []


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


class Amended(Struct, frozen=True, array_like=True, tag=11, kw_only=True):
    """A waiting order changed without trading: its stop was touched."""

    seq: int
    at: int
    order: Order


class Guarded(Struct, frozen=True, array_like=True, tag=12, kw_only=True):
    """A position is guarded so from here on; its peak is written down now and then."""

    seq: int
    at: int
    guard: Guard


class Unguarded(Struct, frozen=True, array_like=True, tag=13, kw_only=True):
    """A position is guarded no more: it is gone, or the exit named by ``role`` has been ordered."""

    seq: int
    at: int
    deployment_id: str
    symbol: str
    role: Role = "signal"


class Latched(Struct, frozen=True, array_like=True, tag=14, kw_only=True):
    """A deployment or an account is barred until an operator takes it back."""

    seq: int
    at: int
    latch: Latch


class Rearmed(Struct, frozen=True, array_like=True, tag=15, kw_only=True):
    """An operator took a latch back: ``by`` names who, ``reason`` is theirs."""

    seq: int
    at: int
    scope: Scope
    name: str
    by: str
    reason: str


class Measured(Struct, frozen=True, array_like=True, tag=16, kw_only=True):
    """The figures by which limits are judged stand so: a day began, or a peak is written down."""

    seq: int
    at: int
    figures: Figures


class Routed(Struct, frozen=True, array_like=True, tag=17, kw_only=True):
    """What a route said of a live order: ``status`` as in ``routing.py``, ``venue_id`` is its id there."""

    seq: int
    at: int
    deployment_id: str
    symbol: str
    order_id: str
    status: str
    detail: str = ""
    venue_id: str = ""


class Forgotten(Struct, frozen=True, array_like=True, tag=18, kw_only=True):
    """A deployment was removed: its counts, figures and flat positions go; its account keeps the money."""

    seq: int
    at: int
    deployment_id: str


class Parted(Struct, frozen=True, array_like=True, tag=19, kw_only=True):
    """What an account has realised in positions that are gone comes to so much."""

    seq: int
    at: int
    settled: Settled


Record: TypeAlias = (
    Judged
    | Withheld
    | Placed
    | Closed
    | Executed
    | Saved
    | Noted
    | Snapshot
    | Refused
    | Cleared
    | Amended
    | Guarded
    | Unguarded
    | Latched
    | Rearmed
    | Measured
    | Routed
    | Forgotten
    | Parted
)
