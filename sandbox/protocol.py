"""What warden and strategy say to each other, and what each may say when. Pure: no IO, no clock.

(But for the numbers of turns, which are the kernel's random ones: see ``Turn``.)

One AF_UNIX SOCK_SEQPACKET pair, one message a datagram, stop-and-wait: the warden sends a turn (a batch
of events), the strategy answers with words and ends with ``Done``. The warden trusts none of it: every
datagram is bounded, typed, and allowed in its phase, or the cell is ended with cause ``protocol``.
Nothing is unpickled, and no name in a word says who sent it: identity is the descriptor.

::

    phase      warden sends       strategy may say                                      ends with
    loading    Setup              Progress Updates GaveUp OutOfMemory AskTime           Initialised | Refused
    idle       Turn | Part        nothing                                               Turn
    busy       nothing            the same, Said, StatePart and Answer                  Done
    over       nothing            nothing                                               exit

``AskTime`` alone is answered at once, by ``TimeAnswer``; the strategy says nothing before it has read that.

The hang clock: a turn begins on the shortest budget, that of ``on_tick``. Before every callback with
another name than the last one named, and before any callback once 50 ms have gone by, the strategy says
``Progress``; only that restarts the clock, so a callback that logs for ever is still a hang.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from bus.messages import DECODE_ERRORS, Schedule, Signal
from sandbox.spec import Budget, Budgets, CellSpec
from strategies.outputs import LONGEST_REQUEST, Fault, LogLine, Recorded

DATAGRAM = 64 * 1024
"""Largest datagram in bytes, both ways, but for ``Setup``."""
SETUP_DATAGRAM = 192 * 1024
"""Largest ``Setup``: it holds what a ``CellSpec`` may hold (``spec.CONTROL_DATAGRAM``)."""
PIECE = 60 * 1024
"""Bytes of payload in one ``Part`` or ``StatePart``: a datagram without its envelope."""
TURN_CALL = "on_tick"
"""What a turn is taken to run until the strategy names another callback: the shortest budget."""
SIGNALS = 1000
"""Signals in one word, as in ``bus.messages.Signals``."""
DRAWN = 64
"""Numbers of turns that are drawn together."""
PROGRESS_AFTER = 0.05
"""Seconds without a word after which a strategy names its next callback."""
SAY_EARLY_AFTER = 0.001
"""Seconds that a turn may run before signals leave without waiting for its end."""

# A name is shown to operators, so it is one: no escape sequence, no line of its own.
Name: TypeAlias = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z")]
Nanos: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]
Calls: TypeAlias = Annotated[int, Meta(ge=0, le=2**31)]
Text: TypeAlias = Annotated[str, Meta(max_length=4096)]


# ---- warden -> strategy ---------------------------------------------------------------------------
class Setup(Struct, array_like=True, frozen=True, tag=1):
    """A cell's specification without what only the warden may know: the token and the endpoints."""

    deployment_id: str
    code_path: str
    account_id: str
    trading_mode: Literal["paper", "live", "backtest"]
    symbols: list[str]
    timeframes: list[str]
    parameters: dict[str, Any]
    risk: dict[str, Any]
    seed: int
    budgets: Budgets
    checkpoint_bytes: int
    updatable: list[str] = []


def setup_of(spec: CellSpec) -> Setup:
    """Return what the strategy process may know of its cell."""
    return Setup(
        deployment_id=spec.deployment_id,
        code_path=spec.code_path,
        account_id=spec.account_id,
        trading_mode=spec.trading_mode,
        symbols=spec.symbols,
        timeframes=spec.timeframes,
        parameters=spec.parameters,
        risk=spec.risk,
        seed=spec.seed,
        budgets=spec.budgets,
        checkpoint_bytes=spec.limits.checkpoint_bytes,
        updatable=spec.updatable,
    )


class Part(Struct, array_like=True, frozen=True, tag=2):
    """A piece of a payload too large for one datagram. The pieces before a turn are its first payload."""

    data: bytes


class Turn(Struct, array_like=True, frozen=True, tag=3):
    """Events in order, (topic, payload) as the engine published them.

    ``number`` cannot be guessed and comes back with ``Done``: an answer that was written before the turn
    was read is none. Otherwise a strategy could answer ahead, and hang without its warden knowing.
    """

    number: int
    events: list[tuple[bytes, bytes]]


class TimeAnswer(Struct, array_like=True, frozen=True, tag=4):
    """The answer to ``AskTime``: all of it, or nothing."""

    granted: bool


Order: TypeAlias = Setup | Part | Turn | TimeAnswer


# ---- strategy -> warden ---------------------------------------------------------------------------
class Initialised(Struct, array_like=True, frozen=True, tag=1):
    """Loaded, constructed, ``initialize`` returned."""


class Refused(Struct, array_like=True, frozen=True, tag=2):
    """The code could not be loaded, or ``initialize`` did not take its configuration. Exit follows."""

    what: Literal["load", "config"]
    reason: Text


class Progress(Struct, array_like=True, frozen=True, tag=3):
    """This callback is about to run."""

    call: Name


class Said(Struct, array_like=True, frozen=True, tag=4):
    """Signals, in the order in which callbacks returned them."""

    signals: Annotated[list[Signal], Meta(max_length=SIGNALS)]


class Updates(Struct, array_like=True, frozen=True, tag=5):
    """Log lines, faults, records and timers, in order."""

    updates: Annotated[list[LogLine | Fault | Recorded | Schedule], Meta(max_length=1000)]


class StatePart(Struct, array_like=True, frozen=True, tag=6):
    """A piece of the packed state, ``more`` to come; ``version`` is the class' ``state_version``."""

    data: Annotated[bytes, Meta(max_length=PIECE)]
    version: Annotated[int, Meta(ge=0, le=2**31)]
    more: bool


class Done(Struct, array_like=True, frozen=True, tag=7):
    """The turn is over. ``slow`` are calls past their soft budget, (name, ns), the first 16 of them."""

    turn: int
    signals: Annotated[list[Signal], Meta(max_length=SIGNALS)] = []
    slow: Annotated[list[tuple[Name, Nanos]], Meta(max_length=16)] = []
    slow_calls: Calls = 0
    longest_ns: Nanos = 0
    final: bool = False


class GaveUp(Struct, array_like=True, frozen=True, tag=8):
    """Too many exceptions (budgets ``errors_in_a_row``, ``errors_per_minute``). Exit follows.

    ``what`` is ``state`` where it could not take back its checkpoint.
    """

    reason: Text
    what: Literal["errors", "state"] = "errors"


class OutOfMemory(Struct, array_like=True, frozen=True, tag=9):
    """A callback died of ``MemoryError``: the memory limit holds. Exit follows."""

    call: Name


class AskTime(Struct, array_like=True, frozen=True, tag=10):
    """``ctx.request_time``: so many seconds beyond the budget for the callback that runs."""

    seconds: Annotated[float, Meta(ge=1, le=LONGEST_REQUEST)]


class Answer(Struct, array_like=True, frozen=True, tag=11):
    """What the strategy answered to the command or the ``inspect`` that this turn ends with: once a turn.

    JSON, or ``why`` there is none. It names no request: which one it answers, the warden knows.
    """

    data: Annotated[bytes, Meta(max_length=16 * 2**10)] = b""
    why: Annotated[str, Meta(max_length=1024)] = ""


Word: TypeAlias = (
    Initialised
    | Refused
    | Progress
    | Said
    | Updates
    | StatePart
    | Done
    | GaveUp
    | OutOfMemory
    | AskTime
    | Answer
)

encode = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(Order).decode
_decode_word = msgspec.msgpack.Decoder(Word).decode


def decode_order(datagram: bytes | memoryview) -> Order:
    """Decode what a warden sent."""
    order: Order = _decode_order(datagram)
    return order


# ---- who may speak when ---------------------------------------------------------------------------
class Phase(StrEnum):
    """Where the conversation stands, as the warden sees it."""

    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    OVER = "over"


ALLOWED: dict[Phase, dict[type[Word], Phase]] = {
    Phase.LOADING: {
        Progress: Phase.LOADING,
        AskTime: Phase.LOADING,
        Updates: Phase.LOADING,
        GaveUp: Phase.OVER,
        OutOfMemory: Phase.OVER,
        Initialised: Phase.IDLE,
        Refused: Phase.OVER,
    },
    Phase.IDLE: {},
    Phase.BUSY: {
        Progress: Phase.BUSY,
        AskTime: Phase.BUSY,
        Updates: Phase.BUSY,
        Said: Phase.BUSY,
        StatePart: Phase.BUSY,
        Answer: Phase.BUSY,
        GaveUp: Phase.OVER,
        OutOfMemory: Phase.OVER,
        Done: Phase.IDLE,
    },
    Phase.OVER: {},
}
"""(phase, word) -> next phase; what is not here is a violation. The table of the docstring, as data."""


class Violation(Exception):
    """The strategy process said what it may not: the cell is ended with cause ``protocol``."""


class Conversation:
    """The warden's side: checks each datagram against the table, numbers turns, collects the state."""

    def __init__(self, checkpoint_bytes: int) -> None:
        self.phase = Phase.LOADING
        self.turn = 0
        self._numbers = _draw()
        self.upcoming = next(self._numbers)
        """Number of the next turn."""
        self._state: list[bytes] = []
        self._state_bytes = 0
        self._checkpoint_bytes = checkpoint_bytes

    def begin(self, events: list[tuple[bytes, bytes]]) -> list[bytes]:
        """Return the datagrams of the next turn. A first payload over ``PIECE`` goes ahead in parts."""
        if self.phase is not Phase.IDLE:
            raise RuntimeError(f"a turn cannot begin while {self.phase}")
        self.phase = Phase.BUSY
        self.turn, self.upcoming = self.upcoming, next(self._numbers)
        topic, payload = events[0]
        if len(payload) <= PIECE:
            return [encode(Turn(self.turn, events))]
        parts = [encode(Part(payload[at : at + PIECE])) for at in range(0, len(payload), PIECE)]
        return [*parts, encode(Turn(self.turn, [(topic, b""), *events[1:]]))]

    def hear(self, datagram: bytes | memoryview) -> Word:
        """Decode one datagram of the strategy; ``Violation`` says what was wrong with it."""
        try:
            word: Word = _decode_word(datagram)
        except DECODE_ERRORS as error:
            raise Violation(f"a datagram of {len(datagram)} bytes does not decode: {error}") from None
        kind = type(word)
        try:
            self.phase = ALLOWED[self.phase][kind]
        except KeyError:
            raise Violation(f"{kind.__name__} is out of turn: the strategy is {self.phase}") from None
        if kind is Done:
            self._check_done(word)  # type: ignore[arg-type] # it is one
        return word

    def _check_done(self, done: Done) -> None:
        if done.turn != self.turn:
            raise Violation("Done is of another turn than the one that runs")
        if self._state:
            raise Violation(
                f"Done in the middle of a state: {self._state_bytes} bytes came, more was to come"
            )

    def collect(self, part: StatePart) -> bytes | None:
        """Add a piece of the state; return the whole once it is complete."""
        if part.more and not part.data:
            raise Violation("an empty piece of a state, and more to come")  # a list without end
        self._state.append(part.data)
        self._state_bytes += len(part.data)
        if self._state_bytes > self._checkpoint_bytes:
            raise Violation(f"a state of over {self._checkpoint_bytes} bytes")
        if part.more:
            return None
        whole = b"".join(self._state)
        self._state, self._state_bytes = [], 0
        return whole


def _draw() -> Iterator[int]:
    """Yield numbers of 56 bits that nobody can guess. Many at once: each asking is a call of the system."""
    while True:
        yield from (number >> 8 for number in array("Q", os.urandom(8 * DRAWN)))


# ---- how long a callback may take -----------------------------------------------------------------
def budget_of(budgets: Budgets, call: str) -> Budget:
    """Return the budget of a callback by its name; one not named here may take as long as a candle."""
    return getattr(budgets, _BUDGETS.get(call, "candle"))  # type: ignore[no-any-return]


_BUDGETS = {
    "on_tick": "tick",
    "on_candle_complete": "candle",
    "load": "initialize",
    "initialize": "initialize",
    "load_state": "initialize",
    "on_start": "initialize",
    "save_state": "save_state",
    "on_stop": "cleanup",
    "cleanup": "cleanup",
}
