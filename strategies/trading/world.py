"""What a decision is made from: the state, how trading is set up, and what the market does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strategies.trading import accounts
from strategies.trading.accounts import AccountTerms, Ledger, Money
from strategies.trading.broker import Venue
from strategies.trading.hours import Hours
from strategies.trading.instruments import Instrument
from strategies.trading.latches import Scope
from strategies.trading.limits import Limits
from strategies.trading.money import Rates
from strategies.trading.prices import Prices
from strategies.trading.setup import Setup
from strategies.trading.state import State
from strategies.trading.view import Clearance, Session

Party = tuple[Scope, str]
"""Whose limits they are: (``deployment`` or ``account``, its name)."""


class World:
    """Reads only. ``configure`` puts another setup in place; what was decided before stays as it was."""

    def __init__(self, state: State, setup: Setup, prices: Prices) -> None:
        self.state = state
        self.prices = prices
        self.cleared: Mapping[str, Clearance] = {}
        """What the remote risk service said last of the accounts that it was asked for."""
        self.configure(setup)

    def configure(self, setup: Setup) -> None:
        """Go by ``setup`` from now on."""
        self.setup = setup
        self.rates = Rates(self.prices.price, setup.instruments.known)
        self._hours = Hours()
        self._limits = {name: Limits.of(terms.risk) for name, terms in setup.accounts.items()}

    def clearance(self, account: str) -> Clearance:
        """Return what the remote risk service says of an account; it fails closed."""
        return self.cleared.get(account, "unreachable") if self.setup.remote_risk else "none"

    def venue(self) -> Venue:
        """Return the paper broker's view of it."""
        setup, held = self.setup, self.state.books.held
        return Venue(terms=lambda _: setup.paper, instrument=setup.instrument, held=held)

    # ---- parties ----------------------------------------------------------------------------------
    def limits(self, party: Party) -> Limits:
        """Return what a deployment or an account is held to."""
        scope, name = party
        if scope == "account":
            return self._limits.get(name) or NO_LIMITS
        desk = self.state.desks.get(name)
        return NO_LIMITS if desk is None else desk.limits

    def account_of(self, party: Party) -> AccountTerms:
        """Return the terms of the account that a party is, or trades for."""
        scope, name = party
        if scope == "account":
            return self.setup.account(name)
        desk = self.state.desks.get(name)
        return self.setup.account("" if desk is None else desk.grant.account_id)

    def deployments_of(self, account: str) -> list[str]:
        """Return the deployments that trade for an account, or hold something in its name, by name."""
        names = {name for name, desk in self.state.desks.items() if desk.grant.account_id == account}
        names.update(one.deployment_id for one in self.state.books.ledger(account).open)
        return sorted(names)

    # ---- money ------------------------------------------------------------------------------------
    def money(self, party: Party) -> Money:
        """Return what a party has, in its account's currency, at the last prices and rates."""
        terms = self.account_of(party)
        return accounts.equity(
            self.ledger(party),
            capital=terms.capital,
            price=self.prices.price,
            rates=self.rates,
            currency=terms.currency,
        )

    def ledger(self, party: Party) -> Ledger:
        """Return the ledger of an account, or of a deployment by itself."""
        scope, name = party
        books = self.state.books
        return books.ledger(name) if scope == "account" else books.ledger_of(name)

    def equity(self, party: Party) -> float | None:
        """Return the equity of a party; None while a price, a rate or the capital is unknown.

        Where only amounts limit it, and no percentage does, profit alone will do: without a capital it counts
        from zero.
        """
        money = self.money(party)
        if self.account_of(party).capital is None and not self.limits(party).needs_capital:
            return money.profit
        return money.equity

    def worth(self, symbol: str, quantity: float, terms: AccountTerms) -> float | None:
        """Return the worth of ``quantity`` without its sign, in the account's currency; None unknown."""
        if quantity == 0.0:
            return 0.0
        instrument, price = self.setup.instruments.of(symbol), self.prices.price(symbol)
        if instrument is None or price is None:
            return None
        amount = abs(quantity) * price * instrument.multiplier
        return self.rates.convert(amount, instrument.currency or terms.currency, terms.currency)

    def rate(self, instrument: Instrument, terms: AccountTerms) -> float | None:
        """Return what one unit of the instrument's currency is worth in the account's."""
        return self.rates.rate(instrument.currency or terms.currency, terms.currency)

    def route(self, account: str, *, live: bool) -> str:
        """Return where orders of an account go: "" is the paper broker."""
        return self.setup.account(account).route if live else ""

    # ---- time -------------------------------------------------------------------------------------
    def session(self, symbol: str, now: int, limits: Iterable[Limits]) -> Session:
        """Return the hours of a symbol at ``now``, with the earliest square-off of ``limits``."""
        minutes = [one.square_off_at for one in limits if one.square_off_at is not None]
        return self._hours.of(self.setup.calendar(symbol), now, min(minutes, default=None))

    def day(self, account: str, now: int) -> str:
        """Return the label of the account's trading day at ``now``."""
        terms = self.setup.account(account)
        return accounts.trading_day(now, terms.zone, terms.day_starts).label

    def days_end(self, now: int) -> int:
        """Return when the first of the trading days ends that accounts have at ``now``, ns."""
        setup = self.setup
        kinds = {(one.zone, one.day_starts) for one in (*setup.accounts.values(), setup.account(""))}
        return min(accounts.trading_day(now, *kind).close for kind in kinds)


NO_LIMITS = Limits()
