"""Signals that wait for a person's approval: what waits, and an operator's word on one of them.

Rules of this file. The engine decides, in its journal: here it is asked, and the answer is what the journal
says afterwards. So a word that comes twice is answered as it was the first time, and one that comes too late
is refused with what became of the signal instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from strategies.trading.records import Judged
from supervisor.accounts import Parts
from supervisor.asking import Asking
from supervisor.errors import Failed, NotFound, Unavailable
from supervisor.life import State
from supervisor.store.journal_chain import Chain
from supervisor.trading_control import AnswerSignal, SignalAnswered


class Approvals:
    """Asks the engine, and the journal."""

    def __init__(self, daemon: Parts) -> None:
        self._signals = daemon.signals
        self._actors = daemon.actors
        self._asking: Asking[SignalAnswered] = Asking(daemon.engine)
        daemon.news.on_signal_answered = self._asking.on_answer
        daemon.news.on_engine_gone.append(self._asking.on_engine_death)

    async def pending(self, owners: Sequence[str] | None) -> list[Judged]:
        """Return what waits of ``owners`` (None: of all), the oldest first."""
        found = await self._signals.ask(lambda reader: reader.pending())
        return [one for one in found if owners is None or one.deployment_id in owners]

    async def answer(self, signal_id: str, *, approve: bool, by: str, remark: str) -> tuple[Chain, bool]:
        """Approve or reject one signal; return what followed, and whether that was this word's doing.

        Raises ``NotFound``, and ``Failed`` where something else became of it, or it never waited.
        """
        found, changed = await self._chain(signal_id), False
        if found.judged.decision == "pending":
            if approve:
                self._must_run(found.judged)
            answered = await self._asking.ask(
                lambda number: AnswerSignal(signal_id, approve, by, remark, number)
            )
            if answered.problem:
                raise Failed(f"signal {signal_id} goes on waiting: {answered.problem}")
            found, changed = await self._chain(signal_id), answered.changed
        if found.judged.decision == "pending":
            raise Unavailable(f"the engine does not know of signal {signal_id}; ask again in a moment")
        if not found.judged.pending:
            raise Failed(f"signal {signal_id} waited for nobody's approval: it was {_became(found.judged)}")
        if not found.judged.by or approve == (found.judged.rule == "approval_denied"):
            raise Failed(f"signal {signal_id} waits no longer: {_became(found.judged)}")
        return found, changed

    def _must_run(self, pending: Judged) -> None:
        """Refuse while no instance is there: the engine lets go of one some seconds after its death."""
        actor = self._actors.get(pending.deployment_id)
        if actor is None or actor.life.state not in (State.RUNNING, State.PAUSED):
            name = pending.deployment_id
            raise Failed(f"signal {pending.signal_id} goes on waiting: {name} does not run")

    async def _chain(self, signal_id: str) -> Chain:
        found = await self._signals.ask(lambda reader: reader.chain(signal_id))
        if found is None:
            raise NotFound("signal", signal_id, advice="old ones are no longer in the journal")
        return found


def _became(judged: Judged) -> str:
    if judged.decision in {"accepted", "modified"}:
        return f"{judged.decision}, approved by {judged.by}" if judged.by else judged.decision
    why = f" by {judged.rule}: {judged.detail}" if judged.rule else ""
    return f"{judged.decision}{why}"
