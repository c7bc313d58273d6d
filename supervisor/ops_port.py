"""What the API asks of the daemon itself, answered for one daemon."""

from __future__ import annotations

import asyncio
import platform
import socket
from abc import ABC, abstractmethod
from importlib import metadata

from supervisor import readiness
from supervisor.capacity import HostMeter
from supervisor.config.shown import shown
from supervisor.daemon import Daemon
from supervisor.draining import Draining
from supervisor.schema import DeploymentRow, FeedView, MirrorView, Outcome, ProcessView, Quota
from supervisor.schema.ops import (
    CellView,
    ConfigView,
    HostLimits,
    HostView,
    Readiness,
    ReloadResult,
    SystemResult,
    SystemView,
    VersionView,
)
from supervisor.store.deployments import StoreError

MIB = 2**20
PATIENCE = 2.0
"""Seconds in which the database has to answer to count as one that can be used."""


class Operations(ABC):
    """``supervisor.api.routes.ops.OpsPort``; a part of ``Port``, which has the abstract ones."""

    _daemon: Daemon
    _draining: Draining
    _meter: HostMeter
    _asked: asyncio.Future[str] | None = None
    """The question to the database that is under way: one at a time, however often somebody asks."""

    async def readiness(self) -> Readiness:
        """Return whether the daemon can do its work, and each thing that it leans on."""
        daemon = self._daemon
        use = await asyncio.to_thread(self._meter.read)
        problems = daemon.problems
        return readiness.judge(
            readiness.Found(
                engine=daemon.engine.ready is not None,
                cells=daemon.cells.zygote_pid is not None,
                database=await self._database(),
                disk_free=use.disk_free,
                disk_reserve=daemon.settings.limits.disk_reserve,
                mirror=daemon.mirror.view() if daemon.mirror else MirrorView(),
                feeds=await self.feeds(),
                routes={name: problems.get(f"route {name}", "") for name in daemon.settings.routes},
                closed="the daemon is stopping" if daemon.stopping else daemon.verbs.drained,
            )
        )

    async def _database(self) -> str:
        """Return why the database cannot be used, "" if it can."""
        daemon = self._daemon
        if waiting := daemon.events.unwritten:
            return f"{waiting} events wait for it to be writable"
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(daemon.in_database(self._ask_database))
        try:
            return await asyncio.wait_for(asyncio.shield(self._asked), PATIENCE)
        except TimeoutError:
            return f"it has not answered within {PATIENCE:g} s"

    def _ask_database(self) -> str:
        try:
            self._daemon.store.last_event()
        except StoreError as error:
            return str(error)
        return ""

    async def version(self) -> VersionView:
        """Return what runs."""
        return VersionView(
            version=metadata.version("stratd"),
            python=platform.python_version(),
            started_at=self._daemon.started_at,
        )

    async def system(self) -> SystemView:
        """Return the host, the daemon's own processes, and every instance as it was sampled last."""
        daemon, limits, quota = self._daemon, self._daemon.settings.limits, self._daemon.settings.quota
        use = await asyncio.to_thread(self._meter.read)
        rows = await self.deployments()
        return SystemView(
            host=HostView(
                name=socket.gethostname(),
                cpus=use.cpus,
                cpu_percent=None if use.cpu_share is None else round(use.cpu_share * 100, 1),
                load=[round(one, 2) for one in use.load],
                memory_mb=round(use.memory / MIB, 1),
                memory_available_mb=round(use.available / MIB, 1),
                disk_free_mb=None if use.disk_free is None else round(use.disk_free / MIB, 1),
            ),
            limits=HostLimits(
                max_concurrent=limits.max_concurrent,
                max_per_account=limits.max_per_account,
                running=sum(actor.holds_slot for actor in daemon.actors.values()),
                memory_reserve_mb=limits.memory_reserve / MIB,
                memory_overcommit=limits.memory_overcommit,
                disk_reserve_mb=limits.disk_reserve / MIB,
            ),
            quota=Quota(memory_mb=quota.memory / MIB, cpu=quota.cpu),
            drained=self._draining.drained,
            processes=self.processes(),
            cells=[_cell(row) for row in rows if row.pid is not None],
        )

    async def config(self) -> ConfigView:
        """Return the settings in force, secrets as stars."""
        settings = self._daemon.settings
        return ConfigView(
            file=str(self._daemon.config or ""), settings=shown(settings), origins=settings.origins
        )

    async def pause_all(self, *, reason: str) -> SystemResult:
        """Pause everything that is up."""
        return self._swept(await self._draining.pause_all(reason))

    async def resume_all(self, *, reason: str, by: str) -> SystemResult:
        """Resume what is paused; after a drain bring back what it ended."""
        return self._swept(await self._draining.resume_all(reason, by))

    async def drain(self, *, reason: str, by: str) -> SystemResult:
        """Start nothing from now on, and end what is up, in order."""
        return self._swept(await self._draining.drain(reason, by))

    async def reload(self) -> ReloadResult:
        """Read the settings and the strategy folders again. Raises ``SettingsError`` with every mistake."""
        return await self._daemon.reloading.now()

    def _swept(self, outcomes: list[Outcome]) -> SystemResult:
        return SystemResult(drained=self._draining.drained, outcomes=outcomes)

    # ---- of the rest of the port --------------------------------------------------------------------
    @abstractmethod
    async def feeds(self) -> list[FeedView]:
        """Return every configured feed with its health."""

    @abstractmethod
    async def deployments(self) -> list[DeploymentRow]:
        """Return every deployment, by id."""

    @abstractmethod
    def processes(self) -> list[ProcessView]:
        """Return the daemon's own processes."""


def _cell(row: DeploymentRow) -> CellView:
    return CellView(
        deployment_id=row.id,
        account=row.account,
        state=row.state,
        generation=row.generation,
        pid=row.pid,
        uptime_s=row.uptime_s,
        cpu_percent=row.cpu_percent,
        memory_mb=row.memory_mb,
        quota=row.quota,
        enforcer=row.enforcer,
    )
