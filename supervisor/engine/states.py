"""The saved states of deployments, in the engine: taken in, given out, refused, put back and dropped.

Rules of this file. What it decides becomes a record of the journal first, like a verdict; the event or the
answer follows the commit. Of a state nothing is read here but its size: what is in it is the strategy's.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bus.messages import Checkpoint
from strategies.trading.records import Saved
from supervisor.control import ClearState, RefuseState, RestoreState, StateAnswer
from supervisor.engine.roster import Member
from supervisor.engine.saving import objection
from supervisor.store.journal_checkpoints import DAMAGED

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

LOST = "no checkpoint of it is good any more: it starts without its state, from the warm-up alone"
LONGEST_WHY = 500
"""Characters that are kept of why one was refused."""


class States:
    """Between the journal and the cells."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, member: Member, checkpoint: Checkpoint) -> None:
        """Take a checkpoint in. What is too large is told of and not kept; the one before it stands."""
        engine, attach = self._engine, member.attach
        member.objection = why = objection(checkpoint, attach.checkpoint_bytes, len(attach.symbols))
        if why:
            owner, now = member.deployment_id, time.monotonic_ns()
            engine.refusals.note("checkpoint_refused", f"not kept: {why}", owner, member.generation, now)
            return
        engine.take(
            engine.core.on_checkpoint(member.deployment_id, member.generation, checkpoint, time.time_ns())
        )

    def newest(self, member: Member) -> Saved | None:
        """Return the checkpoint to start an instance from, None for none; those found damaged are told."""
        engine = self._engine
        engine.settle()  # what was refused or put back in this turn counts
        found = engine.journal.newest(member.deployment_id)
        if found.damaged:
            self._refuse(member.deployment_id, member.generation, found.damaged, DAMAGED, found.saved)
        member.loaded = found.saved.seq if found.saved else 0
        return found.saved

    def refuse(self, order: RefuseState) -> None:
        """Set aside the checkpoint with which an instance was welcomed: it did not load.

        Said twice, or of an instance that is gone or runs already, it changes nothing.
        """
        engine = self._engine
        member = engine.roster.find(order.deployment_id, order.generation)
        if member is None or member.running or member.refused or not member.loaded:
            return
        member.refused = True  # this one, and no other
        seq = member.loaded
        engine.settle()
        if engine.journal.good(order.deployment_id, seq) is None:
            return
        before = engine.journal.newest(order.deployment_id, below=seq).saved
        self._refuse(order.deployment_id, order.generation, [seq], order.why[:LONGEST_WHY], before)

    def _refuse(
        self, deployment_id: str, generation: int, bad: list[int], why: str, left: Saved | None
    ) -> None:
        """Set checkpoints aside. ``left`` is what is started from now, None for none."""
        engine = self._engine
        following = f"the next start takes {_named(left)}" if left else "no good one is left"
        told = []
        for seq in bad:
            engine.take(engine.core.refuse_checkpoint(deployment_id, seq, why, time.time_ns()))
            told.append(("state_quarantined", f"checkpoint {seq} is set aside ({why}); {following}"))
        if bad and left is None:
            told.append(("state_lost", LOST))

        def tell() -> None:
            for kind, detail in told:
                engine.event(kind, detail, deployment_id, generation)

        engine.after_commit(tell)

    def restore(self, order: RestoreState) -> None:
        """Make an older checkpoint the newest one, under a number of its own."""
        engine, owner = self._engine, order.deployment_id
        engine.settle()
        saved = engine.journal.good(owner, order.seq)
        if saved is None:
            problem = f"{owner} has no good checkpoint {order.seq}"
            engine.channel.tell(StateAnswer(order.request, problem))
            return
        newest = engine.journal.newest(owner).saved
        if newest is not None and newest.seq == order.seq:
            engine.channel.tell(StateAnswer(order.request, changed=False))
            return
        engine.take(engine.core.restore_checkpoint(saved, saved.at))
        self._answer(order.request)

    def clear(self, order: ClearState) -> None:
        """Drop every checkpoint of a deployment."""
        engine = self._engine
        engine.take(engine.core.clear_checkpoints(order.deployment_id, time.time_ns()))
        self._answer(order.request)

    def _answer(self, request: int) -> None:
        """Answer once it is in the journal, and in the tables that the supervisor reads."""
        engine = self._engine

        def answer() -> None:
            engine.journal.post()
            engine.channel.tell(StateAnswer(request))

        engine.after_commit(answer)


def _named(saved: Saved) -> str:
    when = datetime.fromtimestamp(saved.at // 1_000_000_000, UTC).isoformat()
    return f"checkpoint {saved.seq} of {when}"
