"""What the API asks of signals that wait for approval, answered for one daemon."""

from __future__ import annotations

from strategies.trading.replies import signal_row
from supervisor.daemon import Daemon
from supervisor.ledger import Ledger, order_row
from supervisor.schema import SignalView
from supervisor.schema.approvals import ApprovalResult


class Approving:
    """``supervisor.api.routes.approvals.ApprovalPort``; a part of ``Port``."""

    _daemon: Daemon
    _ledger: Ledger

    async def pending_signals(self, deployment_id: str | None, account: str | None) -> list[SignalView]:
        """Return what waits of one deployment, of those of an account, or of all; the oldest first."""
        owners = self._ledger.owners(deployment_id, account)
        found = await self._daemon.approvals.pending(owners)
        return [SignalView.model_validate(signal_row(one)) for one in found]

    async def approve_signal(self, signal_id: str, *, reason: str, by: str) -> ApprovalResult:
        """Have a signal that waits judged again, and its order placed if it passes."""
        return await self._answer(signal_id, approve=True, reason=reason, by=by)

    async def reject_signal(self, signal_id: str, *, reason: str, by: str) -> ApprovalResult:
        """Refuse a signal that waits."""
        return await self._answer(signal_id, approve=False, reason=reason, by=by)

    async def _answer(self, signal_id: str, *, approve: bool, reason: str, by: str) -> ApprovalResult:
        found, changed = await self._daemon.approvals.answer(signal_id, approve=approve, by=by, remark=reason)
        return ApprovalResult(
            changed=changed,
            signal=SignalView.model_validate(signal_row(found.judged)),
            order=order_row(found.order) if found.order else None,
        )
