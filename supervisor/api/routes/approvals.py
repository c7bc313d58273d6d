"""The routes of semi-automatic trading: what waits for a person, and that person's word."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Body, Depends, Path, Query

from supervisor.api.caller import Caller, caller, needs
from supervisor.schema import SignalView
from supervisor.schema.approvals import ApprovalRequest, ApprovalResult

Id = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]
Why = Annotated[ApprovalRequest, Body(default_factory=ApprovalRequest)]
Owner = Annotated[str | None, Query(max_length=64)]


class ApprovalPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def pending_signals(self, deployment_id: str | None, account: str | None) -> list[SignalView]:
        """Return what waits of one deployment, of those of an account, or of all; the oldest first."""
        ...

    async def approve_signal(self, signal_id: str, *, reason: str, by: str) -> ApprovalResult:
        """Have a signal that waits judged again, and its order placed if it passes."""
        ...

    async def reject_signal(self, signal_id: str, *, reason: str, by: str) -> ApprovalResult:
        """Refuse a signal that waits."""
        ...


def approval_routes(api: APIRouter, daemon: ApprovalPort) -> None:
    """Add the routes to ``api``; before those of one signal, for 'pending' is the id of none."""

    @api.get("/signals/pending", dependencies=[needs("read")])
    async def pending(deployment_id: Owner = None, account: Owner = None) -> list[SignalView]:
        """The signals that wait for approval, the oldest first, each with the time at which it expires."""
        return await daemon.pending_signals(deployment_id, account)

    @api.post("/signals/{signal_id}/approve", dependencies=[needs("trade")])
    async def approve(signal_id: Id, request: Why, who: Who) -> ApprovalResult:
        """Approve a signal: it is judged again, by what is so now, and passes or is refused by a rule."""
        return await daemon.approve_signal(signal_id, reason=request.reason, by=who.name)

    @api.post("/signals/{signal_id}/reject", dependencies=[needs("trade")])
    async def reject(signal_id: Id, request: Why, who: Who) -> ApprovalResult:
        """Reject a signal that waits for approval, for good."""
        return await daemon.reject_signal(signal_id, reason=request.reason, by=who.name)
