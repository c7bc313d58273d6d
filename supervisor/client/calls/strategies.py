"""Running a strategy as other services ask for it: by its name, with money to trade or on the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from supervisor.client.call import Call, given, listed, send

if TYPE_CHECKING:
    from supervisor.schema.running import ExecuteResult


def execute(
    strategy_id: str,
    *,
    capital_allocation: float,
    parameters: Mapping[str, Any] | None = None,
    instruments: Sequence[str] | None = None,
    timeframe: str | None = None,
    account: str | None = None,
    mode: Literal["paper", "live"] | None = None,
    confirm_live: bool | None = None,
) -> Call[ExecuteResult]:
    """Create a deployment of NAME or NAME@VERSION under a new id and start it; answered once it runs.

    ``capital_allocation``, in the currency of the account, is the most that all it holds may be worth.
    """
    body = given(
        strategy_id=strategy_id,
        capital_allocation=capital_allocation,
        parameters=None if parameters is None else dict(parameters),
        instruments=listed(instruments),
        timeframe=timeframe,
        account=account,
        mode=mode,
        confirm_live=confirm_live,
    )
    return send("POST", "execute", body)


def backtest(
    strategy_id: str,
    *,
    start_date: str,
    end_date: str,
    initial_capital: float,
    parameters: Mapping[str, Any] | None = None,
) -> Call[dict[str, Any]]:
    """Run a strategy from one day, as 2024-01-31, until before another, UTC.

    No version of the daemon does it yet: a sound request is answered by ``Unsupported``.
    """
    body = given(
        strategy_id=strategy_id,
        start_date=start_date,
        end_date=end_date,
        initial_capital=initial_capital,
        parameters=None if parameters is None else dict(parameters),
    )
    return send("POST", "backtest", body)
