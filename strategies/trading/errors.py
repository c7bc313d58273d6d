"""What goes wrong inside the trading core: one root, and whose fault it is."""

from __future__ import annotations


class TradingError(Exception):
    """Root of the core's errors; each says in one line what was wrong and what is allowed."""


class LedgerError(TradingError, ValueError):
    """Books that would be wrong: a fill that is none, or records that do not follow from each other.

    Raised before anything changes. Whoever cannot prevent it stops, rather than trade on wrong books.
    """
