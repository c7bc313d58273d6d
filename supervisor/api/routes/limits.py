"""The limits of an account: what binds it, and tightening them at once. No decision is made here."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path

from supervisor.api.caller import Caller, caller, needs
from supervisor.schema import LimitsRequest, LimitsView

Name = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]


class LimitsPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def account_limits(self, name: str) -> LimitsView:
        """Return what binds one account."""
        ...

    async def change_account_limits(
        self, name: str, request: LimitsRequest, *, whole: bool, may_loosen: bool, by: str
    ) -> LimitsView:
        """Tighten limits of an account, or take back what was; return what binds it then."""
        ...


def limit_routes(api: APIRouter, daemon: LimitsPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/accounts/{name}/limits", dependencies=[needs("read")])
    async def limits(name: Name) -> LimitsView:
        """What binds an account: by the configuration file, and as it was tightened since."""
        return await daemon.account_limits(name)

    async def change(name: str, request: LimitsRequest, who: Caller, *, whole: bool) -> LimitsView:
        may = "admin" in who.scopes
        return await daemon.change_account_limits(name, request, whole=whole, may_loosen=may, by=who.name)

    @api.patch("/accounts/{name}/limits", dependencies=[needs("trade")], summary="Tighten limits")
    async def tighten(name: Name, request: LimitsRequest, who: Who) -> LimitsView:
        """Tighten some limits of an account, from the next signal and tick on; null takes one back.

        What is looser than the configuration file is refused (`limit_looser`); to take back what was
        tightened, or to loosen it within the file, needs the scope `admin`. Reloads and restarts keep it.
        """
        return await change(name, request, who, whole=False)

    @api.put("/accounts/{name}/limits", dependencies=[needs("trade")], summary="Set what is tightened")
    async def replace(name: Name, request: LimitsRequest, who: Who) -> LimitsView:
        """Let exactly these limits be tightened: as PATCH, and what is not named is as the file has it."""
        return await change(name, request, who, whole=True)
