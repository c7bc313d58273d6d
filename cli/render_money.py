"""Accounts, positions, orders and trades as tables and paragraphs. Pure. Unknown is ``?``, and never zero."""

from __future__ import annotations

from collections.abc import Sequence

from cli.tables import Column, Sheet, clean, columns, fields
from cli.words import NOTHING, amount, instant
from supervisor.schema import (
    AccountView,
    GuardView,
    LatchView,
    LimitsView,
    OrderRow,
    PositionRow,
    TightenedView,
    TradeRow,
)

UNKNOWN = "?"


def money(value: float | None, currency: str = "") -> str:
    """Return an amount to the cent, ``?`` where it is unknown."""
    if value is None:
        return UNKNOWN
    return f"{value:,.2f} {currency}".rstrip()


def latch(view: LatchView | None) -> str:
    """Return what bars, and who or what set it."""
    return NOTHING if view is None else clean(f"{view.kind} ({view.rule})")


def accounts(views: Sequence[AccountView]) -> Sheet:
    """One row an account, for ``account list``."""
    return Sheet(
        columns(
            "ACCOUNT",
            "LATCH",
            Column("CUR", 4),
            Column("EQUITY", 1, right=True),
            Column("DAY", 1, right=True),
            Column("REALISED", 3, right=True),
            Column("UNREALISED", 2, right=True),
            Column("EXPOSURE", 5, right=True),
            Column("HELD", 5, right=True),
            Column("ORDERS", 6, right=True),
            Column("LIVE", 7),
        ),
        tuple(
            (
                view.name,
                latch(view.latch),
                view.currency or UNKNOWN,
                money(view.equity),
                money(view.day_profit),
                money(view.realised),
                money(view.unrealised),
                money(view.exposure),
                str(view.open_positions),
                str(view.orders_today),
                "yes" if view.live else "no",
            )
            for view in views
        ),
        "no accounts: 'stratd start ID --account A' names one",
    )


def account(view: AccountView) -> str:
    """Everything about one account, for ``account show``."""
    barred = "nothing"
    if view.latch is not None:
        barred = f"{view.latch.kind}, by {view.latch.rule}: {view.latch.reason} ('stratd account rearm')"
    return fields(
        [
            ("account", view.name + ("" if view.configured else "  (not configured: plain terms)")),
            ("barred by", clean(barred)),
            ("live", "allowed by account and configuration" if view.live else "no"),
            ("capital", money(view.capital, view.currency)),
            ("equity", money(view.equity, view.currency)),
            ("realised", money(view.realised, view.currency)),
            ("unrealised", money(view.unrealised, view.currency)),
            ("fees", money(view.fees, view.currency)),
            ("today", f"{money(view.day_profit, view.currency)} since {view.day or 'no day has begun'}"),
            ("peak equity", money(view.peak_equity, view.currency)),
            ("exposure", f"{money(view.exposure, view.currency)} in {view.open_positions} positions"),
            ("orders", f"{view.orders_today} today"),
            ("deployments", ", ".join(view.deployments) or "none"),
        ]
    )


def limits(view: LimitsView) -> Sheet:
    """One row a limit that binds an account, and whose word it is."""
    return Sheet(
        columns(
            "LIMIT",
            Column("BINDS", right=True),
            Column("FILE", 2, right=True),
            Column("BY", 1),
            Column("WHY", 3),
        ),
        tuple(
            (
                name,
                _limit(value),
                _limit(view.configured_limits.get(name)),
                clean(f"{one.by}, {instant(one.at)}") if (one := _binding(view, name)) else "configuration",
                clean(one.reason) if one else "",
            )
            for name, value in sorted(view.limits.items())
        ),
        f"no limits bind {view.name}: 'stratd account limits {view.name} --set max_daily_loss=500' sets one",
    )


def _binding(view: LimitsView, name: str) -> TightenedView | None:
    """Return the operator's word where that is what binds."""
    found = view.tightened.get(name)
    return found if found is not None and view.configured_limits.get(name) != view.limits[name] else None


def _limit(value: object) -> str:
    if value is None:
        return NOTHING
    return f"{value:,g}" if isinstance(value, int | float) else clean(str(value))


def guard(view: GuardView | None) -> str:
    """Return the exits that the engine owns of a position, shortly."""
    if view is None:
        return NOTHING
    parts = [
        f"stop {amount(view.stop)}" if view.stop is not None else "",
        f"trail {amount(view.trailing_stop)}" if view.trailing_stop is not None else "",
        f"target {amount(view.target)}" if view.target is not None else "",
        "time" if view.expires_at is not None else "",
        "square-off" if view.square_off_at is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "waiting to trail"


def positions(rows: Sequence[PositionRow]) -> Sheet:
    """One row a holding, for ``positions``."""
    return Sheet(
        columns(
            "ID",
            "SYMBOL",
            Column("QUANTITY", right=True),
            Column("AVERAGE", 1, right=True),
            Column("UNREALISED", 1, right=True),
            Column("REALISED", 2, right=True),
            Column("FIFO", 6, right=True),
            Column("FEES", 4, right=True),
            Column("CUR", 3),
            Column("GUARD", 1, flexible=True),
            Column("ACCOUNT", 5),
        ),
        tuple(
            (
                row.deployment_id,
                row.symbol,
                amount(row.quantity),
                amount(row.average_price) if row.quantity else NOTHING,
                money(row.unrealised),
                money(row.realised),
                money(row.fifo_realised),
                money(row.fees),
                row.currency or UNKNOWN,
                guard(row.guard),
                row.account,
            )
            for row in rows
        ),
        "no positions: nothing was ever filled",
    )


def orders(rows: Sequence[OrderRow]) -> Sheet:
    """One row an order, for ``orders``."""
    return Sheet(
        columns(
            "ID",
            "SYMBOL",
            "STATUS",
            Column("QUANTITY", right=True),
            Column("FILLED", 2, right=True),
            Column("KIND", 1),
            Column("LIMIT", 1, right=True),
            Column("STOP", 1, right=True),
            Column("TIF", 5),
            Column("BY", 3),
            Column("ROUTE", 6),
            Column("ACCEPTED", 4),
            Column("ACCOUNT", 7),
            Column("ORDER", 8),
        ),
        tuple(
            (
                row.deployment_id,
                row.symbol,
                row.status,
                amount(row.quantity),
                amount(row.filled),
                row.kind,
                amount(row.limit_price),
                amount(row.stop_price),
                row.time_in_force,
                row.role,
                row.route,
                instant(row.accepted_at),
                row.account,
                row.order_id,
            )
            for row in rows
        ),
        "no orders wait (--all lists those that ended)",
    )


def trades(rows: Sequence[TradeRow]) -> Sheet:
    """One row an execution, for ``trades``."""
    return Sheet(
        columns(
            Column("AT", 1),
            "ID",
            "SYMBOL",
            Column("QUANTITY", right=True),
            Column("PRICE", right=True),
            Column("FEE", 3, right=True),
            Column("PROFIT", 1, right=True),
            Column("CUR", 4),
            Column("BY", 2),
            Column("ACCOUNT", 5),
            Column("SEQ", 6, right=True),
        ),
        tuple(
            (
                instant(row.at),
                row.deployment_id,
                row.symbol,
                amount(row.quantity),
                amount(row.price),
                money(row.fee),
                NOTHING if row.profit is None else money(row.profit),
                row.currency or UNKNOWN,
                row.role,
                row.account,
                str(row.seq),
            )
            for row in rows
        ),
        "no trades",
    )
