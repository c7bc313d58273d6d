"""The daemon as its HTTP API sees it (``supervisor.api.port``): questions answered, verbs passed on."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from supervisor import doctor, views
from supervisor.access import Access
from supervisor.actor import Actor
from supervisor.approval_port import Approving
from supervisor.capacity import HostMeter
from supervisor.change_port import Changes, new_secret
from supervisor.daemon import Daemon
from supervisor.data_port import MarketData
from supervisor.draining import Draining
from supervisor.editing_port import Editing
from supervisor.errors import Failed, Invalid
from supervisor.feeds import pictures
from supervisor.ledger import Ledger
from supervisor.money import Money
from supervisor.notification_port import Notifying
from supervisor.ops_port import Operations
from supervisor.question_port import Questioning
from supervisor.record_port import AT_ONCE, Records
from supervisor.registering_port import Registering
from supervisor.running_port import Running
from supervisor.schedule_port import Schedules
from supervisor.schema import (
    ActionResult,
    CheckpointView,
    DeploymentDetail,
    DeploymentRow,
    EventView,
    FeedView,
    LogLine,
    MirrorView,
    Outcome,
    ProcessView,
    SandboxView,
    Selection,
    SignalView,
    StartRequest,
    StartResult,
    Status,
    StrategyView,
)
from supervisor.selection import find
from supervisor.store.deployments import StoreError
from supervisor.streaming.port import Streaming
from supervisor.webhook_port import Webhooks


class Port(
    Access,
    Money,
    MarketData,
    Running,
    Streaming,
    Changes,
    Schedules,
    Records,
    Operations,
    Editing,
    Registering,
    Approving,
    Webhooks,
    Questioning,
    Notifying,
):
    """Answers for one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.open_access(daemon)
        self._ledger = Ledger(daemon)
        self._secret = new_secret()
        self._adding = asyncio.Semaphore(AT_ONCE)
        self._seeking = asyncio.Lock()
        self._meter = HostMeter(daemon.settings.state_dir)
        self._draining = Draining(
            daemon.actors, daemon.verbs, daemon.events, daemon.problems, lambda: daemon.host.policy
        )

    # ---- questions ------------------------------------------------------------------------------
    async def status(self) -> Status:
        """Return the daemon's own state."""
        daemon, settings = self._daemon, self._daemon.settings
        survey = daemon.host.survey
        problems = list(daemon.problems.values())
        if daemon.events.unwritten:
            problems.append(f"{daemon.events.unwritten} events wait for a database that cannot be written")
        state: Literal["stopping", "degraded", "running"] = "degraded" if problems else "running"
        state = "stopping" if daemon.stopping else state
        counts = Counter(actor.life.state.value for actor in daemon.actors.values())
        stats = daemon.news.stats
        return Status(
            version=metadata.version("stratd"),
            state=state,
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=daemon.started_at,
            uptime_s=time.monotonic() - daemon.born_at,
            processes=self.processes(),
            feeds=await self.feeds(),
            deployments=dict(counts),
            running=sum(actor.holds_slot for actor in daemon.actors.values()),
            max_concurrent=settings.limits.max_concurrent,
            signals=views.total(daemon.news.rows),
            latches=views.latches(daemon.news.money),
            layers=doctor.layers(survey, sees=daemon.enforcers.sees) if survey else [],
            verdict=doctor.verdict(survey, daemon.host.require) if survey else SandboxView(),
            mirror=daemon.mirror.view() if daemon.mirror else MirrorView(),
            signals_endpoint=stats.signals_endpoint if stats else "",
            replay_endpoint=stats.replay_endpoint if stats else "",
            journal_seq=daemon.news.journal_seq,
            event_seq=daemon.events.seq,
            loop_lag_ms=round(daemon.pulse.lag * 1e3, 3),
            state_dir=str(settings.state_dir),
            runtime_dir=str(settings.runtime_dir),
            config=str(daemon.config or ""),
            problems=problems,
        )

    def processes(self) -> list[ProcessView]:
        """Return supervisor, engine and zygote."""
        daemon = self._daemon
        engine, cells = daemon.engine, daemon.cells
        up = {"supervisor": True, "engine": engine.ready is not None, "zygote": cells.zygote_pid is not None}
        starts = {"supervisor": 1, "engine": engine.starts, "zygote": cells.zygote_starts}
        return [
            views.process(name, pid, daemon.sampler.own.get(name), up=up[name], starts=starts[name])
            for name, pid in daemon.processes.items()
        ]

    async def owners(self) -> dict[str, str]:
        """Return the account of every deployment, by id."""
        return {name: actor.deployment.account for name, actor in self._daemon.actors.items()}

    async def born(self) -> dict[str, int]:
        """Return when each deployment was created (unix ns), by id."""
        return {name: actor.deployment.created_at for name, actor in self._daemon.actors.items()}

    async def deployments(self) -> list[DeploymentRow]:
        """Return every deployment, by id."""
        return [self._row(actor) for _, actor in sorted(self._daemon.actors.items())]

    def _row(self, actor: Actor) -> DeploymentRow:
        daemon = self._daemon
        saved = daemon.checkpoints.known.get(actor.id)
        monotonic = asyncio.get_running_loop().time()
        return views.row(
            actor, daemon.news.rows.get(actor.id), saved, now=time.time_ns(), monotonic=monotonic
        )

    async def describe(self, deployment_id: str) -> DeploymentDetail:
        """Return everything about one deployment."""
        actor = find(self._daemon.actors, deployment_id)
        mine = actor.deployment
        code = self._daemon.catalogue.code(mine.strategy, mine.version)
        return views.detail(
            actor,
            self._daemon.news.rows.get(deployment_id),
            self._daemon.checkpoints.known.get(deployment_id),
            now=time.time_ns(),
            monotonic=asyncio.get_running_loop().time(),
            code=(code.code_path, code.code_hash) if code else ("", ""),
            limits=self._daemon.settings.quota.limits(mine.memory, mine.cpu),
        )

    async def feeds(self) -> list[FeedView]:
        """Return every configured feed; one of which the engine has said nothing yet is ``unknown``."""
        return pictures(self._daemon.settings.feed_specs, self._daemon.news.stats)

    # ---- streams --------------------------------------------------------------------------------
    async def logs(self, deployment_id: str, *, n: int, follow: bool) -> AsyncIterator[LogLine]:
        """Return the last ``n`` lines, oldest first, then each as it comes."""
        actor = find(self._daemon.actors, deployment_id)
        lines = actor.book.read(n, follow=follow)
        return (
            LogLine(at=line.at, stream=line.stream, text=line.text, generation=line.generation)
            async for line in lines
        )

    async def events(self, *, after: int | None, n: int, follow: bool) -> AsyncIterator[EventView]:
        """Return the events after number ``after``, else the last ``n``; then each as it comes."""
        events = self._daemon.events.read(after, n, follow=follow)
        return (
            EventView(
                seq=event.seq,
                at=event.at,
                kind=event.kind,
                deployment_id=event.deployment_id,
                generation=event.generation,
                detail=event.detail,
            )
            async for event in events
        )

    async def signals(
        self, deployment_id: str | None, *, after: int | None, n: int, follow: bool
    ) -> AsyncIterator[SignalView]:
        """Return signals with their verdicts as ``events`` does, of one deployment or of all."""
        if deployment_id is not None:
            find(self._daemon.actors, deployment_id)
        return self._daemon.signals.read(deployment_id, after, n, follow=follow)

    # ---- verbs ----------------------------------------------------------------------------------
    async def start(
        self, request: StartRequest, *, owner: bool = False, account: str | None = None
    ) -> StartResult:
        """Create the deployment if it is new, else start it as it was."""
        if account and request.strategy is not None:
            found = self._seen(account).look_up(request.strategy)
            # This very version: what the name means could be another one's by the time that it is created.
            request = request.model_copy(update={"strategy": found.reference})
        if request.schedule is not None:
            await self._daemon.scheduling.check(request.schedule.calendar)
        actor, created, changed = await self._daemon.verbs.start(request, owner=owner)
        return StartResult(created=created, changed=changed, deployment=self._row(actor))

    async def stop(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Stop."""
        return await self._daemon.verbs.stop(selection, reason=reason, now=now, wait=wait)

    async def pause(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:  # noqa: ARG002  (every pause is at once)
        """Pause."""
        return await self._daemon.verbs.pause(selection, reason=reason, wait=wait)

    async def resume(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:  # noqa: ARG002  (as above)
        """Resume."""
        return await self._daemon.verbs.resume(selection, reason=reason, wait=wait)

    async def restart(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        """Stop and start again."""
        return await self._daemon.verbs.restart(selection, reason=reason, now=now, wait=wait)

    async def reset_failed(self, selection: Selection) -> ActionResult:
        """Out of failed or quarantined."""
        return await self._daemon.verbs.reset_failed(selection)

    async def remove(self, selection: Selection) -> ActionResult:
        """Forget stopped deployments."""
        result = await self._daemon.verbs.remove(selection)
        for outcome in result.outcomes:
            if outcome.problem is None:
                self._daemon.news.rows.pop(outcome.id, None)
                await self.drop_webhooks(outcome.id)
        return result

    # ---- saved states ---------------------------------------------------------------------------
    async def checkpoints(self, deployment_id: str) -> list[CheckpointView]:
        """Return what is kept of one deployment, the newest first."""
        actor = find(self._daemon.actors, deployment_id)
        return views.checkpoints(await self._daemon.checkpoints.kept(actor), time.time_ns())

    async def state(self, deployment_id: str, seq: int | None) -> bytes:
        """Return one saved state as its strategy packed it."""
        return await self._daemon.checkpoints.state(find(self._daemon.actors, deployment_id), seq)

    async def restore_state(self, deployment_id: str, seq: int) -> Outcome:
        """Make an older checkpoint the newest."""
        actor = find(self._daemon.actors, deployment_id)
        changed = await self._daemon.checkpoints.restore(actor, seq)
        if changed:
            self._daemon.events.note("state_restored", f"checkpoint {seq} is the newest again", actor.id)
        return Outcome(id=actor.id, state=actor.life.state.value, changed=changed)

    async def clear_state(self, deployment_id: str) -> Outcome:
        """Drop every checkpoint."""
        actor = find(self._daemon.actors, deployment_id)
        changed = await self._daemon.checkpoints.clear(actor)
        if changed:
            self._daemon.events.note("state_cleared", "the next start begins without a state", actor.id)
        return Outcome(id=actor.id, state=actor.life.state.value, changed=changed)

    async def register(self, path: str) -> StrategyView:
        """Add the strategy at the absolute ``path`` for good; one that is broken is not kept."""
        daemon = self._daemon
        daemon.registrar.must_be_open()
        found = await asyncio.to_thread(daemon.catalogue.inspect, path)
        if found.state == "broken":
            raise Invalid(f"{path}: {error}" for error in found.errors)
        if daemon.premises.touches(Path(found.path)):
            raise Invalid(
                [f"{path}: lies in or around a folder of the daemon's own, which no strategy is shown"]
            )
        try:
            await daemon.in_database(lambda: daemon.store.add_path(found.path))
        except StoreError as error:
            raise Failed(f"cannot keep {path}: {error}") from None
        await daemon.rescan()
        registered = daemon.catalogue.view_of(found.path)
        if registered is None:
            raise Failed(f"{path} was registered and cannot be found again")
        if registered.state == "broken":
            raise Invalid(f"{path}: {error}" for error in registered.errors)
        return registered
