"""The routes of money: accounts with their latches, positions, orders, trades. No decision is made here."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path, Query

from supervisor.api.caller import Caller, caller, needs
from supervisor.schema import (
    AccountView,
    LatchRequest,
    LatchResult,
    OrderRow,
    PositionRow,
    TradeRow,
)

Name = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]
Owner = Annotated[str | None, Query(max_length=64)]
Count = Annotated[int, Query(ge=0, le=100_000)]


class MoneyPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def accounts(self) -> list[AccountView]:
        """Return every account, by name."""
        ...

    async def account(self, name: str) -> AccountView:
        """Return one account."""
        ...

    async def pause_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Let nothing of an account's strategies through, until it is rearmed."""
        ...

    async def kill_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Close everything that an account holds, and let nothing through until it is rearmed."""
        ...

    async def rearm_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Take back what bars an account."""
        ...

    async def rearm(self, deployment_id: str, *, reason: str, by: str) -> LatchResult:
        """Take back what bars one deployment."""
        ...

    async def positions(self, deployment_id: str | None, account: str | None) -> list[PositionRow]:
        """Return what is held by one deployment, by those of an account, or by all."""
        ...

    async def orders(
        self, deployment_id: str | None, account: str | None, *, ended: bool, n: int
    ) -> list[OrderRow]:
        """Return the orders that wait, with ``ended`` the last ``n`` of all; the newest last."""
        ...

    async def trades(
        self, deployment_id: str | None, account: str | None, *, after: int | None, n: int
    ) -> list[TradeRow]:
        """Return the last ``n`` executions, or the first after record ``after``; the newest last."""
        ...


def money_routes(api: APIRouter, daemon: MoneyPort) -> None:
    """Add the routes to ``api``."""
    _account_routes(api, daemon)

    @api.get("/positions", dependencies=[needs("read")])
    async def positions(deployment_id: Owner = None, account: Owner = None) -> list[PositionRow]:
        return await daemon.positions(deployment_id, account)

    @api.get("/orders", dependencies=[needs("read")])
    async def orders(
        deployment_id: Owner = None, account: Owner = None, ended: bool = False, n: Count = 1000
    ) -> list[OrderRow]:
        return await daemon.orders(deployment_id, account, ended=ended, n=n)

    @api.get("/trades", dependencies=[needs("read")])
    async def trades(
        deployment_id: Owner = None,
        account: Owner = None,
        after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
        n: Count = 100,
    ) -> list[TradeRow]:
        return await daemon.trades(deployment_id, account, after=after, n=n)


def _account_routes(api: APIRouter, daemon: MoneyPort) -> None:
    @api.get("/accounts", dependencies=[needs("read")])
    async def accounts() -> list[AccountView]:
        return await daemon.accounts()

    @api.get("/accounts/{name}", dependencies=[needs("read")])
    async def account(name: Name) -> AccountView:
        return await daemon.account(name)

    @api.post("/accounts/{name}/pause", dependencies=[needs("trade")])
    async def pause(name: Name, request: LatchRequest, who: Who) -> LatchResult:
        return await daemon.pause_account(name, reason=request.reason, by=who.name)

    @api.post("/accounts/{name}/kill", dependencies=[needs("trade")])
    async def kill(name: Name, request: LatchRequest, who: Who) -> LatchResult:
        return await daemon.kill_account(name, reason=request.reason, by=who.name)

    @api.post("/accounts/{name}/rearm", dependencies=[needs("trade")])
    async def rearm(name: Name, request: LatchRequest, who: Who) -> LatchResult:
        return await daemon.rearm_account(name, reason=request.reason, by=who.name)

    @api.post("/deployments/{name}/rearm", dependencies=[needs("trade")])
    async def rearm_one(name: Name, request: LatchRequest, who: Who) -> LatchResult:
        return await daemon.rearm(name, reason=request.reason, by=who.name)
