"""Accounts: whose money it is, in which currency, and what may be done with it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class AccountTerms(Struct, frozen=True, kw_only=True):
    """What is configured of an account. ``capital`` None is unknown: what needs it is refused.

    ``risk`` holds the fields of ``RiskConfig``, for all of its deployments together. Its trading day begins
    ``day_starts`` seconds after midnight in ``zone``.
    """

    name: str
    currency: str = "USD"
    capital: float | None = None
    live: bool = False
    route: str = ""
    risk: dict[str, Any] = {}
    zone: str = "UTC"
    day_starts: int = 0
