"""A daemon without processes: what the API asks of the real one, kept in dicts. Errors are the real ones.

``Served`` runs it behind the real API server (uvicorn, a Unix socket, peer credentials) on a loop of its own.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

from supervisor.api.app import Guards
from supervisor.api.server import ApiServer
from supervisor.errors import CREATES, Failed, Invalid, NotFound, Refused, StratdError, near_matches
from supervisor.metrics.exposition import render
from supervisor.metrics.picture import Picture
from supervisor.metrics.requests import Requests
from supervisor.metrics.totals import Totals
from supervisor.problems import problem_of
from supervisor.schema import (
    ActionResult,
    CheckpointView,
    Death,
    DeploymentDetail,
    DeploymentRow,
    EventView,
    FeedView,
    LastDeath,
    LayerView,
    LogLine,
    Outcome,
    ProcessView,
    Quota,
    Selection,
    SignalView,
    StartRequest,
    StartResult,
    Status,
    Verdicts,
    View,
)
from supervisor.streaming.cursor import Cursor
from supervisor.streaming.hub import Hub
from supervisor.streaming.message import Subscription
from supervisor.streaming.stream import Stream
from tests.supervisor.fake_access import FakeAccess
from tests.supervisor.fake_approvals import FakeApprovals
from tests.supervisor.fake_deployment import FakeDeployment
from tests.supervisor.fake_editing import FakeEditing
from tests.supervisor.fake_money import FakeMoney
from tests.supervisor.fake_notifications import FakeNotifications
from tests.supervisor.fake_ops import FakeOps
from tests.supervisor.fake_questions import FakeQuestions
from tests.supervisor.fake_running import FakeRunning
from tests.supervisor.fake_schedules import FakeSchedules
from tests.supervisor.fake_webhooks import FakeWebhooks
from tests.supervisor.fake_world import FakeWorld

AT = 1_763_681_904_123_456_789


class FakeDaemon(
    FakeAccess,
    FakeMoney,
    FakeDeployment,
    FakeEditing,
    FakeOps,
    FakeRunning,
    FakeApprovals,
    FakeQuestions,
    FakeWebhooks,
    FakeNotifications,
    FakeSchedules,
):
    def __init__(self) -> None:
        super().__init__()
        FakeDeployment.__init__(self)
        FakeEditing.__init__(self)
        FakeApprovals.__init__(self)
        FakeWebhooks.__init__(self)
        FakeNotifications.__init__(self)
        FakeSchedules.__init__(self)
        self.rows: dict[str, DeploymentRow] = {}
        self.calls: list[tuple[object, ...]] = []
        self.lines = [
            LogLine(at=AT, stream="out", text=f"line {number}", generation=1) for number in range(5)
        ]
        self.journal = [
            EventView(seq=number, at=AT, kind="up", deployment_id="eurusd", generation=1, detail=f"{number}")
            for number in range(1, 6)
        ]
        self.verdicts = [signal(1, "eurusd", "accepted"), signal(2, "gold", "rejected", "max_position")]
        self.saved: dict[str, list[CheckpointView]] = {}
        self.states: dict[int, bytes] = {}
        """Packed states by the number of their checkpoint."""
        self.births: dict[str, int] = {}
        """When each was created, for those that were not always there."""
        self.fail: StratdError | Exception | None = None
        self.max_concurrent = 3
        self.lag_ms = 0.4
        self.feed_state = "healthy"
        self.followers = 0
        self.owner: bool | None = None
        """Whether the last start was said to come from the owner."""
        self.news: asyncio.Event = asyncio.Event()
        self.world = FakeWorld()
        self.hub = Hub(self.world)

    def renew(self) -> None:
        """Be as new, also where a test put something in place of a method: a server keeps the object."""
        vars(self).clear()
        FakeDaemon.__init__(self)

    # ---- reading ----
    async def status(self) -> Status:
        self._stumble()
        running = [row for row in self.rows.values() if row.state == "running"]
        return Status(
            version="0.1.0", state="running", pid=4242, host="testhost", started_at=AT, uptime_s=3725.0,
            processes=[ProcessView(name="supervisor", pid=4242, uptime_s=3725.0, cpu_percent=0.4)],
            feeds=await self.feeds(), deployments={"running": len(running)} if running else {},
            running=len(running), max_concurrent=self.max_concurrent,
            layers=[LayerView(name="limits", state="active", detail="RLIMIT_DATA")],
            state_dir="/var/lib/stratd", runtime_dir="/run/stratd",
        )  # fmt: skip

    async def owners(self) -> dict[str, str]:
        return {name: row.account for name, row in self.rows.items()}

    async def born(self) -> dict[str, int]:
        return self.births

    async def deployments(self) -> list[DeploymentRow]:
        self._stumble()
        return list(self.rows.values())

    async def describe(self, deployment_id: str) -> DeploymentDetail:
        row = self._row(deployment_id)
        death = Death(
            cause="hang",
            detail="on_tick",
            at=AT,
            generation=1,
            stack='File "x.py", line 3',
            log_tail=["a", "b"],
        )
        deaths = [death] if row.last_death else []
        return DeploymentDetail(
            **row.model_dump(), parameters={"fast": 5}, restart_policy="on-failure", deaths=deaths
        )

    async def feeds(self) -> list[FeedView]:
        return [
            FeedView(name="main", format="native", endpoint="tcp://127.0.0.1:5555", mode="connect",
                     state=self.feed_state, ticks=12_345, lag_ms=self.lag_ms, last_tick_at=AT, sequenced=True,
                     symbols=3, rejected={"bad_price": 2})
        ]  # fmt: skip

    # ---- changing ----
    async def start(
        self, request: StartRequest, *, owner: bool = False, account: str | None = None
    ) -> StartResult:
        self._stumble()
        self.calls.append(("start", request))
        self.owner = owner
        known = self.rows.get(request.id)
        if known is None and request.strategy is None:
            raise NotFound("deployment", request.id, near_matches(request.id, self.rows), CREATES)
        if known is None and request.strategy not in ("crossover", "crossover@1.0.0"):
            raise NotFound(
                "strategy", str(request.strategy), near_matches(str(request.strategy), ["crossover"])
            )
        if "fsat" in request.parameter_text:
            raise Invalid(["fsat: no such parameter; did you mean 'fast'?", "slow: must be from 10 to 200"])
        if request.mode == "live" and not request.confirm_live:
            raise Refused("live_unconfirmed", f"{request.id} would trade real money; confirm it (--yes)")
        if len(self.rows) >= self.max_concurrent and known is None:
            raise Refused("max_concurrent", f"{self.max_concurrent} deployments run already")
        changed = known is None or known.state != "running"
        row = known or make_row(request.id, symbols=request.symbols or ["EURUSD"])
        self.rows[request.id] = row.model_copy(update={"state": "running", "desired": "running", "pid": 77})
        return StartResult(created=known is None, changed=changed, deployment=self.rows[request.id])

    async def stop(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        return self._act("stop", "stopped", selection, reason=reason, now=now, wait=wait)

    async def pause(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        return self._act("pause", "paused", selection, reason=reason, now=now, wait=wait)

    async def resume(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        return self._act("resume", "running", selection, reason=reason, now=now, wait=wait)

    async def restart(self, selection: Selection, *, reason: str, now: bool, wait: bool) -> ActionResult:
        return self._act("restart", "running", selection, reason=reason, now=now, wait=wait)

    async def reset_failed(self, selection: Selection) -> ActionResult:
        return self._act("reset_failed", "stopped", selection)

    async def remove(self, selection: Selection) -> ActionResult:
        outcomes = []
        for name in selection.ids:
            if name in self.rows and self.rows[name].state != "stopped":
                error = Refused("not_stopped", f"{name} is {self.rows[name].state}; stop it first")
                outcomes.append(Outcome(id=name, state=self.rows[name].state, problem=problem_of(error)))
            elif name in self.rows:
                del self.rows[name]
                outcomes.append(Outcome(id=name, changed=True))
            else:
                outcomes.append(self._unknown(name))
        return ActionResult(outcomes=outcomes)

    def _act(self, verb: str, state: str, selection: Selection, **said: object) -> ActionResult:
        self._stumble()
        self.calls.append((verb, selection, said))
        outcomes = []
        for name in selection.ids or list(self.rows):
            row = self.rows.get(name)
            if row is None:
                outcomes.append(self._unknown(name))
                continue
            self.rows[name] = row.model_copy(update={"state": state})
            outcomes.append(Outcome(id=name, state=state, changed=row.state != state))
        return ActionResult(outcomes=outcomes)

    def _unknown(self, name: str) -> Outcome:
        return Outcome(
            id=name, problem=problem_of(NotFound("deployment", name, near_matches(name, self.rows)))
        )

    # ---- saved states ----
    async def checkpoints(self, deployment_id: str) -> list[CheckpointView]:
        self._row(deployment_id)
        return self.saved.get(deployment_id, [])

    async def state(self, deployment_id: str, seq: int | None) -> bytes:
        kept = await self.checkpoints(deployment_id)
        chosen = next((one.seq for one in kept if one.seq == seq or (seq is None and one.newest)), None)
        if chosen is None:
            raise NotFound("checkpoint", str(seq))
        return self.states[chosen]

    async def restore_state(self, deployment_id: str, seq: int) -> Outcome:
        self.calls.append(("restore", deployment_id, seq))
        chosen = [one for one in await self.checkpoints(deployment_id) if one.seq == seq]
        self._resting(deployment_id)
        if not chosen:
            raise NotFound("checkpoint", str(seq))
        if chosen[0].quarantined:
            raise Refused("checkpoint_refused", f"checkpoint {seq} of {deployment_id} was set aside")
        return Outcome(id=deployment_id, state="stopped", changed=not chosen[0].newest)

    async def clear_state(self, deployment_id: str) -> Outcome:
        self._row(deployment_id)
        self._resting(deployment_id)
        return Outcome(id=deployment_id, state="stopped", changed=bool(self.saved.pop(deployment_id, [])))

    def _resting(self, name: str) -> None:
        if self.rows[name].state != "stopped":
            raise Refused("not_stopped", f"{name} is {self.rows[name].state}; `stratd stop {name}` first")

    # ---- streams ----
    async def logs(self, deployment_id: str, *, n: int, follow: bool) -> AsyncIterator[LogLine]:
        self._row(deployment_id)
        return self._stream(lambda: self.lines, n, follow)

    async def events(self, *, after: int | None, n: int, follow: bool) -> AsyncIterator[EventView]:
        wanted = [event for event in self.journal if after is None or event.seq > after]
        return self._stream(lambda: wanted, n, follow)

    async def signals(
        self, deployment_id: str | None, *, after: int | None, n: int, follow: bool
    ) -> AsyncIterator[SignalView]:
        if deployment_id is not None:
            self._row(deployment_id)
        chosen = [one for one in self.verdicts if deployment_id in (None, one.deployment_id)]
        return self._stream(lambda: chosen, n, follow)

    async def stream(self, wanted: Subscription, last: Cursor | None) -> Stream:
        self._stumble()
        if wanted.deployment_id:
            self._row(wanted.deployment_id)
        self.world.deployments = self.rows
        return await self.hub.open(wanted, last)

    async def scrape(self, requests: Requests, accept: str) -> tuple[str, bytes]:
        self._stumble()
        totals = Totals()
        picture = Picture(
            version="0.1.0",
            started_at=AT / 1e9,
            deployments=list(self.rows.values()),
            totals={name: totals.of(name) for name in self.rows},
            feeds=await self.feeds(),
            requests=dict(requests.counts),
            request_seconds=requests.seconds(),
        )
        return render(picture, accept)

    async def _stream(self, views: Callable[[], list[View]], n: int, follow: bool) -> AsyncIterator[View]:
        self.followers += 1
        try:
            sent = max(0, len(views()) - n)
            while True:
                for view in views()[sent:]:
                    yield view
                sent = len(views())
                if not follow:
                    return
                self.news.clear()
                await self.news.wait()
        finally:
            self.followers -= 1

    # ----
    def _row(self, name: str) -> DeploymentRow:
        self._stumble()
        if name not in self.rows:
            raise NotFound("deployment", name, near_matches(name, self.rows))
        return self.rows[name]


def make_row(
    name: str, state: str = "running", *, symbols: list[str] | None = None, cause: str = ""
) -> DeploymentRow:
    return DeploymentRow(
        id=name, strategy="crossover", version="1.0.0", account="default", mode="paper",
        symbols=symbols or ["EURUSD"], timeframes=["1m", "5m"], state=state, desired="running", pid=77,
        generation=3, restarts=2, uptime_s=725.0, cpu_percent=1.25, memory_mb=27.5,
        quota=Quota(memory_mb=256, cpu=0.5), ticks=1200, candles=40, lag_ms=0.8,
        signals=Verdicts(accepted=4, rejected=1),
        last_death=LastDeath(cause=cause, detail="on_tick ran for 2.0 s", at=AT) if cause else None,
    )  # fmt: skip


def signal(seq: int, deployment: str, verdict: str, rule: str = "") -> SignalView:
    return SignalView(
        seq=seq, signal_id=f"s{seq}", idempotency_key=f"k{seq}", deployment_id=deployment,
        account_id="default",
        symbol="EURUSD", intent="enter_long", quantity=1.5, verdict=verdict, rule=rule,
        detail="over the limit" * bool(rule),
        data_as_of=AT, emitted_at=AT, decided_at=AT, reason="fast over slow",
    )  # fmt: skip


class Served:
    """``with Served(daemon) as served``: the API on ``served.path``, in a thread until the end."""

    def __init__(
        self, daemon: FakeDaemon, *, max_body: int = 2**20, guards: Guards | None = None, **tcp: Any
    ) -> None:
        # Not pytest's tmp_path: a Unix socket's path may be 107 bytes long.
        self.folder = Path(tempfile.mkdtemp(prefix="stratd-"))
        self.path = self.folder / "api.sock"
        self.daemon = daemon
        self.refused: list[object] = []
        self._given: dict[str, Any] = {"guards": guards or Guards(max_body=max_body), **tcp}
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(200)
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._stop.set)
        self._thread.join(60)
        shutil.rmtree(self.folder)

    def call(self, function: Callable[[], object]) -> None:
        """Run ``function`` on the daemon's loop."""
        self.loop.call_soon_threadsafe(function)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.server = ApiServer(
            self.daemon, self.path, version="0.1.0", on_refused=self.refused.append, **self._given
        )
        self.server.open()
        await self.server.start()
        self._up.set()
        await self._stop.wait()
        await self.server.close()


def checkpoint(seq: int, **given: Any) -> CheckpointView:
    stated = {"at": AT, "age_s": 12.5, "generation": 3, "state_version": 2, "size_bytes": 4096}
    return CheckpointView(seq=seq, **(stated | given))


__all__ = ["AT", "Failed", "FakeDaemon", "Served", "checkpoint", "make_row", "signal"]
