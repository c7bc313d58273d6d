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

    ``verdict`` is accepted, modified, rejected, duplicate, expired or pending; ``rule`` names why not
    accepted. A pending one waits for approval until ``expires_at``; another line with its ``signal_id`` says
    what became of it: ``by`` is who decided, None for nobody, ``remark`` is theirs. Where ``count`` is above
    1 the line stands for so many refusals of a flood, and what they do not share is None.
    """

    seq: int
    signal_id: str | None
    idempotency_key: str | None
    deployment_id: str
    account_id: str | None
    symbol: str | None
    intent: str | None
    quantity: float | None
    verdict: str
    rule: str
    detail: str
    data_as_of: int | None
    emitted_at: int | None
    decided_at: int
    # beyond the contract
    generation: int = 0
    strategy: str | None = None
    version: str | None = None
    mode: str | None = None
    reason: str | None = None
    timeframe: str | None = None
    count: int = 1
    expires_at: int | None = None
    by: str | None = None
    remark: str | None = None


class LogLine(View):
    """One line that a strategy wrote: ``out``, ``err``, or ``log`` (through its logger)."""

    at: int
    stream: str
    text: str
    generation: int = 0
