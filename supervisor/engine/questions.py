"""Questions of operators to one strategy, in the engine: a command, ``inspect``, a checkpoint on demand.

Rules of this file. A command is published as a timer is: behind what came before it, numbered, on the tape.
So an instance that begins from a checkpoint of before it is told it again, in its place. ``inspect`` and a
checkpoint are of the moment. Each question is answered once: the first answer under its number goes to the
supervisor, and any other, of a replay or of nobody's asking, changes nothing. Who is not warm yet, as we see
it, is asked when it is: its warden tells the supervisor so at once, and us in the order of its pipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from bus.messages import CellAnswer, CommandBody, Commanded, Inspect, TakeCheckpoint
from supervisor.cell_control import CellAnswered, CommandCell, InspectCell, SaveCell
from supervisor.engine.roster import Member

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

MOST = 1_000
"""Questions without an answer that are known, the oldest forgotten: nobody waits as long."""
ENDED = "it ended before it answered"


Order: TypeAlias = CommandCell | InspectCell | SaveCell


class _Asked(Struct, frozen=True):
    """Who was asked; ``again``: its next instance may be told, and so answer, in its place."""

    deployment_id: str
    generation: int
    again: bool


class Questions:
    """Between the supervisor and the cells."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: dict[int, _Asked] = {}
        self._early: dict[int, tuple[Order, CommandBody]] = {}
        """What is to be asked of instances that do not run yet, by number."""

    # ---- down -------------------------------------------------------------------------------------
    def command(self, order: CommandCell) -> None:
        """Publish a command."""
        self._ask(order, Commanded(order.name, order.payload, order.request))

    def inspect(self, order: InspectCell) -> None:
        """Ask what a screen should show."""
        self._ask(order, Inspect(order.request))

    def save(self, order: SaveCell) -> None:
        """Ask for a checkpoint."""
        self._ask(order, TakeCheckpoint(order.request))

    def _ask(self, order: Order, body: CommandBody) -> None:
        engine = self._engine
        member = engine.roster.find(order.deployment_id, order.generation)
        if member is None or (not member.running and len(self._early) >= MOST):
            why = f"{order.deployment_id} does not run now: it was not asked"
            engine.channel.tell(CellAnswered(order.request, "not_now", why=why))
            return
        if not member.running:
            self._early[order.request] = order, body
            return
        again = isinstance(order, CommandCell)
        self._asked[order.request] = _Asked(order.deployment_id, order.generation, again)
        while len(self._asked) > MOST:
            del self._asked[next(iter(self._asked))]
        engine.market.flush()
        engine.command(order.deployment_id, order.generation, body)

    def running(self, member: Member) -> None:
        """Ask what an instance is to be asked since before it was warm."""
        for order, body in self._take_early(member.deployment_id, member.generation):
            self._ask(order, body)

    def _take_early(self, deployment_id: str, generation: int) -> list[tuple[Order, CommandBody]]:
        found = [
            number
            for number, (order, _) in self._early.items()
            if (order.deployment_id, order.generation) == (deployment_id, generation)
        ]
        return [self._early.pop(number) for number in found]

    # ---- up ---------------------------------------------------------------------------------------
    def answered(self, member: Member, report: CellAnswer) -> None:
        """Pass an answer on, once what came before it is in the journal."""
        asked = self._asked.get(report.request)
        if asked is None or asked.deployment_id != member.deployment_id:
            return  # of a replay, or of nobody's asking
        del self._asked[report.request]
        engine = self._engine

        def answer() -> None:
            said = CellAnswered(report.request, report.outcome, report.data, report.why)
            if not asked.again and report.outcome == "done" and not report.data:
                said = self._saved(member, report.request)
            engine.channel.tell(said)

        engine.after_commit(answer)

    def _saved(self, member: Member, request: int) -> CellAnswered:
        """Answer with the checkpoint that came right before: kept, or too large."""
        if member.objection:
            return CellAnswered(request, "failed", why=f"its checkpoint is not kept: {member.objection}")
        engine = self._engine
        engine.journal.post()  # whoever is told may read it
        saved = engine.journal.newest(member.deployment_id).saved
        if saved is None:
            return CellAnswered(request, "failed", why="its checkpoint cannot be read again")
        return CellAnswered(request, "done", seq=saved.seq)

    def gone(self, deployment_id: str, generation: int) -> None:
        """Answer what nobody will answer any more: an instance is gone."""
        for order, _ in self._take_early(deployment_id, generation):
            self._engine.channel.tell(CellAnswered(order.request, "not_now", why=ENDED))
        for request, asked in list(self._asked.items()):
            if (asked.deployment_id, asked.generation) == (deployment_id, generation) and not asked.again:
                del self._asked[request]
                self._engine.channel.tell(CellAnswered(request, "not_now", why=ENDED))
