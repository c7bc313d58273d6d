"""From the engine to one cell: topic ``to|ID|`` of the market socket."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from bus.messages.market import Candle
from bus.messages.trading import Fill, OrderUpdate, Position, SignalAck


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
    """Save state now. With a ``request`` a ``CellAnswer`` follows the checkpoint, or comes without one."""

    request: int = 0


class Acked(Struct, array_like=True, frozen=True, tag=7):
    """The verdict on one of the cell's signals; ``seq`` is that of its record in the journal, 0 not said."""

    ack: SignalAck
    seq: int = 0


class Filled(Struct, array_like=True, frozen=True, tag=8):
    """An execution for this deployment, and its position after it; ``seq`` as in ``Acked``.

    ``left`` is the signed quantity of the order that goes on waiting; ``filled`` what of it has traded so
    far, and ``status`` how it stands for that: one that is cut short ends with an ``OrderChanged`` behind it.
    """

    fill: Fill
    position: Position
    seq: int = 0
    left: float = 0.0
    filled: float = 0.0
    status: Literal["filled", "partially_filled"] = "filled"

    @property
    def order(self) -> OrderUpdate:
        """The same as a change of its order. Tapes of before have no ``filled``: there it is this fill."""
        fill = self.fill
        return OrderUpdate(
            order_id=fill.order_id,
            signal_id=fill.signal_id,
            symbol=fill.symbol,
            status=self.status,
            filled=self.filled or fill.quantity,
            at=fill.at,
        )


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


class OrderChanged(Struct, array_like=True, frozen=True, tag=11):
    """An order of this deployment is placed, or has ended other than by a fill; ``seq`` as in ``Acked``."""

    order: OrderUpdate
    seq: int = 0


class Commanded(Struct, array_like=True, frozen=True, tag=12):
    """An operator's command to the strategy (``on_command``), at its place in the order of all it is told.

    ``payload`` is JSON. ``request`` is the number of the question: ``CellAnswer`` follows, after a restart
    that tells the command again once more.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    payload: Annotated[bytes, Meta(max_length=16 * 2**10)]
    request: int


class Inspect(Struct, array_like=True, frozen=True, tag=13):
    """Ask what a screen should show of the strategy (``inspect``); ``CellAnswer`` follows.

    Of the moment: no part of what it is told, so never told again.
    """

    request: int


CommandBody: TypeAlias = (
    Welcome
    | Pause
    | Resume
    | Stop
    | Parameters
    | TakeCheckpoint
    | Acked
    | Filled
    | TimerFired
    | Replayed
    | OrderChanged
    | Commanded
    | Inspect
)


class CellCommand(Struct, array_like=True, frozen=True):
    """Topic ``to|ID|``. A warden ignores a live command that is not for its own generation.

    ``seq`` numbers the commands of one deployment that are on the tape, from 1: Pause, Resume, Parameters,
    Acked, Filled, OrderChanged, TimerFired, Commanded. The others (0) are of the moment and never come again.
    """

    generation: int
    body: CommandBody
    seq: int = 0
