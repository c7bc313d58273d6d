"""One signal with all that followed from it."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Any

from supervisor.schema.base import View
from supervisor.schema.records import SignalView
from supervisor.schema.trading import OrderRow, TradeRow


class OrderEnd(View):
    """An order ended with something unfilled: ``reason`` is a word, ``detail`` a sentence."""

    at: int
    reason: str
    detail: str = ""
    filled: float = 0.0


class RouteReport(View):
    """What the route of a live order said last; of an order that has ended its fills and its end tell."""

    at: int
    status: str
    detail: str = ""
    venue_id: str = ""


class SignalChain(View):
    """A signal, its verdict with the rule, the order that came of it, its fills, and how it ended.

    ``waited`` is the verdict before that, of a signal that was to be approved. ``asked`` is what
    the strategy returned, by name, without what is at its default. ``order`` is None where none was made, or
    where the journal no longer has it. ``whole`` False: there are more fills than are told.
    """

    signal: SignalView
    waited: SignalView | None = None
    asked: dict[str, Any] = {}
    order: OrderRow | None = None
    report: RouteReport | None = None
    fills: list[TradeRow] = []
    end: OrderEnd | None = None
    whole: bool = True
