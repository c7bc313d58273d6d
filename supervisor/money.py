"""What the API asks of money, answered for one daemon: accounts and latches, positions, orders, trades."""

from __future__ import annotations

from msgspec.structs import replace

from strategies.trading.accounts import AccountTerms
from supervisor import account_views, tightening
from supervisor.daemon import Daemon
from supervisor.ledger import Ledger
from supervisor.schema import (
    AccountView,
    ExposureView,
    LatchResult,
    LimitsRequest,
    LimitsView,
    LossView,
    OrderRow,
    PositionRow,
    TradeRow,
)
from supervisor.selection import find
from supervisor.trading_control import TradingAnswer
from supervisor.views import latch_view


class Money:
    """``supervisor.api.routes.money.MoneyPort``; a part of ``Port``."""

    _daemon: Daemon
    _ledger: Ledger

    async def accounts(self) -> list[AccountView]:
        """Return every account, by name."""
        return self._ledger.accounts()

    async def account(self, name: str) -> AccountView:
        """Return one account."""
        return self._ledger.account(name)

    async def pause_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Let nothing of an account's strategies through, until it is rearmed."""
        return _result(name, await self._daemon.accounts.latch(name, "pause", reason, by))

    async def kill_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Close everything that an account holds, and let nothing through until it is rearmed."""
        return _result(name, await self._daemon.accounts.latch(name, "lock", reason, by))

    async def resume_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Take back a pause of an account; what is stronger stays, and is ``Refused``."""
        return _result(name, await self._daemon.accounts.resume(name, reason, by))

    async def account_limits(self, name: str) -> LimitsView:
        """Return what binds one account."""
        row = self._daemon.accounts.row(name)
        return account_views.limits(row, self._terms(name), self._daemon.limits.of(name))

    async def change_account_limits(
        self, name: str, request: LimitsRequest, *, whole: bool, may_loosen: bool, by: str
    ) -> LimitsView:
        """Tighten limits of an account, or take back what was; return what binds it then."""
        self._daemon.accounts.row(name)  # there is one
        terms = self._terms(name)
        await self._daemon.limits.change(
            name,
            terms.risk if terms else {},
            request.limits,
            whole=whole,
            may_loosen=may_loosen,
            by=by,
            reason=request.reason,
        )
        return await self.account_limits(name)

    async def account_exposure(self, name: str) -> ExposureView:
        """Return what one account has in the market."""
        row = self._daemon.accounts.row(name)
        held = [one for one in self._ledger.positions(None) if one.account == name]
        return account_views.exposure(row, held)

    async def account_loss(self, name: str) -> LossView:
        """Return how far one account is from its limits of loss."""
        terms = self._terms(name) or AccountTerms(name=name)
        risk = tightening.binding(terms.risk, self._daemon.limits.of(name))
        return account_views.loss(self._daemon.accounts.row(name), replace(terms, risk=risk))

    def _terms(self, name: str) -> AccountTerms | None:
        configured = self._daemon.settings.accounts.get(name)
        return None if configured is None else configured.terms(name)

    async def rearm_account(self, name: str, *, reason: str, by: str) -> LatchResult:
        """Take back what bars an account."""
        return _result(name, await self._daemon.accounts.rearm(name, reason, by))

    async def rearm(self, deployment_id: str, *, reason: str, by: str) -> LatchResult:
        """Take back what bars one deployment."""
        name = find(self._daemon.actors, deployment_id).id
        answer = await self._daemon.accounts.take_back("deployment", name, reason, by)
        return LatchResult(
            scope="deployment", name=name, changed=answer.changed, latch=latch_view(answer.latch)
        )

    async def positions(self, deployment_id: str | None, account: str | None) -> list[PositionRow]:
        """Return what is held by one deployment, by those of an account, or by all."""
        return self._ledger.positions(self._ledger.owners(deployment_id, account))

    async def orders(
        self, deployment_id: str | None, account: str | None, *, ended: bool, n: int
    ) -> list[OrderRow]:
        """Return the orders that wait, with ``ended`` the last ``n`` of all; the newest last."""
        return await self._ledger.orders(self._ledger.owners(deployment_id, account), ended=ended, limit=n)

    async def trades(
        self, deployment_id: str | None, account: str | None, *, after: int | None, n: int
    ) -> list[TradeRow]:
        """Return the last ``n`` executions, or the first after record ``after``; the newest last."""
        return await self._ledger.trades(self._ledger.owners(deployment_id, account), after=after, limit=n)


def _result(name: str, answer: TradingAnswer) -> LatchResult:
    return LatchResult(scope="account", name=name, changed=answer.changed, latch=latch_view(answer.latch))
