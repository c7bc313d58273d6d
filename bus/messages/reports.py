"""From one cell to the engine: its one ordered pipe."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from bus.histogram import Buckets
from bus.messages.scalars import Count
from bus.messages.trading import Signal


class Hello(Struct, array_like=True, frozen=True, tag=1):
    """The cell is up and subscribed. Repeated until the ``Welcome`` arrives, so neither can be lost.

    ``tape`` is the numbering that a living cell goes by, 0 while it knows none.
    """

    tape: int = 0


class Signals(Struct, array_like=True, frozen=True, tag=2):
    """Signals of one callback, in the order in which the strategy returned them."""

    signals: Annotated[list[Signal], Meta(max_length=1000)]


class Checkpoint(Struct, array_like=True, frozen=True, tag=3):
    """The strategy's state (MessagePack, opaque to the engine) after the input in ``position``.

    ``epoch`` names the tape that numbers it. ``at`` is an offset on it before which there is nothing that the
    strategy has not had; after it there may be something it had, which ``position`` tells. ``paused``: the
    state is of a paused strategy.
    """

    state: Annotated[bytes, Meta(max_length=16 * 2**20)]
    state_version: int
    epoch: int
    position: dict[str, int]
    at: int = 0
    paused: bool = False


class CellStats(Struct, array_like=True, frozen=True):
    """Counters of one instance since its start, as its warden counts them.

    ``gaps`` are messages that never came and are on no tape; ``replayed`` those that came from it. ``turns``
    are how long it took for what it was handed together (``histogram.TURNS``).
    """

    ticks: int = 0
    candles: int = 0
    conflated: int = 0
    gaps: int = 0
    stale: int = 0
    refused: int = 0
    errors: int = 0
    slow_calls: int = 0
    log_dropped: int = 0
    lag_ns: int = 0
    longest_call_ns: int = 0
    last_event: str = ""
    replayed: int = 0
    turns: Buckets = Buckets()


class Beat(Struct, array_like=True, frozen=True, tag=4):
    """Proof of life of its main loop, with its counters: once a second, every five while it has no data."""

    stats: CellStats


class Bye(Struct, array_like=True, frozen=True, tag=5):
    """The orderly end of the pipe: every signal of this instance came before this."""

    stats: CellStats


class Running(Struct, array_like=True, frozen=True, tag=6):
    """Warm: initialised, state loaded, warm-up replayed. From now on signals count.

    ``position`` repeats that of the ``Welcome`` which was taken: several may have been on their way.
    """

    position: dict[str, int] = {}


class Schedule(Struct, array_like=True, frozen=True, tag=7):
    """Ask for ``TimerFired(name)`` at event time ``at``, again every ``every`` ns if not zero."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    at: Count
    every: Count = 0


class Missed(Struct, array_like=True, frozen=True, tag=8):
    """Ask for what was published from offset ``at`` of the tape on (``Replayed``).

    One question at a time; asked again if no answer comes. Where the tape does not reach back so far, the
    answer is a ``Welcome`` that does not resume.
    """

    at: Count


class CellAnswer(Struct, array_like=True, frozen=True, tag=9):
    """What a strategy answered to ``Commanded``, ``Inspect`` or ``TakeCheckpoint``, by the request's number.

    ``done``: ``data`` is its answer as JSON (none, of a checkpoint, which came before this). ``failed``: it
    raised, or what it gave cannot be taken, and ``why`` is one line. ``not_now``: it was not asked.
    """

    request: int
    outcome: Literal["done", "failed", "not_now"]
    data: Annotated[bytes, Meta(max_length=16 * 2**10)] = b""
    why: Annotated[str, Meta(max_length=1024)] = ""


CellReport: TypeAlias = Hello | Signals | Checkpoint | Beat | Bye | Running | Schedule | Missed | CellAnswer
