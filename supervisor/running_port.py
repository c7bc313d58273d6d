"""What the API asks of running strategies by their name alone, answered for one daemon."""

from __future__ import annotations

from supervisor import executing
from supervisor.daemon import Daemon
from supervisor.errors import Unsupported
from supervisor.listing import status_of
from supervisor.schema.running import BacktestRequest, ExecuteRequest, ExecuteResult
from supervisor.verbs import Taken


class Running:
    """``supervisor.api.routes.required.RunningPort``; a part of ``Port``."""

    _daemon: Daemon

    async def execute(
        self, request: ExecuteRequest, *, owner: bool = False, account: str | None = None
    ) -> ExecuteResult:
        """Create a deployment under a new id, and start it."""
        daemon = self._daemon
        found = daemon.registrar.library.seen_by(account or "").look_up(request.strategy_id)
        trades_for = daemon.settings.accounts.get(request.account or "default")
        capital = trades_for.capital if trades_for else None
        while True:
            wanted = executing.start_of(request, found, daemon.actors, capital)
            try:
                actor, _, _ = await daemon.verbs.start(wanted, owner=owner, only_new=True)
            except Taken:  # by who was quicker: then it is among the actors now, and the next id another
                continue
            break
        mine = actor.deployment
        return ExecuteResult(
            deployment_id=mine.id,
            status=status_of({actor.life.state}),
            strategy_id=mine.strategy,
            version=mine.version,
            account=mine.account,
            mode=mine.mode,
            instruments=mine.symbols,
            timeframes=mine.timeframes,
            capital_allocation=request.capital_allocation,
            parameters=mine.parameters,
        )

    async def backtest(self, request: BacktestRequest, *, account: str | None = None) -> None:
        """Judge what a backtest is asked for, and say that there is none yet: raises in any case."""
        catalogue = self._daemon.registrar.library.seen_by(account or "")
        catalogue.parameters(catalogue.find(request.strategy_id), request.parameters, {})
        raise Unsupported("this version of stratd runs no backtests; nothing is wrong with the request")
