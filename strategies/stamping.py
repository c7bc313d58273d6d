"""From what a callback returned to signals that may leave the process: checked, and tied to their cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from bus.messages import Signal, Tick
from strategies.errors import BadResult
from strategies.nearest import suggestion

MAX_SIGNALS: Final = 1_000
"""Signals that one callback may return; the wire's ``Signals`` holds no more."""

MAX_BYTES: Final = 8_192
"""Size of one signal, encoded: 4 KiB of evidence (signals.md) and the rest."""


class Cause(Struct, frozen=True):
    """The event that a callback answered: part of the idempotency key, so no clock and no run id.

    ``timeframe`` is the candle's or ``tick``, ``timer``, ``feed``, ``fill``, ``order``, ``session``,
    ``bound``, ``stop``; ``key`` the candle's close time, what ``tick_key`` gives, else the event's time.
    """

    timeframe: str
    key: int
    as_of: int


def check(callback: str, result: object, owner: str, symbols: Sequence[str]) -> list[Signal]:
    """Return the signals in ``result``; ``BadResult`` names the class, the callback and what it returned."""
    if result is None:
        return []
    if isinstance(result, Signal):
        found: Sequence[Any] = (result,)
    elif isinstance(result, Sequence) and not isinstance(result, str | bytes):
        found = result
    else:
        raise BadResult(f"{owner}.{callback} returned {_what(result)}: a Signal, a sequence of them or None")
    if len(found) > MAX_SIGNALS:
        raise BadResult(f"{owner}.{callback} returned {len(found)} signals, at most {MAX_SIGNALS}")
    for signal in found:
        if not isinstance(signal, Signal):
            raise BadResult(
                f"{owner}.{callback} returned a sequence with {_what(signal)} in it, not a Signal"
            )
        if signal.symbol not in symbols:
            near = suggestion(str(signal.symbol), symbols)
            raise BadResult(f"{owner}.{callback}: symbol {signal.symbol!r} is not this deployment's{near}")
    return list(found)


def stamp(signal: Signal, cause: Cause, *, now: int, price: float | None, number: int, where: str) -> Signal:
    """Return ``signal`` tied to ``cause`` and checked against every constraint of its type.

    A Struct is not checked when it is made, only when it is decoded; so it is encoded and decoded here,
    where the mistake can still be told to its author by name.
    """
    stamped = msgspec.structs.replace(
        signal,
        timeframe=cause.timeframe,
        data_key=cause.key,
        data_as_of=cause.as_of,
        generated_at=now,
        reference_price=price,
        number=number,
    )
    if signal.indicators:
        finite = {k: v if v is None or np.isfinite(v) else None for k, v in signal.indicators.items()}
        stamped = msgspec.structs.replace(stamped, indicators=finite)
    try:
        encoded = _ENCODER.encode(stamped)
        if len(encoded) > MAX_BYTES:
            raise BadResult(f"{where}: a signal of {len(encoded):,} bytes, at most {MAX_BYTES:,}: fewer tags")
        return _DECODER.decode(encoded)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
        raise BadResult(f"{where}: {_named(str(error), signal)}") from None


def is_exit(signal: Signal) -> bool:
    """Whether a signal can only take risk away: what an exit-only pause lets through."""
    return signal.intent in {"exit_long", "exit_short", "exit_all", "cancel"} or signal.reduce_only


def _what(value: object) -> str:
    kind = type(value).__name__
    text = repr(value) if isinstance(value, bool | int | float | str) else ""
    return f"{kind} {text[:60]}".strip()


def _named(message: str, signal: Signal) -> str:
    """Turn the array index of a decoding error into the field's name and its value."""
    head, _, path = message.partition(" - at `$[")
    index = path.split("]", 1)[0]
    if not index.isdigit() or int(index) >= len(Signal.__struct_fields__):
        return message
    name = Signal.__struct_fields__[int(index)]
    return f"{name}={getattr(signal, name)!r}: {head}"[:500]


def _from_numpy(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()  # closes.max() is a numpy scalar; authors should not have to care
    raise TypeError(f"a {type(value).__name__} is no value of a signal")


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_from_numpy)
_DECODER: Final = msgspec.msgpack.Decoder(Signal)


def tick_key(tick: Tick) -> int:
    """Return the data key of a tick: its event time, in which ``seq`` tells apart ticks of one instant.

    Not ``seq`` alone: a publisher that restarts counts from 1 again, and its ticks would look like those
    of before. The microsecond of the event and ``seq`` modulo 1,000 together: a publisher that stamps in
    milliseconds may send 1,000 ticks in each and every key is its own.
    """
    return tick.ts if tick.seq is None else tick.ts // 1000 * 1000 + tick.seq % 1000
