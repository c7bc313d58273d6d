"""Running a strategy as the platform's other services ask for it: on live data, or on the past."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from supervisor.schema.base import Request, View
from supervisor.schema.catalogue import StrategyStatus
from supervisor.schema.requests import AccountId, Symbol, Timeframe, Values

Money = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
StrategyId = Annotated[str, Field(min_length=1, max_length=200)]
"""``NAME``, its version in force, or ``NAME@VERSION``."""


def _day(value: str) -> str:
    # Not ``date`` itself, which takes numbers and times of the day for dates as well.
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError("must be a day as 2024-01-31") from None


Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class ExecuteRequest(Request):
    """``POST /api/v1/execute``. ``capital_allocation`` is in the currency of the account.

    ``instruments`` and ``timeframe`` are those that the strategy was registered with, if they are not given.
    ``account``, ``mode`` and ``confirm_live`` are as in ``POST /api/v1/deployments``.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "strategy_id": "moving_average_crossover",
                    "capital_allocation": 10_000.0,
                    "parameters": {"fast_period": 5, "slow_period": 20},
                    "instruments": ["EURUSD"],
                    "timeframe": "5m",
                }
            ]
        }
    )

    strategy_id: StrategyId
    capital_allocation: Money
    parameters: Values = {}
    instruments: list[Symbol] | None = Field(default=None, min_length=1, max_length=1000)
    timeframe: Timeframe | None = None
    account: AccountId | None = None
    mode: Literal["paper", "live"] = "paper"
    confirm_live: bool = False


class ExecuteResult(View):
    """The deployment that was created, and how it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "deployment_id": "moving_average_crossover",
                    "status": "active",
                    "strategy_id": "moving_average_crossover",
                    "version": "1.0.0",
                    "account": "default",
                    "mode": "paper",
                    "instruments": ["EURUSD"],
                    "timeframes": ["5m"],
                    "capital_allocation": 10_000.0,
                    "parameters": {"fast_period": 5, "slow_period": 20},
                }
            ]
        }
    )

    deployment_id: str
    status: StrategyStatus
    strategy_id: str
    version: str
    account: str
    mode: str
    instruments: list[str]
    timeframes: list[str]
    capital_allocation: float
    parameters: dict[str, Any] = {}


class BacktestRequest(Request):
    """``POST /api/v1/backtest``: from ``start_date`` until before ``end_date``, UTC."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "strategy_id": "moving_average_crossover",
                    "start_date": "2024-01-01",
                    "end_date": "2024-06-30",
                    "initial_capital": 100_000.0,
                    "parameters": {"fast_period": 5, "slow_period": 20},
                }
            ]
        }
    )

    strategy_id: StrategyId
    start_date: Day
    end_date: Day
    initial_capital: Money
    parameters: Values = {}

    @model_validator(mode="after")
    def _ordered(self) -> BacktestRequest:
        if self.start_date >= self.end_date:
            raise ValueError(f"end_date ({self.end_date}) must be after start_date ({self.start_date})")
        return self
