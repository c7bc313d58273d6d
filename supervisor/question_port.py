"""What the API asks of a strategy that runs, answered for one daemon."""

from __future__ import annotations

import time
from typing import Any

from supervisor import views
from supervisor.daemon import Daemon
from supervisor.errors import Failed
from supervisor.schema import CheckpointView
from supervisor.schema.questions import CommandResult, InspectView
from supervisor.selection import find


class Questioning:
    """``supervisor.api.routes.questions.QuestionPort``; a part of ``Port``."""

    _daemon: Daemon

    async def command(
        self, deployment_id: str, name: str, payload: Any, *, patience: float, by: str
    ) -> CommandResult:
        """Have a strategy do a command; return what it answered."""
        actor = find(self._daemon.actors, deployment_id)
        answer = await self._daemon.questions.command(actor, name, payload, patience=patience, by=by)
        return CommandResult(deployment_id=actor.id, name=name, answer=answer)

    async def inspect(self, deployment_id: str, *, patience: float) -> InspectView:
        """Return what a strategy shows of itself."""
        actor = find(self._daemon.actors, deployment_id)
        shown = await self._daemon.questions.inspect(actor, patience=patience)
        return InspectView(deployment_id=actor.id, at=time.time_ns(), shown=shown)

    async def save_state(self, deployment_id: str, *, patience: float) -> CheckpointView:
        """Have a checkpoint taken; return it once it is in the journal."""
        actor = find(self._daemon.actors, deployment_id)
        seq = await self._daemon.questions.save(actor, patience=patience)
        kept = views.checkpoints(await self._daemon.checkpoints.kept(actor), time.time_ns())
        for one in kept:
            if one.seq == seq:
                return one
        raise Failed(f"checkpoint {seq} of {actor.id} was taken, and five newer ones are kept by now")
