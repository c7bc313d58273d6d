"""Money: accounts with what bars them, positions, orders, trades. None is unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, segment, send

if TYPE_CHECKING:
    from supervisor.schema import (
        AccountView,
        ExposureView,
        LatchResult,
        LimitsView,
        LossView,
        OrderRow,
        PositionRow,
        TradeRow,
    )


def accounts() -> Call[list[AccountView]]:
    """Every account: equity, profit of the day, exposure, and what bars it."""
    return get("accounts")


def account(name: str) -> Call[AccountView]:
    """One account."""
    return get(f"accounts/{segment(name, 'account')}")


def pause_account(name: str, *, reason: str = "") -> Call[LatchResult]:
    """Let no signal of an account through until it is rearmed. What is held stays guarded."""
    return send("POST", f"accounts/{segment(name, 'account')}/pause", {"reason": reason})


def resume_account(name: str, *, reason: str = "") -> Call[LatchResult]:
    """Take back a pause of an account; what else bars it stays, and is refused."""
    return send("POST", f"accounts/{segment(name, 'account')}/resume", {"reason": reason})


def account_limits(name: str) -> Call[LimitsView]:
    """What an account may lose and hold, as it is configured and as it was tightened since."""
    return get(f"accounts/{segment(name, 'account')}/limits")


def tighten_account(name: str, limits: Mapping[str, float | None], *, reason: str = "") -> Call[LimitsView]:
    """Tighten limits of an account at once, by name; None takes one back."""
    body = {"limits": dict(limits), "reason": reason}
    return send("PATCH", f"accounts/{segment(name, 'account')}/limits", body)


def set_account_limits(
    name: str, limits: Mapping[str, float | None], *, reason: str = ""
) -> Call[LimitsView]:
    """Let exactly these limits of an account be tightened; {} takes all of them back."""
    body = {"limits": dict(limits), "reason": reason}
    return send("PUT", f"accounts/{segment(name, 'account')}/limits", body)


def account_exposure(name: str) -> Call[ExposureView]:
    """What an account holds, long and short, by symbol."""
    return get(f"accounts/{segment(name, 'account')}/exposure")


def account_loss(name: str) -> Call[LossView]:
    """How far an account is from the limits of its losses."""
    return get(f"accounts/{segment(name, 'account')}/loss")


def kill_account(name: str, *, reason: str = "") -> Call[LatchResult]:
    """Close everything that an account holds, and let no signal through until it is rearmed."""
    return send("POST", f"accounts/{segment(name, 'account')}/kill", {"reason": reason})


def rearm_account(name: str, *, reason: str = "") -> Call[LatchResult]:
    """Take back what bars an account; losses are counted from here."""
    return send("POST", f"accounts/{segment(name, 'account')}/rearm", {"reason": reason})


def rearm(deployment_id: str, *, reason: str = "") -> Call[LatchResult]:
    """Take back what a limit of its own bars a deployment by; losses are counted from here."""
    return send("POST", f"deployments/{segment(deployment_id)}/rearm", {"reason": reason})


def positions(*, deployment_id: str | None = None, account: str | None = None) -> Call[list[PositionRow]]:
    """What is held by one deployment, by those of an account, or by all."""
    return get("positions", {"deployment_id": deployment_id, "account": account})


def orders(
    *,
    deployment_id: str | None = None,
    account: str | None = None,
    ended: bool | None = None,
    n: int | None = None,
) -> Call[list[OrderRow]]:
    """The orders that wait, with ``ended`` the last ``n`` of all; the newest last."""
    return get("orders", {"deployment_id": deployment_id, "account": account, "ended": ended, "n": n})


def trades(
    *,
    deployment_id: str | None = None,
    account: str | None = None,
    after: int | None = None,
    n: int | None = None,
) -> Call[list[TradeRow]]:
    """The last ``n`` executions, or the first after record ``after``; the newest last."""
    return get("trades", {"deployment_id": deployment_id, "account": account, "after": after, "n": n})
