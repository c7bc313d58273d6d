"""Limits of an account as they bind it, and a request to tighten them."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from supervisor.schema.base import Request, View

Limit = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


class TightenedView(View):
    """A limit that an operator tightened: ``at`` is nanoseconds since the epoch."""

    value: float
    by: str
    at: int
    reason: str = ""


class LimitsView(View):
    """What binds an account: of each limit the stricter one of the file and of what was tightened.

    ``limits`` binds. ``configured_limits`` are those of ``[accounts.NAME] risk``; ``tightened`` are an
    operator's, by name.
    """

    name: str
    currency: str
    configured: bool = False
    capital: float | None = None
    signals_per_s: int
    limits: dict[str, Any] = {}
    configured_limits: dict[str, Any] = {}
    tightened: dict[str, TightenedView] = {}
    orders_today: int = 0
    open_positions: int = 0


class LimitsRequest(Request):
    """Limits that are to be tightened, by name; null takes one back. ``reason`` is for the record."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"limits": {"max_daily_loss": 500}, "reason": "thin market"}]}
    )

    limits: Annotated[dict[str, Limit | None], Field(max_length=50)]
    reason: Annotated[str, Field(max_length=500)] = ""
