"""Alerts from outside: checked, made a signal of the deployment they are for, and handed to the engine.

Rules of this file. What an alert may say is in its schema, and whose it is in its token alone. The engine
decides, in its journal; what is answered here is durable. Nobody may make the engine read what is no signal.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from bus.messages import DECODE_ERRORS, Level, Signal, Trail
from supervisor.accounts import Parts
from supervisor.asking import Asking
from supervisor.errors import Failed, Invalid, NotFound
from supervisor.life import State
from supervisor.schema.webhooks import AlertRequest, AlertResult
from supervisor.trading_control import AlertTaken, TakeAlert

STRATEGY: Final = "external_signals"
"""The built-in strategy whose deployments take alerts: it asks for nothing itself, so they have one will."""
UP: Final = frozenset({State.RUNNING, State.PAUSED})
"""States of a deployment whose instance is there to look after what is traded."""
_NESTED: Final[dict[str, type]] = {"stop_loss": Level, "take_profit": Level, "trailing_stop": Trail}
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Signal).decode


class Alerts:
    """Asks the engine."""

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon
        self._asking: Asking[AlertTaken] = Asking(daemon.engine)
        daemon.news.on_alert_taken = self._asking.on_answer
        daemon.news.on_engine_gone.append(self._asking.on_engine_death)

    async def take(self, deployment_id: str, alert: AlertRequest) -> AlertResult:
        """Have an alert judged. ``Failed`` where it was not, and may be sent again."""
        actor = self._daemon.actors.get(deployment_id)
        if actor is None:
            raise NotFound("deployment", deployment_id)
        # The engine lets go of an instance some seconds after its death, for its last words: these are none.
        if actor.life.state not in UP:
            raise Failed(f"{deployment_id} does not run, it is {actor.life.state}: the alert was not taken")
        signal = signal_of(alert)
        taken = await self._asking.ask(lambda number: TakeAlert(deployment_id, signal, number))
        if taken.problem:
            raise Failed(taken.problem)
        return AlertResult(
            deployment_id=deployment_id,
            signal_id=taken.signal_id or None,
            verdict=taken.decision,
            rule=taken.rule,
            detail=taken.detail,
        )


def signal_of(alert: AlertRequest) -> Signal:
    """Return the signal that an alert asks for, checked as every signal is. Raises ``Invalid``. Pure.

    Its ``data_key``, and so its idempotency key, is made of the alert's id: 63 bits of SHA-256.
    """
    given: dict[str, Any] = alert.model_dump(exclude={"id"}, exclude_unset=True)
    for name, kind in _NESTED.items():
        if given.get(name) is not None:
            given[name] = kind(**given[name])
    digest = hashlib.sha256(alert.id.encode()).digest()
    signal = Signal(**given, timeframe="alert", data_key=int.from_bytes(digest[:8]) >> 1)
    try:
        return _decode(_encode(signal))
    except DECODE_ERRORS as error:
        raise Invalid([f"it is no signal: {error}"]) from None
