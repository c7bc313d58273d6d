"""Signals that wait for approval, for people."""

from __future__ import annotations

from cli.tables import clean
from cli.words import amount, instant
from supervisor.schema import SignalView


def pending(view: SignalView) -> str:
    """One line of ``signals --pending``: the id first, which ``approve`` and ``reject`` take."""
    what = f"{view.intent} {amount(view.quantity)} {view.symbol}"
    until = "" if view.expires_at is None else f"until {instant(view.expires_at)}"
    return (
        f"{view.signal_id}  {view.deployment_id:<12} {what:<28} {until}  {clean(view.reason or '')}".rstrip()
    )
