"""Webhooks: tokens by which alerts from outside become signals, and the alerts themselves."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from supervisor.schema.base import Request, View
from supervisor.schema.keys import ExpiresIn
from supervisor.schema.requests import DeploymentId, Symbol

Amount: TypeAlias = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
Signed: TypeAlias = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Name: TypeAlias = Annotated[str, Field(max_length=64)]
Kind: TypeAlias = Literal["price", "pct", "ticks", "atr"]


class WebhookRequest(Request):
    """``webhooks create``. ``expires_in``: seconds, or text as ``90d``; without it, never."""

    deployment_id: DeploymentId
    name: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    expires_in: ExpiresIn = None


class WebhookView(View):
    """One webhook, without its token. Instants are unix ns."""

    id: str
    name: str = ""
    deployment_id: str
    account: str | None = None
    created_at: int
    created_by: str = ""
    expires_at: int | None = None
    expired: bool = False
    used_at: int | None = None
    """When it was used last, to a minute."""


class WebhookCreated(WebhookView):
    """A new webhook: ``token``, and the ``path`` with it, are shown here, once, and kept nowhere."""

    token: str
    path: str


class LevelGiven(Request):
    """A stop or target: a price, or a distance from the entry."""

    kind: Kind
    value: Amount


class TrailGiven(LevelGiven):
    """A trailing stop; ``activation`` is how far in profit it arms."""

    activation: Amount | None = None


class AlertRequest(Request):
    """One alert: the fields of a signal that a strategy may give (docs/signals.md), and never whose it is.

    ``id`` names the alert: sent again with it, it is the same signal. ``reference_price`` is the price that
    the sender saw; without it the engine's last one, and then no collar can tell that the sender was behind.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    symbol: Symbol
    intent: Literal[
        "enter_long", "enter_short", "exit_long", "exit_short", "exit_all", "target", "adjust", "cancel"
    ]
    reason: Annotated[str, Field(max_length=256)] = ""
    quantity: Amount | None = None
    notional: Amount | None = None
    target_quantity: Signed | None = None
    target_weight: Signed | None = None
    risk_pct: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    order_type: Literal["market", "limit", "stop", "stop_limit"] = "market"
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    time_in_force: Literal["day", "gtc", "ioc", "fok", "gtd"] = "day"
    good_till: Annotated[int, Field(gt=0, le=2**63 - 1)] | None = None
    stop_loss: LevelGiven | None = None
    take_profit: LevelGiven | None = None
    trailing_stop: TrailGiven | None = None
    time_stop_s: Amount | None = None
    reduce_only: bool = False
    max_slippage_bps: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] | None = None
    oco_group: Name | None = None
    leg: Name = ""
    ttl_ms: Annotated[int, Field(gt=0, le=86_400_000)] | None = None
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    tags: Annotated[dict[Name, Annotated[str, Field(max_length=256)]], Field(max_length=50)] = {}
    reference_price: Amount | None = None


class AlertResult(View):
    """What became of an alert: a signal with its verdict, journalled. ``rule`` names why it was not accepted.

    ``signal_id`` is None for a refusal of a flood, which is summed up and not listed.
    """

    deployment_id: str
    signal_id: str | None
    verdict: str
    rule: str = ""
    detail: str = ""
