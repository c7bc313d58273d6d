"""Strategies as the platform's other services know them, and everything about one of them."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import ConfigDict, JsonValue

from supervisor.schema.base import Request, View
from supervisor.schema.requests import Values

StrategyType = Literal[
    "trend_following", "mean_reversion", "breakout", "causal_enhanced", "ml_enhanced", "momentum", "custom"
]  # fmt: skip
StrategyStatus = Literal["active", "backtesting", "paused", "stopped", "failed", "registered"]
"""What the deployments of a strategy make of it: the first of these that one of them is."""

_ROW: Final[dict[str, JsonValue]] = {
    "id": "moving_average_crossover",
    "name": "moving_average_crossover",
    "type": "trend_following",
    "status": "active",
    "instruments": ["EURUSD"],
    "timeframe": "5m",
}


class StrategyRow(View):
    """One strategy. ``id`` is what other requests call it, ``name`` what people do: its title, if it has one.

    ``timeframe`` is "" where neither it nor a deployment says one.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_ROW]})

    id: str
    name: str
    type: StrategyType
    status: StrategyStatus
    instruments: list[str]
    timeframe: str


class StrategyList(View):
    """``GET /api/v1/strategies``: the sound ones, by name. ``GET /api/v1/catalogue`` has the broken too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"strategies": [_ROW]}]})

    strategies: list[StrategyRow]


class StrategyDetail(StrategyRow):
    """One version of a strategy. ``versions`` are all that there are of its name.

    ``registered``: it was registered by a path or as source, and can be removed again. ``owner`` is the
    account whose keys alone see and run it, "" for everybody's. ``deployments`` are the ids of those that run
    this version.
    """

    version: str
    versions: list[str] = []
    description: str = ""
    code_hash: str = ""
    path: str = ""
    builtin: bool = False
    registered: bool = False
    parameters: list[dict[str, Any]] = []
    constraints: list[str] = []
    timeframes: list[str] = []
    warmup: int = 0
    deployments: list[str] = []
    owner: str = ""


class SourceFile(View):
    """One file of a strategy: ``text`` None where it is no UTF-8 text, or too large to be shown."""

    name: str
    size: int
    text: str | None = None


class SourceView(View):
    """The code of a strategy as cells are shown it: the stored copy, not what lies at its path by now."""

    id: str
    version: str
    code_hash: str
    files: list[SourceFile] = []


class ParametersRequest(Request):
    """What would be given to a strategy."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"parameters": {"fast_period": 5, "slow_period": 20}}]}
    )

    parameters: Values = {}


class ParametersReport(View):
    """What a strategy would make of parameters: ``effective`` with defaults filled in, or every mistake."""

    ok: bool
    effective: dict[str, Any] = {}
    errors: list[str] = []


class StrategyTypes(View):
    """Every type that a strategy can be of."""

    types: list[StrategyType]


class TemplateFile(View):
    """One file of a new strategy."""

    name: str
    text: str


class TemplateView(View):
    """What ``stratd new`` would write, of a type."""

    name: str
    type: StrategyType
    files: list[TemplateFile]
