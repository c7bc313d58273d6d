"""What travels inside stratd, as types: decoding one of these is validating it.

Rules of this file. Every message is a frozen msgspec Struct, encoded as a MessagePack array, so a new
field goes to the end and has a default. Times are int nanoseconds since the Unix epoch, UTC. Prices and
sizes are floats. Constraints stand in the types: a NaN, an infinity, a zero price or a string too long
does not decode (``msgspec.ValidationError``). Nothing here does IO and nothing imports it but msgspec.

Who sends what::

    feed      -> engine      Tick, Bar, Heartbeat         (after the adapter of its format)
    engine    -> cells       Ticks, Candles, Pulse, FeedStatus, CellCommand      (one PUB socket)
    cell      -> engine      CellReport                                          (one PUSH pipe each)
    engine   <-> supervisor  supervisor/control.py
    engine    -> world       AcceptedSignal                                      (signals.out)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

# ---- constrained scalars --------------------------------------------------------------------------
# le=1e15 is what refuses infinity: msgspec compares, and NaN compares false with everything.
Price: TypeAlias = Annotated[float, Meta(gt=0, le=1e15)]
Size: TypeAlias = Annotated[float, Meta(ge=0, le=1e15)]
Number: TypeAlias = Annotated[float, Meta(ge=-1e15, le=1e15)]
Nanos: TypeAlias = Annotated[int, Meta(gt=0, le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# The characters of a symbol are checked once per symbol where it enters (bus/topics.py): a regular
# expression here would cost twice as much as the whole rest of a tick.
Symbol: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
TimeframeId: TypeAlias = Annotated[str, Meta(pattern=r"^[1-9]\d{0,4}(s|m|h|d|w|M)$")]
ShortText: TypeAlias = Annotated[str, Meta(max_length=256)]

PriceKind: TypeAlias = Literal["last", "bid", "ask", "mid", "mark"]
VolumeKind: TypeAlias = Literal["trade", "cumulative", "tick"]


# ---- market data ----------------------------------------------------------------------------------
class Tick(Struct, array_like=True, frozen=True, gc=False):
    """One trade or quote. The element order is the native feed's (docs/feeds.md).

    ``seq`` is the publisher's own per-symbol counter. ``flags`` is the engine's: see ``TICK_*``.
    """

    symbol: Symbol
    ts: Nanos
    last: Price | None = None
    size: Size | None = None
    bid: Price | None = None
    ask: Price | None = None
    bid_size: Size | None = None
    ask_size: Size | None = None
    seq: Count | None = None
    trade_id: Annotated[str, Meta(max_length=64)] | None = None
    flags: Count = 0

    @property
    def mid(self) -> float | None:
        """Half way between bid and ask, or None while one side is unknown."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def price(self) -> float | None:
        """The last trade, else the mid, else whichever side is known."""
        return self.last or self.mid or self.bid or self.ask


TICK_OUT_OF_SESSION = 1
"""The tick fell outside every session of its calendar: delivered to ``on_tick``, in no candle."""
TICK_LATE = 2
"""The tick belongs to a candle already closed: delivered to ``on_tick``, in no candle."""
TICK_VOLUME_UNKNOWN = 4
"""First reading of a day counter of volume: there is no baseline, so the candle is partial."""


class Bar(Struct, array_like=True, frozen=True, gc=False):
    """A candle that a feed made itself (``bar.*`` of the native feed, ``candles`` of cryptofeed)."""

    symbol: Symbol
    timeframe: TimeframeId
    open_time: Nanos
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    closed: bool


class Heartbeat(Struct, array_like=True, frozen=True):
    """A feed lives though nothing trades; ``last_seq`` tells gaps of symbols that went quiet.

    ``recovery`` is the endpoint at which the publisher serves what a subscriber has missed, "" for none.
    """

    ts: Nanos
    last_seq: dict[str, int] = {}
    recovery: Annotated[str, Meta(max_length=256)] = ""


class Candle(Struct, array_like=True, frozen=True, gc=False):
    """One candle over ``[open_time, close_time)``, identified by (symbol, timeframe, open_time).

    ``turnover`` is the sum of price times size, None where sizes are unknown. ``closed=False`` is the
    forming candle, never part of a history; then ``as_of`` is the event time it includes.
    """

    symbol: Symbol
    timeframe: TimeframeId
    open_time: int
    close_time: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    trades: Count = 0
    turnover: float | None = None
    price_kind: PriceKind = "last"
    volume_kind: VolumeKind = "trade"
    closed: bool = True
    partial: bool = False
    synthetic: bool = False
    quality: Literal["ok", "incomplete"] = "ok"
    backfilled: bool = False
    revision: Count = 0
    as_of: int = 0

    @property
    def vwap(self) -> float | None:
        """Volume-weighted average price, or None without volume or turnover."""
        return self.turnover / self.volume if self.turnover is not None and self.volume > 0 else None


class Ticks(Struct, array_like=True, frozen=True):
    """Topic ``tick|SYMBOL|``: the ticks of one symbol that one turn of the engine's loop had ready.

    ``seq`` numbers ticks per topic from 1, over all runs of the engine that go on with one tape
    (supervisor/store/tape.py); it is that of the first tick here, and the next message's is
    ``seq + len(ticks)``. ``epoch`` names the run of the engine that published it.
    """

    epoch: int
    seq: int
    ticks: list[Tick]


class Candles(Struct, array_like=True, frozen=True):
    """Topic ``candle|SYMBOL|``: every candle of the symbol that closed at ``as_of``, ascending timeframe.

    One message a boundary, so that a strategy sees all timeframes of one instant or none. ``seq``
    numbers messages per topic from 1, as with ``Ticks``.
    """

    epoch: int
    seq: int
    as_of: int
    candles: list[Candle]


class Pulse(Struct, array_like=True, frozen=True):
    """Topic ``pulse||``, once a second: the engine lives, and ``now`` is its event time.

    ``last`` holds the last sequence of each topic that moved since the one before, every tenth time of all.
    ``at`` is an offset on the tape: what lies before it was published before this.
    """

    epoch: int
    now: int
    last: dict[str, int]
    at: int = 0


class FeedStatus(Struct, array_like=True, frozen=True):
    """Topic ``feed|NAME|``: the health of a feed changed. ``symbols`` empty means all of the feed's."""

    feed: str
    state: Literal["healthy", "stale", "gap", "disconnected"]
    at: int
    detail: str = ""
    symbols: list[str] = []


# ---- what a strategy asks for ---------------------------------------------------------------------
Intent: TypeAlias = Literal[
    "enter_long", "enter_short", "exit_long", "exit_short", "exit_all", "target", "adjust", "cancel"
]
OrderType: TypeAlias = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce: TypeAlias = Literal["day", "gtc", "ioc", "fok", "gtd"]


class Level(Struct, array_like=True, frozen=True, gc=False):
    """A stop or target: an absolute price, or a distance from the reference price."""

    kind: Literal["price", "pct", "ticks", "atr"]
    value: Price


class Trail(Struct, array_like=True, frozen=True, gc=False):
    """A trailing stop; ``activation`` is the favourable distance at which it arms, None at once."""

    kind: Literal["price", "pct", "ticks", "atr"]
    value: Price
    activation: Price | None = None


class Reason(Struct, array_like=True, frozen=True, gc=False):
    """Why: a short code for tables, and a sentence."""

    code: Annotated[str, Meta(max_length=64)]
    text: ShortText = ""


class Signal(Struct, array_like=True, frozen=True, kw_only=True):
    """What a strategy returns: what it wants, never who it is (docs/signals.md, schema 1).

    Identity, account, mode and code hash come from the connection. ``timeframe``, ``data_key``,
    ``generated_at``, ``data_as_of``, ``reference_price`` and ``number`` are stamped by the runtime:
    they tie the signal to the event that caused it, and so to its idempotency key.
    """

    schema_version: Literal[1] = 1
    symbol: Symbol
    intent: Intent
    reason: Reason | ShortText = ""
    quantity: Price | None = None
    notional: Price | None = None
    target_quantity: Number | None = None
    target_weight: Number | None = None
    risk_pct: Annotated[float, Meta(gt=0, le=100)] | None = None
    order_type: OrderType = "market"
    limit_price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForce = "day"
    good_till: Nanos | None = None
    stop_loss: Level | None = None
    take_profit: Level | None = None
    trailing_stop: Trail | None = None
    time_stop_s: Price | None = None
    reduce_only: bool = False
    max_slippage_bps: Size | None = None
    oco_group: Annotated[str, Meta(max_length=64)] | None = None
    leg: Annotated[str, Meta(max_length=64)] = ""
    ttl_ms: Annotated[int, Meta(gt=0, le=86_400_000)] | None = None
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    expected_return: Number | None = None
    horizon_s: Price | None = None
    tags: dict[Annotated[str, Meta(max_length=64)], ShortText] = {}
    indicators: dict[Annotated[str, Meta(max_length=64)], float | None] = {}
    correlation_id: Annotated[str, Meta(max_length=64)] | None = None
    parent_signal_id: Annotated[str, Meta(max_length=64)] | None = None
    # stamped by the runtime
    timeframe: Annotated[str, Meta(max_length=8)] = "tick"
    data_key: Count = 0
    data_as_of: Count = 0
    generated_at: Count = 0
    reference_price: Price | None = None
    number: Count = 0


Decision: TypeAlias = Literal["accepted", "modified", "rejected", "duplicate", "expired"]


class SignalAck(Struct, array_like=True, frozen=True):
    """The engine's answer to one signal. ``rule`` names why it was not accepted, else empty."""

    idempotency_key: str
    decision: Decision
    rule: str = ""
    detail: str = ""
    signal_id: str = ""
    number: int = 0
    decided_at: int = 0


class Fill(Struct, array_like=True, frozen=True):
    """One execution: ``quantity`` is signed, positive for a buy."""

    fill_id: str
    signal_id: str
    deployment_id: str
    account_id: str
    symbol: str
    quantity: float
    price: float
    fee: float
    at: int
    leg: str = ""


class Position(Struct, array_like=True, frozen=True):
    """Signed holding of one deployment in one symbol, from fills only; average-cost basis.

    ``realised`` is profit closed so far net of fees, ``unrealised`` at the last known price, None
    while no price is known: unknown is never taken for zero.
    """

    deployment_id: str
    symbol: str
    quantity: float = 0.0
    average_price: float = 0.0
    realised: float = 0.0
    unrealised: float | None = None
    fees: float = 0.0


class AcceptedSignal(Struct, frozen=True, kw_only=True):
    """What the outside world reads on ``signals.out``: a MessagePack map. ``seq`` is the journal's."""

    seq: int
    signal_id: str
    idempotency_key: str
    deployment_id: str
    strategy: str
    version: str
    code_hash: str
    account_id: str
    mode: str
    symbol: str
    intent: Intent
    quantity: float | None
    decided_at: int
    data_as_of: int
    signal: dict[str, Any]


# ---- engine -> one cell ---------------------------------------------------------------------------
class Welcome(Struct, array_like=True, frozen=True, tag=1):
    """First word to a cell, and to a living one the first of an engine that is back.

    ``position`` holds the last sequence per topic that ``warmup`` (ascending close time) and ``state``
    cover: messages up to it are dropped. ``state`` is the checkpoint to load, as the strategy packed it.

    ``tape`` names the numbering, ``at`` the offset behind ``position``. With ``resumes`` both are the
    checkpoint's (for a living cell: its own), the warm-up ends there, and everything since is on the tape:
    the cell asks for it (``Missed``). Without, the present is all there is: ``position`` and ``at`` are of
    now, and what closed since the checkpoint is made up from ``warmup``. ``paused``: it was, there.
    """

    epoch: int
    now: int
    warmup: list[Candle] = []
    position: dict[str, int] = {}
    positions: list[Position] = []
    state: bytes = b""
    state_version: int = 0
    recovered: bool = False
    tape: int = 0
    at: int = 0
    resumes: bool = False
    paused: bool = False


class Pause(Struct, array_like=True, frozen=True, tag=2):
    """Stop delivering ticks; candles are kept for the resume. Signals are refused by the gate."""

    reason: str
    exit_only: bool = False


class Resume(Struct, array_like=True, frozen=True, tag=3):
    """Deliver again, from the next tick on; candles missed meanwhile come first, signals barred."""


class Stop(Struct, array_like=True, frozen=True, tag=4):
    """Orderly end: ``on_stop``, its signals if ``ask``, ``save_state``, ``cleanup``, exit."""

    reason: str
    ask: bool = False


class Parameters(Struct, array_like=True, frozen=True, tag=5):
    """New effective parameters; only keys flagged updatable differ."""

    parameters: dict[str, Any]


class TakeCheckpoint(Struct, array_like=True, frozen=True, tag=6):
    """Save state now."""


class Acked(Struct, array_like=True, frozen=True, tag=7):
    """The verdict on one of the cell's signals; ``seq`` is that of its record in the journal, 0 not said."""

    ack: SignalAck
    seq: int = 0


class Filled(Struct, array_like=True, frozen=True, tag=8):
    """An execution for this deployment, and its position after it; ``seq`` as in ``Acked``."""

    fill: Fill
    position: Position
    seq: int = 0


class TimerFired(Struct, array_like=True, frozen=True, tag=9):
    """A timer that the strategy scheduled (``ctx.schedule``) is due."""

    name: str
    ts: int


class Replayed(Struct, array_like=True, frozen=True, tag=10):
    """The answer to ``Missed``: frames of the tape as they were published, of this cell's topics, in order.

    ``at`` is where to go on; ``done``: the tape ends there, and what comes after this message is live.
    ``since`` is what was asked for: an answer to an older question is none. -1: not said.
    """

    frames: list[bytes]
    at: int
    done: bool
    since: int = -1


CommandBody: TypeAlias = (
    Welcome | Pause | Resume | Stop | Parameters | TakeCheckpoint | Acked | Filled | TimerFired | Replayed
)


class CellCommand(Struct, array_like=True, frozen=True):
    """Topic ``to|ID|``. A warden ignores a live command that is not for its own generation.

    ``seq`` numbers the commands of one deployment that are on the tape, from 1: Pause, Resume, Parameters,
    Acked, Filled, TimerFired. The others (0) are of the moment and never come again.
    """

    generation: int
    body: CommandBody
    seq: int = 0


# ---- one cell -> engine ---------------------------------------------------------------------------
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

    ``gaps`` are messages that never came and are on no tape; ``replayed`` those that came from it.
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


class Beat(Struct, array_like=True, frozen=True, tag=4):
    """Once a second while the strategy answers: proof of life of its main loop, with its counters."""

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


CellReport: TypeAlias = Hello | Signals | Checkpoint | Beat | Bye | Running | Schedule | Missed

encode = msgspec.msgpack.Encoder().encode

DECODE_ERRORS = (ValueError, RecursionError)
"""What msgspec raises on bytes from outside: DecodeError and UnicodeDecodeError are ValueErrors, and a
nesting too deep to skip over is a RecursionError."""
