"""What operators can do to deployments: each verb checks, submits an event to the actor, and may wait.

Rules of this file. A verb decides nothing about a life: that is lifecycle.py's. It refuses what a rule
forbids before anything changed, and answers with what it led to.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from supervisor import life as lf
from supervisor import live_parameters
from supervisor.actor import Actor
from supervisor.admitting import Admission, Admitting
from supervisor.catalogue import Catalogue
from supervisor.configure import configure
from supervisor.errors import Failed, Refused, Unavailable
from supervisor.host import Host
from supervisor.live_parameters import UP
from supervisor.opt_in import Held, judge, judge_change, judge_new, judge_paper
from supervisor.schema import ActionResult, Selection, StartRequest
from supervisor.selection import carry_out, find
from supervisor.store.deployments import StoreError
from supervisor.store.tables import Deployment, Standing

RESTING = frozenset({lf.State.REGISTERED, lf.State.STOPPED})
STOPPABLE = lf.LIVING | {lf.State.BACKOFF}
ACTOR = "operator"


class Taken(Failed):
    """There is a deployment of that id already, and a new one was asked for."""


class Verbs(Admitting):
    """The verbs, over the actors of the daemon."""

    def __init__(
        self,
        actors: dict[str, Actor],
        host: Host,
        catalogue: Catalogue,
        *,
        admission: Admission,
        new_actor: Callable[[Deployment, Standing], Actor],
        held: Callable[[str], Awaitable[Held]],
    ) -> None:
        super().__init__(actors, host, admission)
        self._catalogue = catalogue
        self._new_actor = new_actor
        self._held = held
        """What a deployment holds; raises ``Unavailable`` where the journal cannot be read."""
        self._creating = asyncio.Lock()

    # ---- start ----------------------------------------------------------------------------------
    async def start(
        self, request: StartRequest, *, owner: bool, only_new: bool = False
    ) -> tuple[Actor, bool, bool]:
        """Create or start a deployment. Returns it, whether it is new, and whether anything changed.

        ``owner``: root asks, or the daemon's own user, as whom trusted code may be able to act. With
        ``only_new`` it is created or nothing is done: raises ``Taken`` where there is one of that id.
        """
        if request.trust and not owner:
            raise Refused("trust", "only root and the daemon's own user can answer for code (--trust)")
        async with self._creating:  # two first starts of one id create it once
            actor = self._actors.get(request.id)
            created = actor is None
            if only_new and not created:
                raise Taken(f"there is a deployment {request.id} already")
            if actor is None:
                wanted = self._configured(request, None)
                judge(wanted, None, self.admission.opt_ins, confirmed=request.confirm_live)
                await self._judge_left(wanted)
                self.judge_code(wanted)
                if not self.barred(wanted):
                    self.admit(wanted, None)
                actor = await self._create(wanted)
                changed = True
            else:
                changed = await self._change(actor, request)
            before = actor.life
            if self.timetable is not None:
                self.timetable.judge(actor)
            # What only waits for its schedule takes no slot: it is asked when that opens.
            if not self.barred(actor.deployment) and (not actor.holds_slot or self.drained):
                self.admit(actor.deployment, actor)
            actor.submit(lf.Start(ACTOR))
        await actor.done()
        changed = changed or actor.life.state is not before.state or actor.life.wanted is not before.wanted
        if request.wait:
            await self._until_up(actor)
        return actor, created, changed

    async def _judge_left(self, wanted: Deployment) -> None:
        """Refuse the id of one that was removed and holds something for another account."""
        with contextlib.suppress(Unavailable):  # no journal yet, or a broken one: the gate asks too
            judge_new(wanted, await self._held(wanted.id))

    async def _create(self, wanted: Deployment) -> Actor:
        actor = self._new_actor(wanted, Standing())
        try:
            await actor.configure(wanted)
        except StoreError as error:
            await actor.close()
            raise Failed(f"cannot save {wanted.id}: {error}") from None
        self._actors[wanted.id] = actor
        actor.start()
        self._host.events.note("created", f"{wanted.strategy}@{wanted.version}", wanted.id)
        return actor

    async def consider(self, request: StartRequest) -> Actor:
        """Judge other settings as ``change`` does, and change nothing. Raises what that would."""
        async with self._creating:
            actor = find(self._actors, request.id)
            await self._judged(actor, request)
        return actor

    async def change(
        self, request: StartRequest, confirmed: Callable[[Deployment], None] = lambda _present: None
    ) -> tuple[Actor, bool]:
        """Give a deployment other settings; one that lives, only parameters that may change while it does.

        Returns it, and whether anything changed.

        ``confirmed`` is given what it is at that moment, and raises ``Refused`` where it is not to be.
        """
        async with self._creating:
            actor = find(self._actors, request.id)
            confirmed(actor.deployment)
            return actor, await self._change(actor, request)

    async def _change(self, actor: Actor, request: StartRequest) -> bool:
        if not request.configures:
            judge_paper(actor.deployment, self.admission.opt_ins)
            self.judge_code(actor.deployment)
            return False
        wanted = await self._judged(actor, request)
        if wanted is None:
            return False
        before, lived = actor.deployment, actor.life.state in UP
        await self._configure(actor, wanted)
        if actor.life.state in UP:
            live_parameters.tell(self._host, wanted, actor.life.instance)
        if lived:
            self._host.events.note("parameters_updated", live_parameters.told_of(before, wanted), actor.id)
        else:
            self._host.events.note("configured", f"{wanted.strategy}@{wanted.version}", actor.id)
        return True

    async def _configure(self, actor: Actor, wanted: Deployment) -> None:
        try:
            await actor.configure(wanted)
        except StoreError as error:
            raise Failed(f"cannot save {actor.id}: {error}") from None

    async def _judged(self, actor: Actor, request: StartRequest) -> Deployment | None:
        """Return what a deployment is to be, judged; None if it is so already."""
        mine, opt_ins = actor.deployment, self.admission.opt_ins
        wanted = self._configured(request, mine)
        if replace(wanted, updated_at=mine.updated_at) == mine:
            judge_paper(mine, opt_ins)
            return None
        if wanted.mode != mine.mode:
            judge_change(wanted, mine, actor.life.state, await self._held(actor.id))
        if actor.life.state in lf.LIVING:
            code = self._host.code(mine.strategy, mine.version)
            live_parameters.judge_living(
                wanted, mine, actor.life.state, code.updatable if code is not None else ()
            )
        judge(wanted, mine, opt_ins, confirmed=request.confirm_live)
        self.judge_code(wanted)
        return wanted

    def _configured(self, request: StartRequest, known: Deployment | None) -> Deployment:
        return configure(
            request,
            known,
            catalogue=self._catalogue,
            defaults=self.admission.defaults,
            ids=self._actors,
            now=time.time_ns(),
        )

    async def _until_up(self, actor: Actor) -> None:
        becoming = {lf.State.STARTING, lf.State.WARMING, lf.State.STOPPING}
        life = await actor.wait_for(lambda life: life.state not in becoming)
        if life.state not in UP and not (lf.is_barred(life) and waits(life)):
            raise Failed(f"{actor.id} did not start, it is {life.state}: {life.reason}")

    def recover(self, drained: str = "") -> list[Actor]:
        """Bring back everything as it was wanted, as far as the limits of today allow; return what that is.

        Called when the daemon has come up, or to end what ``drained`` says.
        """
        recovered: list[Actor] = []
        for actor in self._actors.values():
            if lf.is_barred(actor.life) or not waits(actor.life):
                continue
            came_up = lf.Recover(unobserved=actor.unobserved)
            if self.take_up(actor, lf.Recover("operator", drained) if drained else came_up):
                recovered.append(actor)
        return recovered

    def take_up(self, actor: Actor, event: lf.Recover) -> bool:
        """Bring back one that is at rest and wanted; returns whether it is. If not, it says why."""
        try:
            judge_paper(actor.deployment, self.admission.opt_ins)
            self.judge_code(actor.deployment)
        except Refused as error:
            actor.submit(lf.Denied(reason=str(error)))
            return False
        try:  # not whether the host has room: it had, and one that is down serves nobody
            self.admit_slot(actor.deployment.account, actor)
        except Refused as error:
            if actor.life.reason != str(error):
                self._host.events.note("refused", str(error), actor.id, actor.life.generation)
                actor.submit(lf.Deferred(reason=str(error)))
            return False
        actor.submit(event)
        return True

    async def reschedule(self, deployment_id: str, stored: dict[str, Any]) -> tuple[Actor, bool]:
        """Give a deployment another schedule, {} for none. Returns it, and whether that changed anything."""
        async with self._creating:
            actor = find(self._actors, deployment_id)
            changed = actor.deployment.schedule != stored
            if changed:
                await self._configure(actor, replace(actor.deployment, schedule=stored))
        return actor, changed

    # ---- the other verbs ------------------------------------------------------------------------
    async def stop(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Stop; with ``wait`` answer when the processes are gone."""

        async def deed(actor: Actor) -> bool:
            before = actor.life
            actor.submit(lf.Stop(ACTOR, reason, now))
            await actor.done()
            ending = actor.life.instance  # not that of before: a start may have been on its way
            if wait and ending:
                # Not "until it is stopped": a start that came meanwhile begins the next one at once.
                await actor.wait_for(lambda life: life.instance != ending)
            return before.state in STOPPABLE or before.wanted is not lf.Wanted.STOPPED

        return await carry_out(self._actors, selection, deed)

    async def pause(self, selection: Selection, *, reason: str, wait: bool) -> ActionResult:
        """Pause what runs; what was stopped is a problem, not a pause."""
        return await self._hold(selection, lf.Pause(ACTOR, reason), wait=wait)

    async def resume(self, selection: Selection, *, reason: str, wait: bool) -> ActionResult:
        """Resume what is paused; what runs already is left alone."""
        return await self._hold(selection, lf.Resume(ACTOR, reason), wait=wait)

    async def _hold(self, selection: Selection, event: lf.Pause | lf.Resume, *, wait: bool) -> ActionResult:
        async def deed(actor: Actor) -> bool:
            before = actor.life
            if lf.is_barred(before) and waits(before):
                raise Failed(f"{actor.id} is {before.state}, {before.reason}")
            if before.state not in STOPPABLE or before.wanted is lf.Wanted.STOPPED:
                raise Failed(f"{actor.id} is {before.state}: `stratd start {actor.id}` starts it")
            actor.submit(event)
            await actor.done()
            if wait:
                becoming = {lf.State.STARTING, lf.State.WARMING}
                await actor.wait_for(lambda life: life.state not in becoming)
            released = bool(before.suspended) and not actor.life.suspended
            return released or actor.life.wanted is not before.wanted

        return await carry_out(self._actors, selection, deed)

    async def restart(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """End and begin again; what is stopped is started."""

        async def deed(actor: Actor) -> bool:
            generation = actor.life.generation
            judge_paper(actor.deployment, self.admission.opt_ins)
            self.judge_code(actor.deployment)
            if not self.barred(actor.deployment) and (not actor.holds_slot or self.closed or self.drained):
                self.admit(actor.deployment, actor)
            actor.submit(lf.Restart(ACTOR, reason, now))
            await actor.done()
            if wait:
                await actor.wait_for(lambda life: life.generation > generation or life.state not in lf.LIVING)
                await self._until_up(actor)
            return True

        return await carry_out(self._actors, selection, deed)

    async def reset_failed(self, selection: Selection) -> ActionResult:
        """Take them out of failed or quarantined, with a clean tally."""

        async def deed(actor: Actor) -> bool:
            before = actor.life
            actor.submit(lf.Reset(ACTOR))
            await actor.done()
            return actor.life != before

        return await carry_out(self._actors, selection, deed)

    async def remove(self, selection: Selection) -> ActionResult:
        """Forget stopped deployments: their settings, deaths and logs. What they traded stays on record."""

        async def deed(actor: Actor) -> bool:
            if actor.holds_slot:
                raise Refused(
                    "not_stopped", f"{actor.id} is {actor.life.state}; `stratd stop {actor.id}` first"
                )
            removals = self._host.engine.removals
            await removals.owe(actor.id)
            try:
                await self._host.in_database(lambda: self._host.store.remove(actor.id))
            except StoreError as error:
                removals.strike(actor.id)
                raise Failed(f"cannot remove {actor.id}: {error}") from None
            await actor.part()
            self._actors.pop(actor.id, None)
            await actor.close()
            actor.book.remove()
            self._host.engine.forget(actor.id)
            self._host.events.note("removed", "", actor.id)
            return True

        return await carry_out(self._actors, selection, deed)


def waits(life: lf.Life) -> bool:
    """Whether it is wanted and at rest, so that nothing but a word begins it."""
    return life.wanted is not lf.Wanted.STOPPED and life.state in RESTING
