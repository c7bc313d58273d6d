"""What the API asks of running strategies by name: the part of ``FakeDaemon`` that ``RunningPort`` names."""

from __future__ import annotations

from strategies.plugins import Found
from supervisor import executing
from supervisor.errors import Unsupported
from supervisor.life import State
from supervisor.listing import status_of
from supervisor.schema import DeploymentRow, StartRequest, StartResult
from supervisor.schema.running import BacktestRequest, ExecuteRequest, ExecuteResult


class FakeRunning:
    rows: dict[str, DeploymentRow]
    capital: float | None = 50_000.0

    async def execute(
        self, request: ExecuteRequest, *, owner: bool = False, account: str | None = None
    ) -> ExecuteResult:
        found = self._known(request.strategy_id)
        wanted = executing.start_of(request, found, self.rows, self.capital)
        await self.start(wanted, owner=owner)
        row = self.rows[wanted.id]
        return ExecuteResult(
            deployment_id=row.id,
            status=status_of({State(row.state)}),
            strategy_id=row.strategy,
            version=row.version,
            account=row.account,
            mode=row.mode,
            instruments=row.symbols,
            timeframes=row.timeframes,
            capital_allocation=request.capital_allocation,
            parameters=dict(request.parameters),
        )

    async def backtest(self, request: BacktestRequest, *, account: str | None = None) -> None:
        self._known(request.strategy_id)
        raise Unsupported("this version of stratd runs no backtests; nothing is wrong with the request")

    async def start(
        self, request: StartRequest, *, owner: bool = False, account: str | None = None
    ) -> StartResult:
        raise NotImplementedError

    def _known(self, reference: str) -> Found:
        raise NotImplementedError
