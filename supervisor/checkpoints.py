"""Saved states as operators see and change them: listed, handed out, put back, dropped.

Rules of this file. The journal is the engine's: here it is read, and changed by asking the engine. A state
changes hands only while its deployment rests, after the engine has every word of the last instance. What is
in a state is opened by nobody here: it was written by a stranger's code, and goes out as the bytes it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from supervisor.actor import Actor
from supervisor.asking import Asking, Engine
from supervisor.control import ClearState, Detach, EngineOrder, RestoreState, StateAnswer
from supervisor.errors import Failed, NotFound, Refused, near_matches
from supervisor.signal_tail import SignalTail
from supervisor.store.journal_checkpoints import Kept, Summary


class Checkpoints:
    """Every deployment's. ``known`` is what ``ps`` says of them, at most a second old."""

    def __init__(self, journal: SignalTail, engine: Engine) -> None:
        self._journal = journal
        self._asking: Asking[StateAnswer] = Asking(engine)
        self.on_answer = self._asking.on_answer
        self.on_engine_death = self._asking.on_engine_death
        self._seen = -1
        self._reading = False
        self.known: dict[str, Summary] = {}

    async def refresh(self, seq: int) -> None:
        """Look again, if the journal grew since: it stands at ``seq``."""
        if seq == self._seen or self._reading:
            return
        self._reading = True
        try:
            await self._read()
            self._seen = seq
        finally:
            self._reading = False

    async def _read(self) -> None:
        with contextlib.suppress(
            Failed
        ):  # the journal is being opened anew; what was known stands until then
            self.known = await self._journal.ask(lambda reader: reader.summaries())

    # ---- looking ----------------------------------------------------------------------------------
    async def kept(self, actor: Actor) -> list[Kept]:
        """Return what is kept of a deployment, the newest first, what was set aside too.

        Of one that was stopped a moment ago, what it left at its end is among them.
        """
        if not actor.holds_slot:
            await actor.parting.settled()
        return await self._journal.ask(lambda reader: reader.checkpoints(actor.id))

    async def state(self, actor: Actor, seq: int | None) -> bytes:
        """Return one state as it was packed, of the newest good checkpoint or of ``seq``."""
        kept = await self.kept(actor)
        if seq is None:
            seq = next((one.seq for one in kept if not one.refused), None)
            if seq is None:
                raise NotFound("good checkpoint of", actor.id)
        chosen = _find(kept, seq)
        saved = await self._journal.ask(lambda reader: reader.saved(actor.id, chosen.seq))
        if saved is None:
            raise Failed(f"checkpoint {seq} of {actor.id} is damaged: what was read is not what was written")
        return saved.checkpoint.state

    # ---- changing ---------------------------------------------------------------------------------
    async def restore(self, actor: Actor, seq: int) -> bool:
        """Make an older checkpoint the newest of a deployment that is stopped; whether it was not."""
        _must_rest(actor)
        chosen = _find(await self.kept(actor), seq)
        if chosen.refused:
            raise Refused(
                "checkpoint_refused", f"checkpoint {seq} of {actor.id} was set aside: {chosen.refused}"
            )
        return (await self._ask(actor, lambda number: RestoreState(actor.id, seq, number))).changed

    async def clear(self, actor: Actor) -> bool:
        """Drop every checkpoint of a deployment that is stopped; whether there was any."""
        _must_rest(actor)
        before = await self.kept(actor)
        await self._ask(actor, lambda number: ClearState(actor.id, number))
        return bool(before)

    async def _ask(self, actor: Actor, order: Callable[[int], EngineOrder]) -> StateAnswer:
        _must_rest(actor)  # nothing is awaited between this and the order: no start comes between
        # Its last instance is not heard any more, whatever still comes: this is the last word.
        last_word = Detach(actor.id, actor.life.generation)
        said = await self._asking.ask(lambda _: last_word, order)
        if said.problem:
            raise Failed(said.problem)
        await self._read()
        return said


def _must_rest(actor: Actor) -> None:
    if actor.holds_slot:
        raise Refused("not_stopped", f"{actor.id} is {actor.life.state}; `stratd stop {actor.id}` first")


def _find(kept: list[Kept], seq: int) -> Kept:
    for one in kept:
        if one.seq == seq:
            return one
    raise NotFound("checkpoint", str(seq), near_matches(str(seq), [str(one.seq) for one in kept]))
