"""What travels inside stratd, as types: decoding one of these is validating it.

Rules of this package. Every message is a frozen msgspec Struct, encoded as a MessagePack array, so a new
field goes to the end and has a default. Times are int nanoseconds since the Unix epoch, UTC. Prices and
sizes are floats. Constraints stand in the types: a NaN, an infinity, a zero price or a string too long
does not decode (``msgspec.ValidationError``). Nothing here does IO and nothing imports it but msgspec.

Who sends what::

    feed      -> engine      Tick, Bar, Heartbeat         (after the adapter of its format)
    engine    -> cells       Ticks, Candles, Pulse, FeedStatus, CellCommand      (one PUB socket)
    cell      -> engine      CellReport                                          (one PUSH pipe each)
    engine   <-> supervisor  supervisor/control.py
    engine    -> world       AcceptedSignal                                      (signals.out)

Each direction has its module (``market``, ``commands``, ``reports``; what they carry in common is in
``trading`` and ``scalars``). Import from here: where a message stands is nobody else's business.
"""

from __future__ import annotations

import msgspec

from bus.messages.commands import (
    Acked,
    CellCommand,
    CommandBody,
    Commanded,
    Filled,
    Inspect,
    OrderChanged,
    Parameters,
    Pause,
    Replayed,
    Resume,
    Stop,
    TakeCheckpoint,
    TimerFired,
    Welcome,
)
from bus.messages.market import (
    TICK_LATE,
    TICK_OUT_OF_SESSION,
    TICK_VOLUME_UNKNOWN,
    Bar,
    Candle,
    Candles,
    FeedStatus,
    Heartbeat,
    Pulse,
    Tick,
    Ticks,
)
from bus.messages.reports import (
    Beat,
    Bye,
    CellAnswer,
    CellReport,
    CellStats,
    Checkpoint,
    Hello,
    Missed,
    Running,
    Schedule,
    Signals,
)
from bus.messages.scalars import (
    Count,
    Id,
    Nanos,
    Number,
    Price,
    PriceKind,
    ShortText,
    Size,
    Symbol,
    TimeframeId,
    VolumeKind,
)
from bus.messages.trading import (
    AcceptedSignal,
    Decision,
    Fill,
    Intent,
    Level,
    OrderType,
    OrderUpdate,
    Position,
    Reason,
    Signal,
    SignalAck,
    TimeInForce,
    Trail,
)

__all__ = [
    "DECODE_ERRORS",
    "TICK_LATE",
    "TICK_OUT_OF_SESSION",
    "TICK_VOLUME_UNKNOWN",
    "AcceptedSignal",
    "Acked",
    "Bar",
    "Beat",
    "Bye",
    "Candle",
    "Candles",
    "CellAnswer",
    "CellCommand",
    "CellReport",
    "CellStats",
    "Checkpoint",
    "CommandBody",
    "Commanded",
    "Count",
    "Decision",
    "FeedStatus",
    "Fill",
    "Filled",
    "Heartbeat",
    "Hello",
    "Id",
    "Inspect",
    "Intent",
    "Level",
    "Missed",
    "Nanos",
    "Number",
    "OrderChanged",
    "OrderType",
    "OrderUpdate",
    "Parameters",
    "Pause",
    "Position",
    "Price",
    "PriceKind",
    "Pulse",
    "Reason",
    "Replayed",
    "Resume",
    "Running",
    "Schedule",
    "ShortText",
    "Signal",
    "SignalAck",
    "Signals",
    "Size",
    "Stop",
    "Symbol",
    "TakeCheckpoint",
    "Tick",
    "Ticks",
    "TimeInForce",
    "TimeframeId",
    "TimerFired",
    "Trail",
    "VolumeKind",
    "Welcome",
    "encode",
]

encode = msgspec.msgpack.Encoder().encode

DECODE_ERRORS = (ValueError, RecursionError)
"""What msgspec raises on bytes from outside: DecodeError and UnicodeDecodeError are ValueErrors, and a
nesting too deep to skip over is a RecursionError."""
