"""What the API asks of the daemon itself: the part of ``FakeDaemon`` that ``OpsPort`` names."""

from __future__ import annotations

from supervisor import readiness
from supervisor.schema import DeploymentRow, FeedView, MirrorView, Outcome, Quota
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


class FakeOps:
    rows: dict[str, DeploymentRow]
    calls: list[tuple[object, ...]]
    engine_is_up = True
    drained = False

    async def readiness(self) -> Readiness:
        return readiness.judge(
            readiness.Found(
                engine=self.engine_is_up,
                cells=True,
                database="",
                disk_free=2**33,
                disk_reserve=2**26,
                mirror=MirrorView(),
                feeds=await self.feeds(),
                routes={},
                closed="drained" * self.drained,
            )
        )

    async def version(self) -> VersionView:
        return VersionView(version="0.1.0", python="3.12.0", started_at=1)

    async def system(self) -> SystemView:
        return SystemView(
            host=HostView(name="testhost", cpus=2, cpu_percent=12.5, load=[0.1, 0.2, 0.3], memory_mb=4096.0),
            limits=HostLimits(
                max_concurrent=10,
                max_per_account=10,
                running=len(self.rows),
                memory_reserve_mb=64,
                memory_overcommit=4.0,
                disk_reserve_mb=64,
            ),
            quota=Quota(memory_mb=256, cpu=0.5),
            drained=self.drained,
            cells=[
                CellView(
                    deployment_id=row.id, account=row.account, state=row.state, generation=1, quota=row.quota
                )
                for row in self.rows.values()
            ],
        )

    async def config(self) -> ConfigView:
        return ConfigView(
            settings={"redis": {"url": "**********"}}, origins={"redis.url": "variable REDIS_URL"}
        )

    async def pause_all(self, *, reason: str) -> SystemResult:
        return self._sweep("pause-all", "paused", reason)

    async def resume_all(self, *, reason: str, by: str) -> SystemResult:
        self.drained = False
        return self._sweep("resume-all", "running", reason, by)

    async def drain(self, *, reason: str, by: str) -> SystemResult:
        self.drained = True
        return self._sweep("drain", "stopped", reason, by)

    async def reload(self) -> ReloadResult:
        self._stumble()
        self.calls.append(("reload",))
        return ReloadResult(changed=["limits.max_concurrent"], needs_restart=["redis.url"])

    def _sweep(self, verb: str, state: str, *said: str) -> SystemResult:
        self._stumble()
        self.calls.append((verb, *said))
        outcomes = []
        for name, row in self.rows.items():
            self.rows[name] = row.model_copy(update={"state": state})
            outcomes.append(Outcome(id=name, state=state, changed=row.state != state))
        return SystemResult(drained=self.drained, outcomes=outcomes)

    async def feeds(self) -> list[FeedView]:
        raise NotImplementedError

    def _stumble(self) -> None:
        raise NotImplementedError
