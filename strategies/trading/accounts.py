"""Accounts: whose money it is, in which currency, and what it comes to.

Money that depends on something unknown is None, never zero and never without that something: one open
position without a price makes the equity unknown, and so does one currency without a rate. ``missing`` says
which. Sums are rounded once (``math.fsum``), so they do not depend on the order of what is added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import fsum, isfinite
from typing import Any, Final

from msgspec import Struct

from bus.messages import Position
from bus.sessions import SessionCalendar, TradingDay, WeeklySegment
from strategies.trading.money import Rates
from strategies.trading.positions import unrealised, value

DAY_S: Final = 86_400


class AccountTerms(Struct, frozen=True, kw_only=True):
    """What is configured of an account. ``capital`` None is unknown: what needs it is refused.

    ``risk`` holds the fields of ``RiskConfig``, for all of its deployments together. Its trading day begins
    ``day_starts`` seconds after midnight in ``zone``. ``signals_per_s`` is for all of its deployments
    together.
    """

    name: str
    currency: str = "USD"
    capital: float | None = None
    live: bool = False
    route: str = ""
    risk: dict[str, Any] = {}
    zone: str = "UTC"
    day_starts: int = 0
    signals_per_s: int = 1_000


def terms_of(accounts: Mapping[str, AccountTerms], name: str) -> AccountTerms:
    """Return the terms of account ``name``; one that is not configured is on paper, with capital unknown."""
    found = accounts.get(name)
    return AccountTerms(name=name) if found is None else found


# ---- money ------------------------------------------------------------------------------------------
class Settled(Struct, frozen=True, array_like=True):
    """What an account has realised in positions that are gone: of removed deployments, of other accounts.

    Money does not vanish with a name. ``realised`` is net of ``fees``, both in ``currency``.
    """

    account_id: str
    currency: str
    realised: float = 0.0
    fees: float = 0.0


class Ledger(Struct, frozen=True):
    """All that the money of an account (or a deployment) depends on besides prices and rates.

    ``realised``, net of fees, and ``fees`` are by currency ("" is the account's); ``open`` are the positions
    in which something is held, by deployment and symbol.
    """

    realised: dict[str, float | None] = {}
    fees: dict[str, float | None] = {}
    open: tuple[Position, ...] = ()

    @classmethod
    def of(cls, positions: Iterable[Position], settled: Iterable[Settled] = ()) -> Ledger:
        """Add up ``positions``, flat ones too, and what was settled."""
        positions = sorted(positions, key=lambda one: (one.deployment_id, one.symbol))
        realised: dict[str, list[float]] = {}
        fees: dict[str, list[float]] = {}
        parts = [(one.currency, one.realised, one.fees) for one in positions]
        parts += [(one.currency, one.realised, one.fees) for one in settled]
        for currency, gained, paid in parts:
            realised.setdefault(currency, []).append(gained)
            fees.setdefault(currency, []).append(paid)
        return cls(
            {currency: total(realised[currency]) for currency in sorted(realised)},
            {currency: total(fees[currency]) for currency in sorted(fees)},
            tuple(one for one in positions if one.quantity),
        )


class Money(Struct, frozen=True):
    """What a ledger comes to, in one currency; None is unknown, and ``missing`` says for want of what.

    ``realised`` is net of ``fees``; ``profit`` is realised and unrealised, ``equity`` capital and profit.
    """

    currency: str
    realised: float | None
    unrealised: float | None
    fees: float | None
    profit: float | None
    equity: float | None
    missing: tuple[str, ...] = ()


class Exposure(Struct, frozen=True):
    """The value of what is held, in one currency; None is unknown, and ``missing`` says for want of what.

    ``gross`` adds long and short up, ``net`` sets them off against each other.
    """

    currency: str
    gross: float | None
    net: float | None
    missing: tuple[str, ...] = ()


def equity(
    ledger: Ledger,
    *,
    capital: float | None,
    price: Callable[[str], float | None],
    rates: Rates,
    currency: str,
) -> Money:
    """Return what ``ledger`` comes to in ``currency`` above ``capital``, at the last prices and rates.

    All of it at the rates of now, profit that was realised long ago too (money.py).
    """
    missing: list[str] = []
    marks: dict[str, list[float | None]] = {}
    for one in ledger.open:
        mark = unrealised(one, price(one.symbol))
        if mark is None:
            missing.append(f"price of {one.symbol}")
        marks.setdefault(one.currency, []).append(mark)
    realised = _together(ledger.realised, rates, currency, missing)
    floating = _together({name: total(mine) for name, mine in marks.items()}, rates, currency, missing)
    fees = _together(ledger.fees, rates, currency, missing)
    if capital is None or not isfinite(capital):
        missing.append("capital")
    profit = total((realised, floating))
    return Money(currency, realised, floating, fees, profit, total((capital, profit)), _once(missing))


def exposure(
    ledger: Ledger, *, price: Callable[[str], float | None], rates: Rates, currency: str
) -> Exposure:
    """Return what ``ledger`` has in the market, in ``currency``, at the last prices and rates."""
    missing: list[str] = []
    values: dict[str, list[float | None]] = {}
    for one in ledger.open:
        worth = value(one, price(one.symbol))
        if worth is None:
            missing.append(f"price of {one.symbol}")
        values.setdefault(one.currency, []).append(worth)
    sizes = {name: [None if one is None else abs(one) for one in mine] for name, mine in values.items()}
    gross = _together({name: total(mine) for name, mine in sizes.items()}, rates, currency, missing)
    net = _together({name: total(mine) for name, mine in values.items()}, rates, currency, missing)
    return Exposure(currency, gross, net, _once(missing))


def total(amounts: Iterable[float | None]) -> float | None:
    """Return the sum of ``amounts``; None where one is unknown, or the sum is no finite number."""
    known = []
    for amount in amounts:
        if amount is None or not isfinite(amount):
            return None
        known.append(amount)
    try:
        return fsum(known)
    except OverflowError:
        return None


def _together(
    amounts: Mapping[str, float | None], rates: Rates, currency: str, missing: list[str]
) -> float | None:
    """Return ``amounts`` by currency in one; what is unknown for want of a rate is added to ``missing``."""
    values: list[float | None] = []
    for name, amount in amounts.items():
        value = None if amount is None else rates.convert(amount, name or currency, currency)
        if value is None and amount is not None:
            missing.append(f"rate from {name} to {currency}")
        values.append(value)
    return total(values)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


# ---- days -------------------------------------------------------------------------------------------
def trading_day(now: int, zone: str, day_starts: int) -> TradingDay:
    """Return the trading day of ``now`` (ns): its label (ISO date), and its only segment in ns.

    It begins ``day_starts`` seconds after midnight in ``zone`` of the date that labels it, by the clock on
    the wall there, and ends where the next begins: 23 or 25 hours where the clocks change. Below zero it
    begins the day before: FX trades Monday from Sunday 17:00 in New York, which is -25,200.
    Raises ``CalendarError`` for a zone that is none.
    """
    day = _calendar(zone, day_starts).day(now)
    if day is None:  # its days follow on each other without a gap
        raise AssertionError
    return day


@lru_cache(maxsize=64)  # it remembers the last day asked for, so an account pays for each of its days once
def _calendar(zone: str, day_starts: int) -> SessionCalendar:
    week = tuple(WeeklySegment(weekday, day_starts, day_starts + DAY_S) for weekday in range(7))
    return SessionCalendar(name=f"days of {zone}", zone=zone, week=week)
