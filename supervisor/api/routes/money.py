"""The routes of money: accounts with their latches, positions, orders, trades. No decision is made here."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.etags import tagged
from supervisor.schema import (
    AccountView,
    ExposureView,
    LatchRequest,
    LatchResult,
    LossView,
    OrderRow,
    PositionRow,
    TradeRow,
)

Name = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]
Why = Annotated[LatchRequest, Body(default_factory=LatchRequest)]
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

    async def resume_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Take back a pause of an account; what is stronger stays, and is ``Refused``."""
        ...

    async def account_exposure(self, name: str) -> ExposureView:
        """Return what one account has in the market."""
        ...

    async def account_loss(self, name: str) -> LossView:
        """Return how far one account is from its limits of loss."""
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
    _looks(api, daemon)

    @api.get("/positions", dependencies=[needs("read")])
    async def positions(deployment_id: Owner = None, account: Owner = None) -> list[PositionRow]:
        """What is held, by deployment and symbol."""
        return await daemon.positions(deployment_id, account)

    @api.get("/orders", dependencies=[needs("read")])
    async def orders(
        deployment_id: Owner = None, account: Owner = None, ended: bool = False, n: Count = 1000
    ) -> list[OrderRow]:
        """The orders that wait; with `ended` the last of all, the newest last."""
        return await daemon.orders(deployment_id, account, ended=ended, n=n)

    @api.get("/trades", dependencies=[needs("read")])
    async def trades(
        deployment_id: Owner = None,
        account: Owner = None,
        after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
        n: Count = 100,
    ) -> list[TradeRow]:
        """The last executions, or the first after a record; the newest last."""
        return await daemon.trades(deployment_id, account, after=after, n=n)


def _looks(api: APIRouter, daemon: MoneyPort) -> None:
    @api.get("/accounts/{name}/exposure", dependencies=[needs("read")])
    async def exposure(name: Name) -> ExposureView:
        """What an account has in the market."""
        return await daemon.account_exposure(name)

    @api.get("/accounts/{name}/loss", dependencies=[needs("read")])
    async def loss(name: Name) -> LossView:
        """What an account has lost today, and how far that is from its limits."""
        return await daemon.account_loss(name)


def _account_routes(api: APIRouter, daemon: MoneyPort) -> None:
    @api.get("/accounts", dependencies=[needs("read")])
    async def accounts() -> list[AccountView]:
        """Every account with its equity, exposure and latch, by name."""
        return await daemon.accounts()

    @api.get("/accounts/{name}", dependencies=[needs("read")])
    async def account(name: Name, response: Response) -> AccountView:
        """One account."""
        return tagged(response, await daemon.account(name))

    @api.post("/accounts/{name}/pause", dependencies=[needs("trade")])
    async def pause(name: Name, request: Why, who: Who) -> LatchResult:
        """Let no signal of an account's strategies through until it is rearmed; its stops still act."""
        return await daemon.pause_account(name, reason=request.reason, by=who.name)

    @api.post("/accounts/{name}/resume", dependencies=[needs("trade")])
    async def resume(name: Name, request: Why, who: Who) -> LatchResult:
        """Take back a pause of an account, and nothing else."""
        return await daemon.resume_account(name, reason=request.reason, by=who.name)

    @api.post("/accounts/{name}/kill", dependencies=[needs("trade")])
    async def kill(name: Name, request: Why, who: Who) -> LatchResult:
        """Close everything that an account holds, and let nothing through until it is rearmed."""
        return await daemon.kill_account(name, reason=request.reason, by=who.name)

    @api.post("/accounts/{name}/rearm", dependencies=[needs("trade")])
    async def rearm(name: Name, request: Why, who: Who) -> LatchResult:
        """Take back whatever bars an account."""
        return await daemon.rearm_account(name, reason=request.reason, by=who.name)

    @api.post("/deployments/{name}/rearm", dependencies=[needs("trade")])
    async def rearm_one(name: Name, request: Why, who: Who) -> LatchResult:
        """Take back whatever bars one deployment."""
        return await daemon.rearm(name, reason=request.reason, by=who.name)
