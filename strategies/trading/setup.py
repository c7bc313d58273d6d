"""What trading goes by besides its state: instruments, accounts, terms, calendars. It may change any time.

Nothing of it is in the journal: what a decision took from here is in the decision's record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from bus.sessions import SessionCalendar, always
from strategies.trading.accounts import AccountTerms, terms_of
from strategies.trading.instruments import Instrument, Instruments
from strategies.trading.terms import FRICTIONLESS, Terms

ROUND_THE_CLOCK = always()


def _always(_: str) -> SessionCalendar:
    return ROUND_THE_CLOCK


class Setup(Struct, frozen=True, kw_only=True):
    """``live`` is the configuration's opt-in; ``calendar`` tells that of a symbol.

    ``remote_risk``: a remote risk service has a say in live entries. ``approval_timeout`` is in seconds.
    """

    instruments: Instruments = Instruments()
    accounts: Mapping[str, AccountTerms] = {}
    paper: Terms = FRICTIONLESS
    live: bool = False
    remote_risk: bool = False
    approval_timeout: float = 300.0
    calendar: Callable[[str], SessionCalendar] = _always

    def account(self, name: str) -> AccountTerms:
        """Return the terms of an account; one that is not configured has plain ones."""
        return terms_of(self.accounts, name)

    def instrument(self, symbol: str) -> Instrument:
        """Return the terms of a symbol to fill and to value by: plain ones where they are not known."""
        return self.instruments.of(symbol) or Instrument(symbol=symbol)

    def currency(self, symbol: str, account: str) -> str:
        """Return the currency in which ``symbol`` trades for ``account``."""
        return self.instrument(symbol).currency or self.account(account).currency
