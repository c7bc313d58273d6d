"""One deployment in the daemon: events in one after the other, save, then act. The shell of lifecycle.py.

Rules of this file. Only ``_take`` changes ``life``, and it takes one event at a time from one queue, so
there is no lock. What must be durable is saved before anything acts on it; if it cannot be saved, nothing is
started, but what is to be stopped is stopped. News of an instance are matched by its generation.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TypeAlias

import structlog

from sandbox.nursery import NurseryError
from sandbox.spec import Born as BornReport
from sandbox.spec import Died, LogLines, TimeLeft, WardenReport, Warned
from sandbox.spec import Ready as ReadyReport
from sandbox.spec import Terminate as TerminateOrder
from supervisor import causes
from supervisor import instance as inst
from supervisor import life as lf
from supervisor.causes import Cause
from supervisor.control import Detach, Expect, RefuseState
from supervisor.control import Direct as DirectOrder
from supervisor.errand import Errand
from supervisor.host import Host
from supervisor.instance import Instance
from supervisor.lifecycle import ImpossibleEventError, step
from supervisor.logs import LogBook
from supervisor.parting import Parting
from supervisor.quota import Sample, holds_slot
from supervisor.store.deployments import KEEP_DEATHS, StoreError
from supervisor.store.tables import DeathRecord, Deployment, Standing
from supervisor.tasks import end_task
from supervisor.trust import objection

SAVE_AGAIN = 5.0
"""Seconds before a database that refused is tried again."""
_STARTS = (lf.Start, lf.Restart, lf.Recover)
_Queued: TypeAlias = tuple[lf.Event | None, Cause | None]
"""An event, None to save again, and the request that it is of."""

log = structlog.get_logger()


class Actor:
    """Owns the life of one deployment. ``start`` begins to take events, ``close`` ends that."""

    def __init__(self, host: Host, deployment: Deployment, standing: Standing, book: LogBook) -> None:
        self.host = host
        self.deployment = deployment
        self.life = standing.life()
        self.book = book
        self.instance: Instance | None = None
        self.deaths: list[DeathRecord] = []
        """The newest last."""
        self.unobserved = False
        """Whether the last instance of an earlier daemon ended, within this boot, and nobody saw how."""
        self._standing = standing
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parted = False
        self._changed = asyncio.Condition()
        self._time_left: tuple[float, float] | None = None
        self._reserved = 0
        self._errand = Errand(deployment.id, host.packages, host.events, book, self.submit)
        self.parting = Parting(self._detach)
        self._loop = asyncio.get_running_loop()

    # ---- from outside ---------------------------------------------------------------------------
    @property
    def id(self) -> str:
        """Id of the deployment."""
        return self.deployment.id

    @property
    def holds_slot(self) -> bool:
        """Whether it takes a slot, a start that is still in the queue included."""
        return self._reserved > 0 or holds_slot(self.life)

    @property
    def packages(self) -> set[str]:
        """Keys of the packages that its instance uses, and that its next one will."""
        code = self.host.code(self.deployment.strategy, self.deployment.version)
        return self._errand.keys(code.lock if code else None)

    @property
    def extra_time(self) -> float:
        """Seconds in its bucket of extra time (``spec.ExtraTime``), as it was told last and has refilled."""
        left = self._extra_time()
        return self.host.budgets.extra.capacity if left is None else left

    def start(self) -> None:
        """Begin to take events."""
        self._task = asyncio.create_task(self._run(), name=f"deployment {self.id}")

    async def account(self, deaths: list[DeathRecord], *, rebooted: bool) -> None:
        """Take the deaths on record (the newest last), and add the one that nobody saw. Before ``start``."""
        self.deaths = deaths
        if inst.unaccounted(self.life, deaths):
            self.unobserved = not rebooted
            self.book.recall()
            tail, at = self.book.tail(), time.time_ns()
            await self._record(inst.unobserved(self.id, self.life, tail, rebooted=rebooted, at=at))

    async def close(self) -> None:
        """Take no more events. The instance, if there is one, is not touched."""
        if self._timer is not None:
            self._timer.cancel()
        await end_task(self._task)
        await self._errand.close()
        self.parting.close()
        self.book.close()

    def submit(self, event: lf.Event) -> None:
        """Queue an event. A start takes its slot at once, so that two of them cannot take the same."""
        if isinstance(event, _STARTS):
            self._reserved += 1
        cause = causes.current()
        if cause is not None:
            cause.hold()
        self._queue.put_nowait((event, cause))

    async def done(self) -> None:
        """Wait until every event queued so far was taken."""
        await self._queue.join()

    async def wait_for(self, wanted: Callable[[lf.Life], bool]) -> lf.Life:
        """Wait until the life is as ``wanted`` says."""
        async with self._changed:
            await self._changed.wait_for(lambda: wanted(self.life))
        return self.life

    async def part(self) -> None:
        """Have the engine let go of the last instance, now that the deployment is to be forgotten.

        Not later: another one of the same name counts its instances from 1 again.
        """
        await self.parting.settled()
        self._detach(self.life.generation)
        self._parted = True

    def _detach(self, generation: int) -> None:
        if not self._parted:
            self.host.engine.tell(Detach(self.id, generation))

    async def configure(self, deployment: Deployment) -> None:
        """Save a configuration; the next instance gets it. Raises ``StoreError``."""
        store, standing = self.host.store, Standing.of(self.life)
        if self._task is None:
            await self.host.in_database(lambda: store.save(deployment, standing))
        else:  # how it stands may be on its way to the database, newer than what can be seen here
            await self.host.in_database(lambda: store.configure(deployment))
        self.deployment = deployment

    # ---- news of the instance -------------------------------------------------------------------
    def on_report(self, generation: int, report: WardenReport) -> None:
        """Take what the warden of an instance said."""
        match report:
            case LogLines(lines=lines, dropped=dropped):
                self.book.write(generation, lines)
                self.book.dropped += dropped
            case TimeLeft(left=left):
                self._time_left = (left, self._loop.time())
            case Warned(kind=kind, detail=detail):
                self.host.events.note(kind, detail, self.id, generation)
                if kind == "state_refused":
                    self.host.engine.tell(RefuseState(self.id, generation, detail))
            case BornReport(pid=pid, start_ticks=ticks):
                it, host = (self.id, generation), self.host
                seen = host.sampler.add(it, pid, ticks, forks=host.may_fork)
                host.enforcers.born(it, pid, self.deployment.cpu, seen=seen)
                self.submit(lf.Born(generation))
            case ReadyReport():
                self.submit(lf.Ready(generation))

    def on_ended(self, generation: int, died: Died) -> None:
        """Take note that an instance is gone."""
        self.host.sampler.remove((self.id, generation))
        died = self.host.enforcers.gone((self.id, generation), died)
        if self.instance is not None and self.instance.generation == generation:
            self.instance.died = died
        self.submit(inst.ended(generation, died, random.random()))  # noqa: S311  (jitter, no secret)

    def on_bye(self, generation: int) -> None:
        """Take note that the engine has every word of an instance."""
        if generation == self.life.generation:
            self.parting.heard()

    def on_sample(self, generation: int, sample: Sample) -> None:
        """Judge one reading of the instance."""
        if self.instance is None or generation != self.instance.generation:
            return
        for finding in self.instance.usage.add(sample):
            match finding.kind:
                case "memory_quota" | "cpu_quota" as cause:
                    self.submit(lf.Breached(generation, cause, finding.detail))
                case warning:
                    self.host.events.note(warning, finding.detail, self.id, generation)

    def expect(self) -> None:
        """Tell the engine what this deployment reads, for as long as it is to run, or that it is not."""
        mine = self.deployment
        if lf.comes_back(self.life):
            self.host.engine.tell(Expect(mine.id, mine.symbols, mine.timeframes))
        else:
            self.host.engine.tell(Expect(mine.id))

    def reattach(self) -> None:
        """Tell a new engine of the living instance.

        Whether it is paused is said either way: the old engine may have died with that word unsent.
        """
        if self.instance is not None and self.instance.generation == self.life.instance:
            self.host.engine.tell(self.instance.attach)
            if self.life.wanted is not lf.Wanted.STOPPED:
                self._direct("pause" if lf.is_held(self.life) else "resume", self.life.reason)

    # ---- the queue ------------------------------------------------------------------------------
    async def _run(self) -> None:
        while True:
            event, cause = await self._queue.get()
            try:
                with causes.working_for(cause):
                    await self._handle(event)
            finally:
                if cause is not None:
                    cause.release()
                self._queue.task_done()

    async def _handle(self, event: lf.Event | None) -> None:
        try:
            if event is None:
                await self._save(self.life)
            else:
                await self._take(event)
        except ImpossibleEventError as error:
            self.host.events.note("impossible", str(error), self.id, self.life.generation)
        except Exception as error:  # the wall: one deployment's trouble must not end its supervision
            log.exception("deployment_failed", deployment=self.id, event_type=type(event).__name__)
            self.host.events.note("internal_error", repr(error), self.id, self.life.generation)
        finally:
            if isinstance(event, _STARTS):
                self._reserved -= 1

    async def _take(self, event: lf.Event) -> None:
        before = self.life
        after, effects = step(before, event, self._loop.time(), self.host.policy)
        if isinstance(event, lf.Ended) and event.generation == before.instance and not event.unborn:
            await self._bury(before, event)
        saved = await self._save(after)
        self._become(after)
        if after.state is not before.state:
            self.host.events.note(after.state, after.reason, self.id, after.generation)
        if after.rung is lf.Rung.STUCK and before.rung is not lf.Rung.STUCK:
            self.host.events.note("stuck", lf.STUCK, self.id, after.generation)
        if not saved and any(isinstance(effect, lf.Spawn) for effect in effects):
            # Without a durable generation a later daemon could count it out a second time.
            why = "the database takes no new generation"
            self.submit(lf.Ended(after.instance, "unknown", why, unborn=True))
        else:
            for effect in effects:
                await self._do(effect)
        if after != before:
            async with self._changed:
                self._changed.notify_all()

    def _become(self, after: lf.Life) -> None:
        if after.timer != self.life.timer:
            if self._timer is not None:
                self._timer.cancel()
            due = lf.Due(after.timer)
            self._timer = None if after.due is None else self._loop.call_at(after.due, self.submit, due)
        expected, self.life = lf.comes_back(self.life), after
        if expected != lf.comes_back(after):
            self.expect()
        if after.state is lf.State.STOPPING:
            self.host.enforcers.release((self.id, after.instance))
        mine = self.instance
        if mine is not None and mine.ready_at is None and after.state in (lf.State.RUNNING, lf.State.PAUSED):
            mine.ready_at, mine.ready_since = time.time_ns(), self._loop.time()
            warden = self.host.cells.warden_pid(self.id, mine.generation)
            if warden is not None:
                self.host.sampler.add((self.id, mine.generation), warden, ours=True)

    async def _save(self, life: lf.Life) -> bool:
        standing = Standing.of(life)
        if standing == self._standing:
            return True
        try:
            await self.host.in_database(lambda: self.host.store.stand(self.id, standing))
        except StoreError as error:
            self.host.events.note("not_saved", str(error), self.id, life.generation)
            # What an operator wanted must not be forgotten because the disk was full for a while.
            self._loop.call_later(SAVE_AGAIN, self._queue.put_nowait, (None, None))
            return False
        self._standing = standing
        return True

    async def _bury(self, life: lf.Life, event: lf.Ended) -> None:
        """Record a death: its cause, its last lines, and everything else that explains it."""
        now = self._loop.time()
        record = inst.death(self.id, life, event, self.instance, self.book.tail(), now=now, at=time.time_ns())
        await self._record(record)
        self.instance = None
        self.parting.ended(event.generation, now)

    async def _record(self, record: DeathRecord) -> None:
        self.deaths.append(record)
        del self.deaths[:-KEEP_DEATHS]
        self.host.totals.died(self.id, record.cause)
        try:
            await self.host.in_database(lambda: self.host.store.add_death(record))
        except StoreError as error:  # then it is known until the daemon ends
            self.host.events.note("not_saved", str(error), self.id, record.generation)
        self.host.events.note("died", f"{record.cause}: {record.detail}", self.id, record.generation)

    # ---- effects --------------------------------------------------------------------------------
    async def _do(self, effect: lf.Effect) -> None:
        cells = self.host.cells
        ends = isinstance(effect, lf.Terminate | lf.Abort | lf.Kill)
        if ends and self._errand.give_up(effect.generation):
            return
        match effect:
            case lf.Spawn(generation=generation, paused=paused):
                await self._spawn(generation, paused=paused)
            case lf.Direct(verb=verb, reason=reason):
                self._direct(verb, reason)
            case lf.Terminate(generation=generation, reason=reason, grace=grace):
                cells.order(self.id, generation, TerminateOrder(reason, grace))
            case lf.Abort(generation=generation):
                cells.abort(self.id, generation)
            case lf.Kill(generation=generation, whole=whole):
                cells.kill(self.id, generation, whole=whole)

    def _direct(self, verb: str, reason: str) -> None:
        order = DirectOrder(self.id, self.life.instance, verb, reason)  # type: ignore[arg-type]  # one of three
        self.host.engine.tell(order)

    async def _spawn(self, generation: int, *, paused: bool) -> None:
        await self.parting.settled()
        self.parting.begin()
        mine, host = self.deployment, self.host
        code = host.code(mine.strategy, mine.version)
        if code is None:
            why_not = host.why_not(mine.strategy, mine.version)
            self.submit(lf.Ended(generation, "load_error", why_not))
            return
        # The verbs ask first; no way leads past it.
        why = objection(mine, code, host.survey, host.require) or host.packages.objection(code.lock)
        if why:
            self.submit(lf.Ended(generation, "load_error", why))
            return
        if host.endpoints is None:
            self.submit(lf.Ended(generation, "unknown", "the engine was never ready", unborn=True))
            return
        if (packages := self._errand.fetch(generation, code.lock)) is None:
            return  # taken up again when they are there
        left = self._extra_time()
        granted = inst.grant(mine, generation, code, host, extra_time=left, packages=packages)
        usage = host.usage(mine.memory, mine.cpu)
        attach = inst.attach(granted, code, begun=self.life.begun)
        self.instance = Instance(generation, attach, usage, self._loop.time())
        self.expect()  # it may have been given other symbols
        host.engine.tell(attach)
        if paused:
            self._direct("pause", "paused before it started")
        try:
            host.cells.spawn(granted)
        except NurseryError as error:
            self.submit(lf.Ended(generation, "unknown", str(error)))

    def _extra_time(self) -> float | None:
        """Return the extra time that the next instance begins with: a restart does not fill the bucket."""
        if self._time_left is None:
            return None
        left, at = self._time_left
        return self.host.budgets.extra.after(left, self._loop.time() - at)
