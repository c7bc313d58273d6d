"""Signals that wait for a person, in the engine: what an operator says of them, and when their time is over.

Rules of this file. An answer is a record of the journal first, like a verdict; whoever gave it is answered
after the commit. One that comes twice, or too late, changes nothing: what became of the signal is in the
journal.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from strategies.trading.records import Judged
from supervisor.trading_control import AnswerSignal, SignalAnswered

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine


class Approvals:
    """Between operators and the core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: dict[str, int] = {}
        """When those that wait were looked at first, by id: monotonic ns."""

    def answer(self, order: AnswerSignal) -> None:
        """Approve or deny one signal."""
        engine = self._engine
        pending = engine.core.world.state.pending.find(order.signal_id)
        changed, problem = False, ""
        if pending is not None:
            # While no feed brings its symbol nobody knows it to be of a recording: then it is of now.
            now = max(self._age(pending), self._judged_at(pending) or time.time_ns())
            engine.take(
                engine.core.answer(
                    order.signal_id, approve=order.approve, by=order.by, remark=order.remark, now=now
                )
            )
            changed = engine.core.world.state.pending.find(order.signal_id) is None
            problem = "" if changed else f"{pending.deployment_id} does not run, or is not warm yet"

        def answer() -> None:
            engine.journal.post()  # whoever is told may read it
            engine.channel.tell(SignalAnswered(order.request, changed=changed, problem=problem))

        engine.after_commit(answer)

    def look(self) -> None:
        """Let those lapse whose time is over: once a second."""
        core = self._engine.core
        waiting = core.world.state.pending.everything()
        for pending in waiting:
            now = max(self._age(pending), self._judged_at(pending))
            if now >= pending.until:
                signal_id = pending.signal_id
                self._engine.take(core.answer(signal_id, approve=False, by="", remark="", now=now))
        self._since = {one.signal_id: self._since[one.signal_id] for one in waiting}

    def _age(self, pending: Judged) -> int:
        """Return the time by what has passed since it came, or since this engine knows of it.

        What a feed remembers of a recording (bus/clock.py) is shorter than a signal may wait.
        """
        monotonic = time.monotonic_ns()
        return pending.at + monotonic - self._since.setdefault(pending.signal_id, monotonic)

    def _judged_at(self, pending: Judged) -> int:
        """Return the time by its feed, as when it came; 0 while none brings its symbol."""
        stream = self._engine.market.streams.get(pending.signal.symbol)
        if stream is None or not stream.clock.watermark:
            return 0
        return stream.clock.judged_at(pending.signal.data_as_of, time.monotonic_ns(), time.time_ns())
