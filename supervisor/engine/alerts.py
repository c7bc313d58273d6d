"""Signals from outside, in the engine: through the gate and the books like those of the cell they are for.

Rules of this file. An alert is a signal of the living instance: its sequence number, key, verdict and order
are made by the same code in the same commit, and whoever sent it is answered after that. It is of the moment
in which it came, by the clock of its feed: where that stands still, what comes is old.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bus.messages import Signal
from strategies.trading.records import Judged
from strategies.trading.turn import Outcome
from supervisor.trading_control import AlertTaken, TakeAlert

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

CAUSE = "alert"
"""The ``timeframe`` of what no event of the market caused here."""


class Alerts:
    """Between the supervisor and the gate."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, order: TakeAlert) -> None:
        """Judge one alert."""
        engine, name = self._engine, order.deployment_id
        member = engine.roster.current(name)
        if member is None or not member.running:
            problem = f"{name} does not run, or is not warm yet: the alert was not taken"
            engine.channel.tell(AlertTaken(order.request, problem=problem))
            return
        signal, now = self._stamped(order.signal)
        outcome = engine.core.on_signals(name, member.generation, [signal], now)
        engine.take(outcome)
        taken = _verdict(order.request, outcome)

        def answer() -> None:
            engine.journal.post()  # whoever is told its id may look it up
            engine.channel.tell(taken)

        engine.after_commit(answer)

    def _stamped(self, signal: Signal) -> tuple[Signal, int]:
        """Return the signal tied to this moment, and the time to judge it at."""
        engine = self._engine
        monotonic, wall = time.monotonic_ns(), time.time_ns()
        stream = engine.market.streams.get(signal.symbol)
        at = now = wall
        if stream is not None and stream.clock.watermark:
            at = stream.clock.now(monotonic)
            now = stream.clock.judged_at(at, monotonic, wall)
        price = signal.reference_price or engine.core.world.prices.price(signal.symbol)
        stamped = replace(
            signal, timeframe=CAUSE, data_as_of=at, generated_at=at, reference_price=price, number=0
        )
        return stamped, now


def _verdict(request: int, outcome: Outcome) -> AlertTaken:
    """Return the verdict on the one signal of ``outcome``: the last, behind those that it took back."""
    judged = [one for one in outcome.records if type(one) is Judged and one.signal.timeframe == CAUSE]
    last = next((one for one in reversed(judged) if not one.pending), None)
    if last is None:  # of a flood, which is summed up and not listed
        return AlertTaken(request, decision="rejected", rule="rate", detail="refused with many others")
    return AlertTaken(
        request, signal_id=last.signal_id, decision=last.decision, rule=last.rule, detail=last.detail
    )
