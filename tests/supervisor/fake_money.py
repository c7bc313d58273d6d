"""What the API asks of money, kept in lists: the part of ``FakeDaemon`` that ``MoneyPort`` names."""

from __future__ import annotations

from supervisor.errors import NotFound, Refused, StratdError, near_matches
from supervisor.schema import (
    AccountView,
    ExposureView,
    LatchResult,
    LatchView,
    LimitsRequest,
    LimitsView,
    LossView,
    OrderRow,
    PositionRow,
    TradeRow,
)


def latch(name: str, kind: str = "lock", *, scope: str = "account", reason: str = "drill") -> LatchView:
    return LatchView(scope=scope, name=name, kind=kind, rule="operator", reason=reason, at=1, by="operator")


class FakeMoney:
    calls: list[tuple[object, ...]]
    fail: StratdError | Exception | None

    def __init__(self) -> None:
        self.books: dict[str, AccountView] = {"default": AccountView(name="default", currency="USD")}
        self.held: list[PositionRow] = []
        self.placed: list[OrderRow] = []
        self.executed: list[TradeRow] = []

    async def accounts(self) -> list[AccountView]:
        self._stumble()
        return list(self.books.values())

    async def account(self, name: str) -> AccountView:
        self._stumble()
        if name not in self.books:
            raise NotFound("account", name, near_matches(name, self.books))
        return self.books[name]

    async def pause_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        return await self._latch(name, latch(name, "pause", reason=reason), ("pause", name, reason, by))

    async def kill_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        return await self._latch(name, latch(name, reason=reason), ("kill", name, reason, by))

    async def resume_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        set_now = (await self.account(name)).latch
        if set_now is not None and set_now.kind != "pause":
            raise Refused(f"latch_{set_now.kind}", f"account {name} is not paused")
        return await self._latch(name, None, ("resume", name, reason, by))

    async def account_limits(self, name: str) -> LimitsView:
        found = await self.account(name)
        return LimitsView(name=name, currency=found.currency, signals_per_s=1000)

    async def change_account_limits(
        self, name: str, request: LimitsRequest, *, whole: bool, may_loosen: bool, by: str
    ) -> LimitsView:
        self.calls.append(("limits", name, dict(request.limits), request.reason, whole, may_loosen, by))
        return await self.account_limits(name)

    async def account_exposure(self, name: str) -> ExposureView:
        found = await self.account(name)
        return ExposureView(name=name, currency=found.currency, gross=found.exposure)

    async def account_loss(self, name: str) -> LossView:
        found = await self.account(name)
        return LossView(name=name, currency=found.currency, equity=found.equity)

    async def rearm_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        return await self._latch(name, None, ("rearm", name, reason, by))

    async def rearm(self, deployment_id: str, *, reason: str, by: str) -> LatchResult:
        self.calls.append(("rearm deployment", deployment_id, reason, by))
        return LatchResult(scope="deployment", name=deployment_id, changed=False)

    async def _latch(self, name: str, wanted: LatchView | None, call: tuple[object, ...]) -> LatchResult:
        before = await self.account(name)
        self.calls.append(call)
        # As the engine has it: an operator's lock is not weakened by a pause.
        kept = before.latch if wanted is not None and before.latch is not None else wanted
        self.books[name] = before.model_copy(update={"latch": kept})
        return LatchResult(scope="account", name=name, changed=kept != before.latch, latch=kept)

    async def positions(self, deployment_id: str | None, account: str | None) -> list[PositionRow]:
        self._stumble()
        self.calls.append(("positions", deployment_id, account))
        return self.held

    async def orders(
        self, deployment_id: str | None, account: str | None, *, ended: bool, n: int
    ) -> list[OrderRow]:
        self._stumble()
        self.calls.append(("orders", deployment_id, account, ended, n))
        return self.placed

    async def trades(
        self, deployment_id: str | None, account: str | None, *, after: int | None, n: int
    ) -> list[TradeRow]:
        self._stumble()
        self.calls.append(("trades", deployment_id, account, after, n))
        return self.executed

    def _stumble(self) -> None:
        if self.fail is not None:
            raise self.fail
