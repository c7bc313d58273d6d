"""What the world outside reads of a signal: plain maps with names, made from what was journalled."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from bus.messages import AcceptedSignal, Signal, SignalAck
from strategies.trading.records import Judged, Withheld

_DEFAULTS: Final = tuple(
    (field.name, field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory())
    for field in msgspec.structs.fields(Signal)
)

ROW: Final = (
    "seq", "signal_id", "idempotency_key", "deployment_id", "generation", "strategy", "version", "account_id",
    "mode", "symbol", "intent", "quantity", "verdict", "rule", "detail", "reason", "timeframe", "data_as_of",
    "emitted_at", "decided_at", "count", "expires_at", "by", "remark",
)  # fmt: skip
"""The fields of one line of ``signals --json``."""


def signal_ack(judged: Judged) -> SignalAck:
    """Return the verdict as the cell is told it.

    The second one on a signal, after ``pending``, is known by its id alone: an instance that began anew may
    have given the number to another one.
    """
    number = 0 if judged.pending else judged.signal.number
    return SignalAck(
        judged.key, judged.decision, judged.rule, judged.detail, judged.signal_id, number, judged.at
    )


def signal_map(signal: Signal) -> dict[str, Any]:
    """Return the fields of ``signal`` that are not their default, by name; nested ones as maps too.

    On the wire inside stratd a signal is an array; consumers outside get names, so that a new field does
    not move the others.
    """
    return {
        name: msgspec.structs.asdict(value) if isinstance(value, Struct) else value
        for name, default in _DEFAULTS
        if (value := getattr(signal, name)) != default
    }


def accepted_signal(judged: Judged) -> AcceptedSignal:
    """Return what goes out on ``signals.out`` for an accepted (or modified) signal."""
    signal = judged.signal
    return AcceptedSignal(
        seq=judged.seq,
        signal_id=judged.signal_id,
        idempotency_key=judged.key,
        deployment_id=judged.deployment_id,
        strategy=judged.strategy,
        version=judged.version,
        code_hash=judged.code_hash,
        account_id=judged.account_id,
        mode=judged.trading_mode,
        symbol=signal.symbol,
        intent=signal.intent,
        quantity=judged.quantity,
        decided_at=judged.at,
        data_as_of=signal.data_as_of,
        signal=signal_map(signal),
    )


def signal_row(judged: Judged) -> dict[str, Any]:
    """Return one line of ``signals --json`` (cli.md), times in ns.

    ``quantity`` is signed where an order was sized, else what was asked; ``emitted_at`` is the event time
    at which the strategy returned the signal.
    """
    signal = judged.signal
    return {
        "seq": judged.seq,
        "signal_id": judged.signal_id,
        "idempotency_key": judged.key,
        "deployment_id": judged.deployment_id,
        "generation": judged.generation,
        "strategy": judged.strategy,
        "version": judged.version,
        "account_id": judged.account_id,
        "mode": judged.trading_mode,
        "symbol": signal.symbol,
        "intent": signal.intent,
        "quantity": signal.quantity if judged.quantity is None else judged.quantity,
        "verdict": judged.decision,
        "rule": judged.rule,
        "detail": judged.detail,
        "reason": signal.reason if isinstance(signal.reason, str) else signal.reason.code,
        "timeframe": signal.timeframe,
        "data_as_of": signal.data_as_of,
        "emitted_at": signal.generated_at,
        "decided_at": judged.at,
        "count": 1,
        "expires_at": judged.until or None,
        "by": judged.by or None,
        "remark": judged.remark or None,
    }


def withheld_row(withheld: Withheld) -> dict[str, Any]:
    """Return the line that stands for ``count`` refusals of a flood: the same fields, none of a signal."""
    row: dict[str, Any] = dict.fromkeys(ROW)
    row.update(
        seq=withheld.seq,
        deployment_id=withheld.deployment_id,
        account_id=withheld.account_id or None,
        generation=withheld.generation,
        verdict=withheld.decision,
        rule=withheld.rule,
        detail=f"{withheld.count} more, too many to list one by one",
        decided_at=withheld.at,
        count=withheld.count,
    )
    return row
