"""The numbered lines that ``events``, ``signals`` and ``logs`` stream."""

from __future__ import annotations

from supervisor.schema.base import View


class EventView(View):
    """One line of ``events --json``: what the daemon did. ``seq`` never repeats, over restarts too."""

    seq: int
    at: int
    kind: str
    deployment_id: str = ""
    generation: int = 0
    detail: str = ""


class SignalView(View):
    """One line of ``signals --json``: a signal with its verdict. ``seq`` is the journal's.

    ``verdict`` is accepted, modified, rejected, duplicate or expired; ``rule`` names why not accepted.
    """

    seq: int
    signal_id: str
    idempotency_key: str
    deployment_id: str
    account_id: str
    symbol: str
    intent: str
    quantity: float | None
    verdict: str
    rule: str
    detail: str
    data_as_of: int
    emitted_at: int
    decided_at: int
    # beyond the contract
    strategy: str = ""
    version: str = ""
    mode: str = ""
    reason: str = ""
    timeframe: str = ""


class LogLine(View):
    """One line that a strategy wrote: ``out``, ``err``, or ``log`` (through its logger)."""

    at: int
    stream: str
    text: str
    generation: int = 0
