"""Positions, orders and trades for people: from the engine's picture and its journal, never made up.

Rules of this file. What cannot be read is a refusal to answer (``Unavailable``), never an empty list. A
position is the engine's word, at most a second old; orders and trades are the journal's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from bus.messages import Position
from strategies.trading.protection import Guard
from strategies.trading.records import Executed
from supervisor import accounts
from supervisor.accounts import Accounts
from supervisor.errors import NotFound, Unavailable, near_matches
from supervisor.schema import AccountView, OrderRow, PositionRow, TradeRow
from supervisor.selection import find
from supervisor.store.journal_ledger import Known
from supervisor.trading_control import AccountRow
from supervisor.views import guard_view, latch_view


class Parts(accounts.Parts, Protocol):
    """What is read of the daemon."""

    @property
    def accounts(self) -> Accounts:
        """The accounts."""
        ...


class Ledger:
    """Answers for one deployment, for all of one account, or for all."""

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon

    def owners(self, deployment_id: str | None, account: str | None) -> list[str] | None:
        """Return whose things are asked for; None is everybody's."""
        actors = self._daemon.actors
        if deployment_id is not None:
            return [find(actors, deployment_id).id]
        if account is None:
            return None
        names = self._daemon.accounts.names()
        if account not in names:
            raise NotFound("account", account, near_matches(account, names))
        return self._deployments_of(account)

    def _deployments_of(self, account: str) -> list[str]:
        actors = sorted(self._daemon.actors.items())
        return [name for name, actor in actors if actor.deployment.account == account]

    def positions(self, owners: Sequence[str] | None) -> list[PositionRow]:
        """Return what is held, and what was, by deployment and symbol."""
        picture = self._daemon.news.money
        if picture is None:
            raise Unavailable("the engine has not told of positions yet; ask again in a moment")
        rows = self._daemon.news.rows
        told = {row.deployment_id for row in picture.deployments}
        told |= {row.deployment_id for row in picture.holdings}
        # One that was removed since the engine told of it is in its picture still, and nobody's row any more.
        told &= rows.keys()
        names = sorted(told if owners is None else told.intersection(owners))
        return [
            _position(one, self._account(name), {guard.symbol: guard for guard in rows[name].guards})
            for name in names
            for one in rows[name].positions
        ]

    async def orders(self, owners: Sequence[str] | None, *, ended: bool, limit: int) -> list[OrderRow]:
        """Return the orders that wait, with ``ended`` the others too; the newest last."""
        known = await self._daemon.signals.ask(lambda reader: reader.orders(owners, ended=ended, limit=limit))
        return await asyncio.to_thread(list, map(order_row, known))

    async def trades(self, owners: Sequence[str] | None, *, after: int | None, limit: int) -> list[TradeRow]:
        """Return executions, the newest last."""
        found = await self._daemon.signals.ask(lambda reader: reader.trades(owners, after=after, limit=limit))
        return await asyncio.to_thread(list, map(trade_row, found))  # there may be very many

    def accounts(self) -> list[AccountView]:
        """Return every account."""
        return [self._view(row) for row in self._daemon.accounts.rows()]

    def account(self, name: str) -> AccountView:
        """Return one account."""
        return self._view(self._daemon.accounts.row(name))

    def _account(self, deployment_id: str) -> str:
        actor = self._daemon.actors.get(deployment_id)
        return "" if actor is None else actor.deployment.account

    def _view(self, row: AccountRow) -> AccountView:
        configured = self._daemon.settings.accounts.get(row.name)
        return AccountView(
            name=row.name,
            currency=row.currency,
            configured=configured is not None,
            live=configured is not None and configured.live and self._daemon.settings.live.enabled,
            capital=row.capital,
            equity=row.equity,
            realised=row.realised,
            unrealised=row.unrealised,
            fees=row.fees,
            exposure=row.exposure,
            day=row.day,
            day_profit=row.day_profit,
            peak_equity=row.peak_equity,
            orders_today=row.orders_today,
            open_positions=row.open_positions,
            deployments=[
                n for n, a in sorted(self._daemon.actors.items()) if a.deployment.account == row.name
            ],
            latch=latch_view(row.latch),
        )


def _position(one: Position, account: str, guards: Mapping[str, Guard]) -> PositionRow:
    return PositionRow(
        deployment_id=one.deployment_id,
        account=one.account_id or account,
        symbol=one.symbol,
        quantity=one.quantity,
        average_price=one.average_price,
        unrealised=one.unrealised,
        realised=one.realised,
        fifo_realised=one.fifo_realised,
        fees=one.fees,
        currency=one.currency,
        guard=guard_view(guards.get(one.symbol)),
    )


def order_row(known: Known) -> OrderRow:
    """Return an order as it is shown."""
    order = known.order
    return OrderRow(
        order_id=order.order_id,
        deployment_id=order.deployment_id,
        account=order.account_id,
        symbol=order.symbol,
        quantity=order.quantity,
        filled=order.quantity if known.status == "filled" else order.filled,
        kind=order.kind,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
        role=order.role,
        route=order.route or "paper",
        status=known.status,
        accepted_at=order.accepted_at,
    )


def trade_row(record: Executed) -> TradeRow:
    """Return an execution as it is shown."""
    fill = record.fill
    return TradeRow(
        seq=record.seq,
        at=fill.at,
        deployment_id=fill.deployment_id,
        account=fill.account_id,
        symbol=fill.symbol,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        currency=fill.currency,
        role=record.role,
        order_id=record.order_id,
        profit=record.closed,
    )
