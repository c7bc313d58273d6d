"""What the API asks of one deployment: the part of ``FakeDaemon`` that ``DeploymentPort`` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervisor.errors import Failed, NotFound, Refused, StratdError, near_matches
from supervisor.schema import (
    CandleView,
    ChangeResult,
    Death,
    DeploymentRow,
    EquityPoint,
    EquityView,
    EventView,
    LatchResult,
    LatchView,
    MetricsView,
    PerformanceView,
    PromoteRequest,
    PromoteResult,
    SettingsPatch,
    SignalChain,
    SignalView,
)

CONFIRMATION = "yes-i-know"


class FakeDeployment:
    rows: dict[str, DeploymentRow]
    calls: list[tuple[object, ...]]
    fail: StratdError | Exception | None
    journal: list[EventView]
    verdicts: list[SignalView]

    def __init__(self) -> None:
        self.curve = [EquityPoint(at=number, profit=float(number)) for number in range(1, 4)]
        self.closed = [
            CandleView(
                symbol="EURUSD", timeframe="1m", open_time=at, close_time=at + 60,
                open=1.0, high=2.0, low=0.5, close=1.5, volume=3.0,
            )
            for at in (60, 120, 180)
        ]  # fmt: skip

    async def change(self, deployment_id: str, patch: SettingsPatch) -> ChangeResult:
        row = self._there(deployment_id)
        self.calls.append(("change", deployment_id, patch.model_dump(exclude_unset=True)))
        if row.state != "stopped":
            raise Failed(f"{row.id} is {row.state}: stop it before giving it other settings")
        return ChangeResult(changed=True, deployment=row)

    async def promote(self, deployment_id: str, request: PromoteRequest, *, by: str) -> PromoteResult:
        row = self._there(deployment_id)
        self.calls.append(("promote", deployment_id, request, by))
        said: dict[str, Any] = {"account": request.account or row.account, "route": "gateway"}
        if request.confirmation is None:
            return PromoteResult(
                promoted=False, confirmation=CONFIRMATION, expires_in_s=300, deployment=row, **said
            )
        if request.confirmation != CONFIRMATION:
            raise Refused("confirmation_invalid", "this is no confirmation")
        return PromoteResult(promoted=True, deployment=row.model_copy(update={"mode": "live"}), **said)

    async def latch(self, deployment_id: str, kind: str, *, reason: str, by: str) -> LatchResult:
        self._there(deployment_id)
        self.calls.append((kind, deployment_id, reason, by))
        latch = LatchView(
            scope="deployment", name=deployment_id, kind=kind, rule="operator", reason=reason, at=1,
            by="operator",
        )  # fmt: skip
        return LatchResult(scope="deployment", name=deployment_id, changed=True, latch=latch)

    async def deployment_events(
        self, deployment_id: str, *, after: int | None, limit: int
    ) -> list[EventView]:
        self._there(deployment_id)
        mine = [one for one in self.journal if one.deployment_id == deployment_id]
        return mine[-limit:] if after is None else [one for one in mine if one.seq > after][:limit]

    async def events_of(self, since: Mapping[str, int], *, after: int | None, limit: int) -> list[EventView]:
        mine = [one for one in self.journal if one.at >= since.get(one.deployment_id, one.at + 1)]
        return mine[-limit:] if after is None else [one for one in mine if one.seq > after][:limit]

    async def incidents(self, deployment_id: str) -> list[Death]:
        self._there(deployment_id)
        return [Death(cause="hang", at=1, generation=1, stack='File "x.py", line 3')]

    async def metrics(self, deployment_id: str) -> MetricsView:
        row = self._there(deployment_id)
        return MetricsView(deployment_id=row.id, state=row.state, quota=row.quota)

    async def performance(self, deployment_id: str) -> PerformanceView:
        return PerformanceView(deployment_id=self._there(deployment_id).id, currency="USD", trades=3)

    async def equity(self, deployment_id: str, *, n: int) -> EquityView:
        return EquityView(deployment_id=self._there(deployment_id).id, currency="USD", points=self.curve[:n])

    async def find_signals(
        self, deployment_id: str | None, account: str | None, *, verdict: str | None, rule: str | None,
        after: int | None, limit: int,
    ) -> list[SignalView]:  # fmt: skip
        if deployment_id is not None:
            self._there(deployment_id)
        asked = {"deployment_id": deployment_id, "account_id": account, "verdict": verdict, "rule": rule}
        found = [
            one
            for one in self.verdicts
            if all(value in (None, getattr(one, name)) for name, value in asked.items())
            and (after is None or one.seq > after)
        ]
        return found[-limit:] if after is None else found[:limit]

    async def signal(self, signal_id: str) -> SignalChain:
        for one in self.verdicts:
            if one.signal_id == signal_id:
                return SignalChain(signal=one)
        raise NotFound("signal", signal_id)

    async def candles(self, symbol: str, timeframe: str, *, before: int | None, n: int) -> list[CandleView]:
        self.calls.append(("candles", symbol, timeframe, before, n))
        mine = [one for one in self.closed if (one.symbol, one.timeframe) == (symbol, timeframe)]
        return [one for one in mine if before is None or one.open_time < before][-n:]

    def _there(self, name: str) -> DeploymentRow:
        if self.fail is not None:
            raise self.fail
        if name not in self.rows:
            raise NotFound("deployment", name, near_matches(name, self.rows))
        return self.rows[name]
