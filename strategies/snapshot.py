"""What a checkpoint holds of the host itself, besides the strategy's own state: typed, and of a version.

Everything that evolves by input and decides about later output is here, so that a host that is restored and
fed what came after gives the same signals with the same numbers. Bytes that are not exactly this are
``StateCorrupt``; nothing in here is code.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from bus.messages import DECODE_ERRORS, Candle, Pause, Position, Schedule, Signal, Tick
from strategies.books import OpenOrder
from strategies.errors import StateCorrupt

Finite: TypeAlias = Annotated[float, Meta(ge=-1e300, le=1e300)]
LATEST: Final = 2**63 - 1
"""Last time that fits into 64 bits, ns."""
Time: TypeAlias = Annotated[int, Meta(ge=0, le=LATEST)]


class Folded(Struct, array_like=True, frozen=True):
    """Prices of one kind that a forming candle consists of so far (``strategies.forming``)."""

    kind: Literal["last", "bid", "ask", "mid"]
    trades: Time
    volume: Finite
    open: Finite
    high: Finite
    low: Finite
    close: Finite
    open_key: tuple[int, int]
    close_key: tuple[int, int]


class FormingState(Struct, array_like=True, frozen=True):
    """The forming candle of one symbol: what is folded, then the ticks that are not."""

    symbol: str
    folded: list[Folded]
    ticks: list[Tick]


class BarrierState(Struct, array_like=True, frozen=True):
    """What ``on_boundary`` waits for: how far each symbol is, and the candles by boundary."""

    reached: dict[str, Time]
    waiting: list[tuple[Time, list[Candle]]]


class IndicatorState(Struct, array_like=True, frozen=True):
    """One indicator of ``ctx.indicator``: how it was made, and what it holds (``strategies.remembering``)."""

    name: str
    symbol: str
    timeframe: str
    args: list[int | float]
    held: list[Any]


class HostState(Struct, array_like=True, frozen=True):
    """The host after one event.

    ``seen`` is the close time of the newest candle by ``symbol|timeframe``, 0 for none; ``opened`` as in
    ``strategies.books``; ``fired`` is when each timer last was due; ``parameters`` are those in force, None
    where none can change.
    """

    version: Literal[1]
    now: Time
    as_of: Time
    symbol: str
    number: Time
    paused: Pause | None
    positions: list[Position]
    opened: dict[str, tuple[int, float, float]]
    open_orders: list[OpenOrder]
    unjudged: list[Signal]
    timers: list[Schedule]
    fired: dict[str, Time]
    seen: dict[str, Time]
    newest: list[Candle]
    ticks: list[Tick]
    forming: list[FormingState]
    stale: dict[str, list[str]]
    barrier: BarrierState | None
    indicators: list[IndicatorState]
    pending: list[OpenOrder] = []
    parameters: dict[str, Any] | None = None


encode: Final = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HostState).decode


def decode(packed: object) -> HostState:
    """Read what ``encode`` wrote; ``StateCorrupt`` for anything else."""
    if not isinstance(packed, bytes):
        raise StateCorrupt(f"checkpoint holds {type(packed).__name__} where the host's part should be")
    try:
        host = _decode(packed)
    except DECODE_ERRORS as error:
        raise StateCorrupt(f"checkpoint's part of the host cannot be read: {error}") from None
    waiting = host.barrier.waiting if host.barrier is not None else []
    for candle in (*host.newest, *(one for _, candles in waiting for one in candles)):
        if not 0 <= candle.open_time < candle.close_time < LATEST or not 0 <= candle.trades < LATEST:
            raise StateCorrupt(f"checkpoint: no candle of {candle.symbol} can be of {candle.open_time}")
    return host
