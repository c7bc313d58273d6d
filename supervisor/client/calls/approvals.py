"""Semi-automatic trading: the signals that wait for a person, and the person's word on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, segment, send

if TYPE_CHECKING:
    from supervisor.schema import SignalView
    from supervisor.schema.approvals import ApprovalResult


def pending_signals(
    deployment_id: str | None = None, *, account: str | None = None
) -> Call[list[SignalView]]:
    """The signals that wait for approval, the oldest first, each with the time at which it expires."""
    return get("signals/pending", {"deployment_id": deployment_id, "account": account})


def approve_signal(signal_id: str, *, reason: str = "") -> Call[ApprovalResult]:
    """Approve a signal that waits: it is judged again, and its verdict says whether it passed."""
    return send("POST", f"signals/{segment(signal_id, 'signal')}/approve", {"reason": reason})


def reject_signal(signal_id: str, *, reason: str = "") -> Call[ApprovalResult]:
    """Reject a signal that waits, for good."""
    return send("POST", f"signals/{segment(signal_id, 'signal')}/reject", {"reason": reason})
